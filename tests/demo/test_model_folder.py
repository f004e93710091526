from __future__ import annotations

import json
import shutil
import stat
import tomllib
from pathlib import Path

import pytest

import curate
from curate.demo import model_folder
from curate.demo.model_folder import NAMES, RECORD, SHIPPED, copy_models, replacing
from curate.demo.train import wanted
from curate.errors import StoreError

PACKAGE = Path(curate.__file__).parent


def tree(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_the_shipped_models_are_of_this_world_and_recipe() -> None:
    record = json.loads((SHIPPED / RECORD).read_text())
    assert {key: record[key] for key in wanted(0)} == wanted(0)
    assert {"python", "torch", "transformers", "tokenizers", "processor"} == set(record["made_with"])


def test_every_file_of_data_is_part_of_the_distribution() -> None:
    listed = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))
    patterns = listed["tool"]["setuptools"]["package-data"]["curate"]
    carried = {file for pattern in patterns for file in PACKAGE.glob(f"{pattern}/*" if "**" in pattern else pattern)}
    data = {one for one in PACKAGE.rglob("*") if one.is_file() and one.suffix not in (".py", ".pyc")}
    assert data <= carried
    assert {f"{name}/model.safetensors" for name in NAMES} <= set(tree(PACKAGE / "demo" / "models"))
    assert sum(one.stat().st_size for one in data) < 3_000_000


def test_the_copy_is_whole_and_replaces_what_a_demo_left(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (folder / "policy").mkdir(parents=True)
    (folder / "policy" / "adapter.bin").write_text("old")
    (folder / RECORD).write_text("{}")
    copy_models(folder)
    expected = tree(PACKAGE / "demo" / "models")
    del expected["README.md"]
    assert tree(folder) == expected
    assert [one.name for one in tmp_path.iterdir()] == ["models"]


def test_a_copy_of_read_only_files_can_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "shipped"
    shutil.copytree(PACKAGE / "demo" / "models", shipped)
    for one in (*shipped.rglob("*"), shipped):
        one.chmod(0o555 if one.is_dir() else 0o444)
    monkeypatch.setattr(model_folder, "SHIPPED", shipped)
    copy_models(tmp_path / "models")
    made = [tmp_path / "models", *(tmp_path / "models").rglob("*")]
    assert all(one.stat().st_mode & stat.S_IWUSR for one in made)
    for one in (shipped, *shipped.rglob("*")):
        one.chmod(0o755)


@pytest.mark.parametrize("name", ["models", "models.partial"])
def test_a_strangers_folder_is_left_alone(tmp_path: Path, name: str) -> None:
    mine = tmp_path / name / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(StoreError, match=r"thesis\.txt"):
        copy_models(tmp_path / "models")
    assert mine.read_text() == "mine"


def test_an_error_while_filling_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    copy_models(tmp_path / "models")
    before = tree(tmp_path / "models")
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "models") as aside:
        (aside / "policy").mkdir()
        raise KeyboardInterrupt
    assert tree(tmp_path / "models") == before
    copy_models(tmp_path / "models")
    assert [one.name for one in tmp_path.iterdir()] == ["models"]
