"""Words that no command takes: three lines that name what was meant, and exit code 2."""

import pytest

from tests.commands.terminal import Terminal


@pytest.fixture
def curate(monkeypatch, capsys):
    return Terminal(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("words", "what", "where", "hint"),
    [
        ("select s --tpo 10%", "`curate select` has no option --tpo.", "curate select --tpo", "Did you mean --top"),
        ("select s --metric dcrm", "has no option --metric", "curate select --metric", "Did you mean --by?"),
        ("score s --output x", "has no option --output", "curate score --output", "Did you mean --out?"),
        ("scor s", "No such command 'scor'.", "curate", "Did you mean score?"),
        ("select s", "Missing option '--out' / '-o'.", "curate select", "`curate select --help` lists"),
        ("select s -o x --order up", "'up' is not one of 'highest', 'lowest'", "curate select", "--help"),
        ("--foo", "`curate` has no option --foo.", "curate --foo", "`curate --help` lists"),
    ],
)
def test_the_nearest_word_is_named(curate, words, what, where, hint):
    code, out, err = curate(*words.split())
    lines = err.splitlines()
    assert (code, out, len(lines)) == (2, "", 3)
    assert what in lines[0]
    assert lines[1] == f"where: {where}"
    assert hint in lines[2]


def test_model_is_answered_with_the_three_options_that_take_one(curate):
    for command in ("score", "pair"):
        _, _, err = curate(command, "s", "--model", "m")
        assert all(f"--{role} MODEL" in err.splitlines()[2] for role in ("reward", "policy", "reference"))
    # weigh takes no model at all, so nothing is promised
    assert "MODEL" not in curate("weigh", "s", "--model", "m")[2]


def test_nothing_at_all_prints_the_help(curate):
    code, out, err = curate()
    assert (code, err) == (2, "")
    assert "Usage: curate" in out
