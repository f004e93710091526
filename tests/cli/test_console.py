import io
import re

import pytest
from rich.console import Console

from curate.cli import console
from curate.cli.console import LiveReporter, PlainReporter, print_error, reporter, say
from curate.errors import SettingsError
from curate.jobs.lines import Grid, Marked, Next, Strong, cell
from curate.progress import Silent


def test_plain_lines_tell_rows_tokens_and_speed():
    said = []
    with PlainReporter(said.append).step("policy m", 10) as step:
        step.advance(4, 100)
        step.advance(6, 50)
    assert len(said) == 1
    assert re.fullmatch(r"policy m: 10 of 10 rows, [\d,]+ rows/s, [\d,]+ tokens/s", said[0])


def test_tokens_are_left_out_where_none_are_counted():
    said = []
    with PlainReporter(said.append).step("reading", None) as step:
        step.advance(1234)
    assert re.fullmatch(r"reading: 1,234 rows, [\d,]+ rows/s", said[0])


def test_a_line_every_ten_seconds_with_the_time_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    said = []
    with PlainReporter(said.append).step("s", 100) as step:
        for second in range(1, 26):
            now[0] = float(second)
            step.advance(2, 10)
    assert said == [
        "s: 20 of 100 rows, 2 rows/s, 10 tokens/s, 40 s left",
        "s: 40 of 100 rows, 2 rows/s, 10 tokens/s, 30 s left",
        "s: 50 of 100 rows, 2 rows/s, 10 tokens/s, 25 s left",
    ]


def test_resumed_work_counts_but_not_in_the_speed(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    said = []
    with PlainReporter(said.append).step("s", 100, done=90) as step:
        now[0] = 5.0
        step.advance(10)
    assert said == ["s: 90 of 100 rows were measured before", "s: 100 of 100 rows, 2 rows/s"]


def test_notes_are_marked():
    said = []
    PlainReporter(said.append).note("a [b] c")
    assert said == ["note: a [b] c"]


def test_quiet_is_silent_and_a_pipe_is_plain(monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(reporter(True), Silent)
    assert isinstance(reporter(False), PlainReporter)


def test_live_bars_show_the_stage_and_the_speed():
    out = io.StringIO()
    live = LiveReporter(Console(file=out, force_terminal=True, width=120, highlight=False))
    with live.step("policy [m]", 10, done=2) as step:
        step.advance(8, 100)
    live.note("a [b] c")
    assert "10/10" in out.getvalue()
    assert "tokens/s" in out.getvalue()
    assert "[b]" in out.getvalue()


def test_live_bars_show_brackets_of_model_names_as_they_are():
    out = io.StringIO()
    with LiveReporter(Console(file=out, force_terminal=True, width=120, highlight=False)).step(
        "policy [m]", 10
    ) as step:
        step.advance(10)
    assert "policy [m]" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())


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
