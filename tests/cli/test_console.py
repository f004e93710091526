import io
import re

import pytest

from curate.cli.console import print_error, say
from curate.errors import SettingsError
from curate.lines import Grid, Marked, Next, Strong, cell


def test_an_error_is_three_lines_with_its_brackets(capsys):
    print_error(SettingsError("what [red]", "where [/x]", "try [extra]"))
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["error: what [red]", "where: where [/x]", "  try: try [extra]"]


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), (1234567, "1,234,567"), (0.123456, "0.1235"), ("x", "x"), (-1e-12, "-1e-12")]
)
def test_cells(value, shown):
    assert cell(value) == shown


def test_what_a_command_says_keeps_its_brackets(capsys):
    say(["a [b]", Strong("name [c]", " [d]"), Grid(("name", "n"), [("a[e]", 1), ("c", None)])])
    assert capsys.readouterr().out.splitlines()[:2] == ["a [b]", "name [c] [d]"]
    say([Grid(("name", "n"), [("a[e]", 1), ("c", None)])])
    assert "a[e]" in capsys.readouterr().out


class Tty(io.StringIO):
    def isatty(self):
        return True


LINES = [
    Marked("chosen", [(False, "the same "), (True, "but [this]")]),
    Strong("a\x1b]0;title\x07", " rest\x9b"),
    "word " * 20 + "/" + "p" * 90,
    "word " * 20,
    Next("curate select " + "f" * 90),
]


def test_differences_are_in_brackets_where_nothing_has_a_colour(monkeypatch):
    monkeypatch.setattr("sys.stdout", out := io.StringIO())
    say(LINES)
    assert out.getvalue().splitlines() == [
        "the same {+but [this]+}",
        "a␛]0;title␇ rest\ufffd",
        "word " * 20 + "/" + "p" * 90,
        "word " * 20,
        "next: curate select " + "f" * 90,
    ]


def test_a_terminal_has_colours_and_breaks_lines_between_words_but_no_path_or_command(monkeypatch):
    monkeypatch.setattr("sys.stdout", out := Tty())
    for name, value in (("COLUMNS", "40"), ("TERM", "xterm"), ("COLORTERM", "")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    say(LINES)
    shown = out.getvalue()
    assert "the same \x1b[1;32mbut [this]\x1b[0m" in shown
    plain = re.sub("\x1b\\[[0-9;]*m", "", shown).splitlines()
    assert "\x1b" not in "".join(plain)
    assert "/" + "p" * 90 in plain[2]
    assert plain[-1] == "next: curate select " + "f" * 90
    assert all(len(line) <= 40 and not line.strip().replace("word", "").strip() for line in plain[3:-1])
