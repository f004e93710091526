from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate.demo.world import make_pairs, make_prompts
from tests.docs.pages import ROOT

PROMPTS = 24


@pytest.fixture(scope="session")
def world(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of what the documents' commands name: the user's pairs and prompts, models, and the recipes."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "models").symlink_to(demo_models)
    _write(folder / "my_pairs.jsonl", make_pairs(1000, 0))
    _write(folder / "prompts.jsonl", [{"prompt": prompt} for prompt in make_prompts(PROMPTS, 1)])
    for recipe in (ROOT / "recipes").glob("*.yaml"):
        (folder / recipe.name).write_bytes(recipe.read_bytes())
    return folder


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
