"""What people read is free of the turns that stumble: the list itself, and the documents and help texts under it."""

import pytest
import typer.main

from curate.cli.app import app
from tests.docs.prose import banned

COMMANDS = typer.main.get_command(app).commands


@pytest.mark.parametrize(
    "text",
    [
        "Options beside it go before the preset's.",
        "A stopped run goes on where it was.",
        "the very tokens",
        "The prompt stands in a column.",
        "what lies here",
        "It is no\n    JSON.",
        "Errors that you can mend",
        "a list of which each",
        "0.01 nats a token",
        "done anew, and told of it",
    ],
)
def test_a_turn_that_stumbles_is_found(text: str) -> None:
    assert banned(text)


@pytest.mark.parametrize(
    "text",
    [
        "Rerun the same command to resume an interrupted run.",
        "There is no network, and the file is no longer read.",
        "The rows that stood in for a trainer's batch.",
        "amended, besides, underlies, a row at a time",
    ],
)
def test_plain_english_passes(text: str) -> None:
    assert banned(text) == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_reads_as_one_would_say_it(name: str) -> None:
    command = COMMANDS[name]
    said = [command.help or "", *(str(getattr(option, "help", "") or "") for option in command.params)]
    assert [turn for text in said for turn in banned(text)] == []
