"""What people read is free of the turns that stumble: the list itself, and the documents and help texts under it."""

import pytest

from tests.docs.prose import banned


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
