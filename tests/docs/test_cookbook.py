"""The cookbook: every command runs, every table is complete and true, every recipe says whom to train."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

import curate
from curate.cli.app import FILES, app
from curate.exporters.registry import all_exporters
from curate.metrics import registry
from curate.readers import all_layouts
from curate.recipes.file import read_recipe
from curate.schema import FLAG_MEANINGS, RESPONSE_FIELDS, SAMPLED
from curate.selection.presets import PRESETS
from curate.settings import SelectSettings
from curate.weighing.registry import all_methods
from tests.docs.pages import COOKBOOK, ELSEWHERE, ROOT, blocks, curate_lines, names, table, text

ARXIV = re.compile(r"\b\d{4}\.\d{5}\b")
PAGE = text(COOKBOOK)
COMMANDS = set(FILES)
PAIRS = 40
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


def test_every_command_runs_in_the_order_of_the_page(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(world, tmp_path / "cookbook", symlinks=True)
    monkeypatch.chdir(tmp_path / "cookbook")
    Path("my_metrics.py").write_text(next(block for block in blocks(PAGE, "python") if "@metric" in block), "utf-8")
    pairs = Path("my_pairs.jsonl")
    pairs.write_text("".join(pairs.read_text("utf-8").splitlines(keepends=True)[:PAIRS]), "utf-8")
    rows = [json.loads(line) for line in pairs.read_text("utf-8").splitlines()]
    _write("odd_names.jsonl", [{"ask": r["prompt"], "liked": r["chosen"], "disliked": r["rejected"]} for r in rows])
    sides = [{"prompt": r["prompt"], "response_a": r["chosen"], "response_b": r["rejected"]} for r in rows]
    _write("battles.jsonl", [row | {"winner": ("a", "b", "tie")[i % 3]} for i, row in enumerate(sides)])
    commands = curate_lines(PAGE)
    here = [command for command in commands if not ELSEWHERE.search(" ".join(command))]
    assert len(here) > 20
    assert len(commands) - len(here) == 4
    assert {command[0] for command in here} == COMMANDS - {"metrics", "demo"}
    for command in here:
        app([*command, *([] if command[0] in ("inspect", "recipes", "cache") else ["--quiet"])], standalone_mode=False)


def _write(name: str, rows: list[dict[str, object]]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def test_the_recipe_of_the_page_runs(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(blocks(PAGE, "yaml")[0])
    given = {"data": str(world / "my_pairs.jsonl"), "policy": "fake:1", "reference": "fake:2"}
    result = curate.run("own.yaml", set=given)
    assert [step.name for step in result.steps] == ["score", "select"]
    scored = curate.select("hardest/01-score.parquet", "untied.parquet", by="dpo_gap", top="100%", drop_ties=True)
    assert curate.select("hardest/02-select.parquet", "o.parquet", by="dpo_gap", top="100%").rows == scored.kept // 10


def test_the_table_of_metrics_is_complete_and_true() -> None:
    rows = {row[0].strip("`"): row[1] for row in table(PAGE, "| metric | better")}
    assert rows == {name: "higher" if one.prefer == "high" else "lower" for name, one in registry.all_metrics().items()}


def test_the_tables_of_layouts_and_columns_are_complete() -> None:
    assert names(PAGE, "| layout | columns") == [layout.name for layout in all_layouts()]
    columns = names(PAGE, "| column | meaning")
    assert {side for field in RESPONSE_FIELDS for side in (field.chosen, field.rejected)} <= set(columns)
    assert all(flag in PAGE for flag in FLAG_MEANINGS)
    assert names(PAGE, "| list | meaning") == [column.name for column in SAMPLED]


def test_the_tables_of_methods_and_exporters_are_complete() -> None:
    methods = {row[0].strip("`").replace("-", "_") for row in table(PAGE, "| method | columns")}
    assert methods == set(all_methods())
    assert {row[0].strip("`") for row in table(PAGE, "| `--to` | row")} == set(all_exporters())


def test_the_table_of_recipes_lists_the_files() -> None:
    listed = {row[0].strip("`"): row[2] for row in table(PAGE, "| recipe | steps")}
    files = {path.stem: read_recipe(path).recipe for path in RECIPES}
    assert {name: recipe.paper and recipe.paper.arxiv for name, recipe in files.items()} == listed


def test_the_table_of_presets_is_complete_and_true() -> None:
    rows = table(PAGE, "| preset | settings")
    assert [row[0].strip("`") for row in rows] == list(PRESETS)
    help_text = str(SelectSettings.model_fields["preset"].description)
    for row, preset in zip(rows, PRESETS.values(), strict=True):
        said = shlex.split(row[1].split("`")[1].replace("--", ""))
        given = {name: f"{value:g}" if isinstance(value, float) else value for name, value in preset.settings.items()}
        assert dict(zip(said[::2], said[1::2], strict=True)) == given
        assert preset.source.rsplit(" ", 1)[1] in row[2]
        assert preset.name in help_text


def test_the_table_of_losses_is_complete() -> None:
    from curate.trl import LOSSES

    rows = table(PAGE, "| `loss=` | what it is")
    assert [row[0].strip("`") for row in rows] == list(LOSSES)
    for row, loss in zip(rows, LOSSES.values(), strict=True):
        assert set(re.findall(r"`(\w+)`", row[2])) == {*loss.columns, *loss.optional}
        assert ("reference" in row[2]) == any(loss.reference({"form": form}) for form in ("simpo", "dpo"))


def test_every_recipe_cites_a_paper_that_the_code_names() -> None:
    declared = [*registry.all_metrics().values(), *all_methods().values()]
    known = {number for one in declared for number in ARXIV.findall(one.function.__doc__ or "")}
    for path in RECIPES:
        assert set(ARXIV.findall(path.read_text())) <= known, path.name
        assert ARXIV.search(path.read_text()), path.name


def test_every_recipe_that_measures_log_probabilities_names_the_model_to_train() -> None:
    for path in RECIPES:
        recipe = read_recipe(path).recipe
        models = [one.about for name, one in recipe.inputs.items() if name in ("policy", "reference")]
        to_train = [about for about in models if re.search(r"to train|will be trained|trains", about or "")]
        assert len(to_train) == bool(models), path.name


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    app(["--help"], standalone_mode=False)
    shown = capsys.readouterr().out
    for command in (
        "inspect",
        "generate",
        "score",
        "select",
        "pair",
        "weigh",
        "export",
        "run",
        "recipes",
        "metrics",
        "demo",
    ):
        assert command in shown
