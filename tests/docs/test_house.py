"""The house's page: its tree has every file and room and no other, the files it names exist, its metric works."""

import re
import sys
import tomllib
from pathlib import Path

import polars as pl
import pytest

import curate.metrics
from curate.metrics import registry
from curate.metrics.catalogue import installed
from tests.docs.pages import HOUSE, ROOT, blocks, text
from tests.docs.tree import BLOCK, entries, names

PAGE = text(HOUSE)
RENEW = "run `python -m tests.docs.tree`"


def test_the_tree_has_every_file_and_room_and_no_other() -> None:
    real = names("\n".join(f"{'  ' * depth}{name}" for depth, name, _ in entries(ROOT / "curate")))
    assert names(BLOCK.findall(PAGE)[0]) == real, RENEW


def test_every_room_and_file_says_what_it_is() -> None:
    assert [name for _, name, said in entries(ROOT / "curate") if not said] == []


def test_the_order_of_the_rooms_is_the_one_that_is_enforced() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    said = PAGE[PAGE.index("Imports go down only:") : PAGE.index("`make check` enforces")]
    assert [re.findall(r"`(\w+)`", layer) for layer in said.split(" >")] == [
        layer.split(" | ") for layer in layers if layer != "__main__"
    ]


def test_every_file_that_the_page_names_exists() -> None:
    prose = BLOCK.sub("", PAGE)
    named = set(re.findall(r"`((?:[\w/]+/)?\w+\.(?:py|toml|txt)|(?:\w+/)+)`", prose))
    assert len(named) > 20
    for name in named:
        assert (ROOT / name).exists() or (ROOT / "curate" / name).exists(), name


def test_the_metric_of_the_page_works_when_dropped_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "example_of_the_page.py").write_text(blocks(PAGE, "python")[0])
    monkeypatch.setattr(curate.metrics, "__path__", [*curate.metrics.__path__, str(tmp_path)])
    installed.cache_clear()
    try:
        frame = pl.DataFrame({"chosen_reward": [4.0], "rejected_reward": [1.0], "chosen_tokens": [5]})
        # (4 - 1) / (5 + 1)
        assert registry.compute("margin_per_token", frame, {})[0].to_list() == [0.5]
    finally:
        installed.cache_clear()
        sys.modules.pop("curate.metrics.example_of_the_page", None)
