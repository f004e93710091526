"""The help of every command: fits 80 columns with its examples, which are commands; and what a shell completes."""

import shlex

import pytest
import typer
from typer.testing import CliRunner

from curate.cli.app import FILES, app, docstring, whole
from curate.cli.command import VALUES, completing

RUN = CliRunner()
WIDTH = 78
EXAMPLES = {name: docstring(file)[1] for name, file in FILES.items()}


def test_every_command_has_examples_that_fit_the_terminal() -> None:
    assert all(EXAMPLES.values())
    assert [line for lines in EXAMPLES.values() for line in lines if len(line) > WIDTH] == []


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_examples_are_commands(line: str) -> None:
    words = shlex.split(line.partition(" > ")[0])
    assert words[0] == "curate"
    command = whole(words[1])
    command.make_context(words[1], words[2:])


@pytest.mark.parametrize("command", FILES)
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_help_shows_the_examples_whole(command: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = RUN.invoke(app, [command, "--help"], env={"COLUMNS": str(columns), "TERMINAL_WIDTH": str(columns)}).stdout
    assert max(map(len, lines.splitlines())) <= columns
    said = " ".join(lines.split())
    assert all(" ".join(example.split()) in said for example in EXAMPLES[command])


def test_a_shell_completes_commands_options_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def offered(*words: str) -> list[str]:
        env = {
            "_CURATE_COMPLETE": "complete_bash",
            "COMP_WORDS": shlex.join(["curate", *words]),
            "COMP_CWORD": str(len(words)),
        }
        return RUN.invoke(app, [], env=env, prog_name="curate").stdout.split()

    assert offered("sc") == ["score"]
    assert offered("select", "f", "--to") == ["--top"]
    assert offered("select", "f", "--by", "dc") == ["dcrm"]
    assert offered("export", "f", "--to", "trl") == ["trl", "trl-reward"]
    assert "less-is-more" in offered("run", "")
    assert "gamma-po" in offered("weigh", "f", "--method", "g")


def test_what_completes_names_a_setting_of_its_command() -> None:
    for command, setting in VALUES:
        names = {one.name for one in typer.main.get_command(app).resolve_command(None, [command])[1].params}  # type: ignore[arg-type]
        assert setting in names
        assert completing(command, setting)("")  # type: ignore[misc]
    assert completing("select", "where") is None


def test_an_option_of_an_earlier_release_is_taken_but_not_listed() -> None:
    assert "--rejects" not in RUN.invoke(app, ["select", "--help"], env={"COLUMNS": "200"}).stdout
    for words in (["--rejects", "r"], ["--rejects=r"]):
        _, command, rest = typer.main.get_command(app).resolve_command(None, ["select", "d", "-o", "o", *words])  # type: ignore[arg-type]
        assert command.make_context("select", rest).params["left_out"].name == "r"
