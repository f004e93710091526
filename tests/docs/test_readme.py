"""The README under test: its commands exist, its examples run, its tables are complete."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

import curate.metrics
from curate.cli import app
from curate.metrics import registry
from curate.readers import all_layouts
from curate.schema import FLAG_MEANINGS, RESPONSE_FIELDS, SAMPLED

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


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


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
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
        assert registry.compute("margin_per_token", frame, {}, frozenset())[0].to_list() == [0.5]
    finally:
        registry.all_metrics.cache_clear()
        sys.modules.pop("curate.metrics.readme_example", None)


def test_help_names_every_command() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "curate", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for command in ("inspect", "generate", "score", "select", "pair", "metrics", "demo"):
        assert command in shown


def test_the_table_of_losses_is_complete() -> None:
    from curate.trl import LOSSES

    assert table_names("| `loss=` | what it is")[: len(LOSSES)] == list(LOSSES)
    rows = README[README.index("| `loss=` | what it is") :].split("\n\n")[0].splitlines()[2:]
    for row, loss in zip(rows, LOSSES.values(), strict=True):
        reads = row.split("|")[3]
        assert set(re.findall(r"`(\w+)`", reads)) == {*loss.columns, *loss.optional}
        assert ("reference" in reads) == any(loss.reference({"form": form}) for form in ("simpo", "dpo"))
