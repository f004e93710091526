"""The README under test: its commands exist, its examples run, its tables are complete."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer.main

import curate.metrics
from curate.cli.app import app
from curate.metrics import registry
from curate.readers import all_layouts
from curate.recipes.file import read_recipe
from curate.schema import FLAG_MEANINGS, RESPONSE_FIELDS, SAMPLED
from curate.selection.presets import PRESETS
from curate.weighing.registry import all_methods

ROOT = Path(__file__).resolve().parents[2]
ARXIV = re.compile(r"\b\d{4}\.\d{5}\b")
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def shell_lines() -> list[list[str]]:
    joined = "\n".join(blocks("sh")).replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in joined.splitlines() if line.strip()]


def table_names(header: str) -> list[str]:
    rows = README[README.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_every_curate_command_parses() -> None:
    commands = typer.main.get_command(app).commands
    lines = [line for line in shell_lines() if line[0] == "curate"]
    assert len(lines) >= 5
    for line in lines:
        command = commands[line[1]]
        assert command.make_context(line[1], line[2:])


def test_the_recipe_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(blocks("yaml")[0])
    rows = [{"prompt": f"p {i}", "chosen": f"c {i}", "rejected": "r " * i} for i in range(1, 21)]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"data": "d.jsonl", "policy": "fake:1", "reference": "fake:2", "select.drop_ties": "false"}
    result = curate.run("own.yaml", set=given)
    assert curate.select("hardest/02-select.parquet", "o.parquet", by="dpo_gap", top="100%").rows == 2
    assert [step.name for step in result.steps] == ["score", "select"]


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = [line[1] for line in shell_lines() if line[0] == "make"]
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_table_of_metrics_is_complete_and_true() -> None:
    assert sorted(table_names("| metric | better")) == sorted(registry.all_metrics())
    for name, one in registry.all_metrics().items():
        better = "higher" if one.prefer == "high" else "lower"
        assert re.search(rf"^\| `{name}` \| {better} \|", README, re.MULTILINE), name


def test_the_tables_of_layouts_and_columns_are_complete() -> None:
    assert table_names("| layout | columns") == [layout.name for layout in all_layouts()]
    columns = table_names("| column | meaning")
    assert {side for field in RESPONSE_FIELDS for side in (field.chosen, field.rejected)} <= set(columns)
    assert all(flag in README for flag in FLAG_MEANINGS)
    assert table_names("| list | meaning") == [column.name for column in SAMPLED]


def test_the_metric_of_the_readme_works_when_dropped_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import polars as pl

    code = next(block for block in blocks("python") if "@metric" in block)
    (tmp_path / "readme_example.py").write_text(code)
    monkeypatch.setattr(curate.metrics, "__path__", [*curate.metrics.__path__, str(tmp_path)])
    registry.all_metrics.cache_clear()
    try:
        frame = pl.DataFrame({"chosen_reward": [4.0], "rejected_reward": [1.0], "chosen_tokens": [5]})
        # (4 - 1) / (5 + 1)
        assert registry.compute("margin_per_token", frame, {})[0].to_list() == [0.5]
    finally:
        registry.all_metrics.cache_clear()
        sys.modules.pop("curate.metrics.readme_example", None)


def test_the_table_of_recipes_lists_the_files() -> None:
    rows = README[README.index("| recipe | steps") :].split("\n\n")[0].splitlines()[2:]
    listed = {row.split("`")[1]: row.rsplit("|", 2)[1].strip() for row in rows}
    files = {path.stem: read_recipe(path).recipe for path in sorted((ROOT / "recipes").iterdir())}
    assert {name: recipe.paper and recipe.paper.arxiv for name, recipe in files.items()} == listed


def test_the_table_of_presets_is_complete_and_true() -> None:
    rows = README[README.index("| preset | settings") :].split("\n\n")[0].splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(PRESETS)
    shown = typer.main.get_command(app).commands["select"].get_params(click.Context(typer.main.get_command(app)))
    text = next(str(option.help) for option in shown if option.name == "preset")
    for row, preset in zip(rows, PRESETS.values(), strict=True):
        said = shlex.split(row.split("`")[3].replace("--", ""))
        given = {name: f"{value:g}" if isinstance(value, float) else value for name, value in preset.settings.items()}
        assert dict(zip(said[::2], said[1::2], strict=True)) == given
        assert preset.source.rsplit(" ", 1)[1] in row
        assert preset.name in text


def test_every_recipe_cites_a_paper_that_the_code_names() -> None:
    declared = [*registry.all_metrics().values(), *all_methods().values()]
    known = {number for one in declared for number in ARXIV.findall(one.function.__doc__ or "")}
    for path in sorted((ROOT / "recipes").iterdir()):
        assert set(ARXIV.findall(path.read_text())) <= known, path.name
        assert ARXIV.search(path.read_text()), path.name


def test_every_recipe_that_measures_log_probabilities_names_the_model_to_train() -> None:
    for path in sorted((ROOT / "recipes").iterdir()):
        recipe = read_recipe(path).recipe
        models = [one.about for name, one in recipe.inputs.items() if name in ("policy", "reference")]
        to_train = [about for about in models if re.search(r"to train|will be trained|trains", about or "")]
        assert len(to_train) == bool(models), path.name


def test_help_names_every_command() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "curate", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for command in ("inspect", "generate", "score", "select", "pair", "weigh", "export", "run", "metrics", "demo"):
        assert command in shown


def test_the_table_of_losses_is_complete() -> None:
    from curate.trl import LOSSES

    assert table_names("| `loss=` | what it is")[: len(LOSSES)] == list(LOSSES)
    rows = README[README.index("| `loss=` | what it is") :].split("\n\n")[0].splitlines()[2:]
    for row, loss in zip(rows, LOSSES.values(), strict=True):
        reads = row.split("|")[3]
        assert set(re.findall(r"`(\w+)`", reads)) == {*loss.columns, *loss.optional}
        assert ("reference" in reads) == any(loss.reference({"form": form}) for form in ("simpo", "dpo"))
