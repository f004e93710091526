"""Small recipes, and the data that they read."""

import json
from pathlib import Path
from typing import Any

from curate.demo.world import make_pairs
from curate.progress import Reporter, Silent
from curate.recipes.check import prepare
from curate.recipes.file import RecipeFile, read_recipe
from curate.recipes.resolve import Step, read_overrides, resolve
from curate.recipes.run import RunResult, run

RECIPE = """\
name: small
about: Score, keep the best, export.
inputs:
  data:
    default: d.jsonl
  policy:
    about: any model
  reference: fake:2
  share: 20%
steps:
  - run: score
    with:
      data: ${inputs.data}
      reward: fake:3
      policy: ${inputs.policy}
      reference: ${inputs.reference}
  - run: select
    with:
      data: ${steps.score}
      by: bees
      top: ${inputs.share}
  - run: export
    with:
      data: ${steps.select}
      to: trl
"""
GIVEN = {"policy": "fake:1"}
SILENT = Silent()


def write_pairs(path: Path, count: int = 20) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in make_pairs(count, 1)))
    return path


def write_recipe(folder: Path, *changes: tuple[str, str]) -> RecipeFile:
    """The small recipe, with some of its text replaced."""
    text = RECIPE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "small.yaml"
    path.write_text(text)
    return read_recipe(path)


def steps_of(file: RecipeFile, out: Path = Path("out"), **given: Any) -> tuple[Step, ...]:
    return resolve(file, read_overrides(GIVEN | given, file), out)


def go(file: RecipeFile, out: Path, fresh: bool = False, reporter: Reporter = SILENT, **given: Any) -> RunResult:
    defaults = {name: value for name, value in GIVEN.items() if name in file.recipe.inputs}
    return run(prepare(file, defaults | given, out), reporter, fresh=fresh)


def ran(result: RunResult) -> list[str]:
    """The steps that were not done before."""
    return [step.name for step in result.steps if step.result is not None]


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
