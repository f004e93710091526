"""The front page: its commands and its Python run, its decision table is true, its figures follow from what it says."""

import re
import shutil
from pathlib import Path

import pytest
import typer.main

import curate
from curate.cli.app import app
from curate.metrics import registry
from tests.docs.pages import FRONT, blocks, curate_lines, section, table, text

PAGE = text(FRONT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, world: Path) -> Path:
    folder = tmp_path_factory.mktemp("front") / "world"
    shutil.copytree(world, folder)
    return folder


def test_the_four_commands_say_what_the_page_shows_and_its_python_runs_on_their_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Digits behind a point are left to the machine's rounding."""
    monkeypatch.chdir(folder)
    commands = curate_lines(section(FRONT, "Your data in four commands"))
    assert [name for name, *_ in commands] == ["inspect", "score", "select", "export"]
    said = {}
    for command in commands:
        app(command, standalone_mode=False)
        shown = capsys.readouterr()
        said[command[0]] = re.sub(r"\d+\.\d+", "N", " ".join((shown.out + shown.err).split()))
    for line in blocks(section(FRONT, "Your data in four commands"), "text")[0].splitlines():
        assert re.sub(r"\d+\.\d+", "N", line).strip() in said["select"]

    code = [block for block in blocks(PAGE, "python") if "curate.trl" not in block]
    assert len(code) == 2
    exec(code[0], {})
    assert capsys.readouterr().out.count("\n+") == 3
    (folder / "scored.parquet").unlink()
    exec(code[1], {})
    assert "100 of 1000 down to" in capsys.readouterr().out


def test_the_decision_table_names_metrics_and_their_better_end() -> None:
    rows = table(PAGE, "| you have | use |")
    assert len(rows) >= 8
    for _, use, better, _ in rows:
        metric = registry.all_metrics()[re.findall(r"`(\w+)`", use)[0]]
        assert better == ("higher" if metric.prefer == "high" else "lower"), metric.name


def test_the_page_counts_the_metrics() -> None:
    assert f"any of {len(registry.all_metrics())} metrics" in " ".join(PAGE.split())


def test_hours_follow_from_the_arithmetic_of_the_page() -> None:
    flop = 2 * 8e9 * 60_000 * (900 + 900 + 1_100)
    rows = table(PAGE, "| GPU, 40% utilisation")
    assert len(rows) == 2
    for gpu, one, eight in rows:
        rate = 0.4 * 1e12 * float(re.findall(r"([\d.]+) TFLOP/s", gpu)[0])
        hours = flop / rate / 3600
        assert one == f"{hours:.1f} h"
        assert eight == f"{hours / 8:.2f} h"


def test_every_command_but_four_is_a_function() -> None:
    commands = set(typer.main.get_command(app).commands)
    assert {name for name in commands if not hasattr(curate, name)} <= {"metrics", "demo", "recipes", "cache"}
    assert set(curate.__all__) >= commands - {"metrics", "demo", "recipes", "cache"}
