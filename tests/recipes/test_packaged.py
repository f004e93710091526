"""Recipes that come with the package: found by name in a checkout, and in a wheel without one."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from curate.errors import SettingsError
from curate.recipes.file import read_recipe
from curate.recipes.shipped import shipped
from tests.commands.terminal import Terminal

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))


@pytest.fixture
def curate(monkeypatch, capsys):
    return Terminal(monkeypatch, capsys)


def test_a_recipe_is_found_by_its_name_but_a_file_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("less-is-more").mkdir()  # where its outputs go
    assert read_recipe(Path("less-is-more")).path == ROOT / "recipes" / "less-is-more.yaml"
    Path("less-is-more.yaml").write_text((ROOT / "recipes" / "repo.yaml").read_text())
    assert read_recipe(Path("less-is-more.yaml")).recipe.name == "repo"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("less-is-mor", "Did you mean less-is-more? Or give a .yaml file of your own."),
        ("repo.yaml", "The package has a recipe of this name: `curate run repo`."),
    ],
)
def test_what_was_meant_is_named(name, hint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as caught:
        read_recipe(Path(name))
    assert caught.value.hint == hint


def test_all_are_listed_and_each_can_be_printed(curate):
    code, out, _ = curate("recipes")
    assert code == 0
    assert all(name in out for name in NAMES)
    assert curate("recipes", "repo")[1] == (ROOT / "recipes" / "repo.yaml").read_text()
    assert curate("recipes", "rpo")[0] == 2


def test_a_wheel_has_every_recipe(tmp_path):
    tree, wheel = tmp_path / "tree", tmp_path / "installed"
    shutil.copytree(ROOT / "curate", tree / "curate", ignore=shutil.ignore_patterns("__pycache__", "models"))
    shutil.copytree(ROOT / "recipes", tree / "recipes")
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    made = subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True, text=True)
    with zipfile.ZipFile(tree / made.stdout.splitlines()[-1]) as file:
        file.extractall(wheel)
    assert not (wheel / "recipes").exists()
    listed = subprocess.run(
        [sys.executable, "-c", "from curate.recipes.shipped import shipped; print(*shipped().values(), sep='\\n')"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(wheel)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert listed == [str(wheel / "curate" / "recipes" / "shipped" / f"{name}.yaml") for name in NAMES]
    assert [path.read_text() for path in map(Path, listed)] == [path.read_text() for path in shipped().values()]
