import io
import re

import pytest
from rich.console import Console

from curate.cli import reporters
from curate.cli.reporters import LiveReporter, PlainReporter, duration, reporter
from curate.progress import Numbered, Silent


def test_plain_lines_tell_rows_tokens_and_speed():
    said = []
    with PlainReporter(said.append).step("policy m", 10) as step:
        step.advance(4, 100)
        step.advance(6, 50)
    assert len(said) == 1
    assert re.fullmatch(r"policy m: 100% of 10 rows, [\d,]+ tokens/s", said[0])


def test_tokens_are_left_out_where_none_are_counted():
    said = []
    with PlainReporter(said.append).step("reading", None) as step:
        step.advance(1234)
    assert re.fullmatch(r"reading: 1,234 rows, [\d,]+ rows/s", said[0])


def test_a_line_every_ten_seconds_with_the_time_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(reporters.time, "monotonic", lambda: now[0])
    said = []
    with PlainReporter(said.append).step("s", 100) as step:
        for second in range(1, 26):
            now[0] = float(second)
            step.advance(2, 10)
    assert said == [
        "s: 20% of 100 rows, 10 tokens/s, 40 s left",
        "s: 40% of 100 rows, 10 tokens/s, 30 s left",
        "s: 50% of 100 rows, 10 tokens/s, 25 s left",
    ]


def test_resumed_work_counts_but_not_in_the_speed(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(reporters.time, "monotonic", lambda: now[0])
    said = []
    with PlainReporter(said.append).step("s", 100, done=90) as step:
        now[0] = 5.0
        step.advance(10)
    assert said == ["s: 90 of 100 rows were measured before", "s: 100% of 100 rows, 2 rows/s"]


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
    assert "100% of 10 rows" in out.getvalue()
    assert "tokens/s" in out.getvalue()
    assert "[b]" in out.getvalue()


def test_live_bars_show_brackets_of_model_names_as_they_are():
    out = io.StringIO()
    with LiveReporter(Console(file=out, force_terminal=True, width=120, highlight=False)).step(
        "policy [m]", 10
    ) as step:
        step.advance(10)
    assert "policy [m]" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())


def test_a_line_fits_80_columns_where_names_and_numbers_are_long(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(reporters.time, "monotonic", lambda: now[0])
    said = []
    numbered = Numbered(PlainReporter(said.append), 2, 3)
    with numbered.step("policy 'Llama-3-8B'", 1_200_000, unit="responses") as step:
        now[0] = 11.0
        step.advance(600, 300_000)
    # 600 in 11 s: 1,199,400 more take 21,989 s, which is 366 min
    assert said[0] == "policy 'Llama-3-8B' (2 of 3): 0% of 1,200,000 responses, 27,273 tokens/s, 6 h 6 min left"
    out = io.StringIO()
    with LiveReporter(Console(file=out, force_terminal=True, width=80)).step(
        "policy 'princeton-nlp-Llama-3' (2 of 3)", 60_000, 0, "responses"
    ) as step:
        now[0] = 22.0
        step.advance(600, 300_000)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert "policy 'princeton-nlp-L... 1% of 60,000 responses, 27,273 tokens/s, 18 min left" in plain


def test_one_of_one_is_not_numbered():
    said = []
    with Numbered(PlainReporter(said.append), 1, 1).step("policy", 1, unit="pairs") as step:
        step.advance(1)
    assert said[0].startswith("policy: 100% of 1 pairs, ")


@pytest.mark.parametrize(("seconds", "said"), [(0.2, []), (42, ["loading m: 42 s"])])
def test_loading_is_not_part_of_the_speed_and_is_told_if_it_takes_long(monkeypatch, seconds, said):
    now = [0.0]
    monkeypatch.setattr(reporters.time, "monotonic", lambda: now[0])
    told = []
    with PlainReporter(told.append).step("loading m", None, unit=""):
        now[0] = seconds
    assert told == said


def test_a_terminal_says_what_loads_and_then_clears_it():
    out = io.StringIO()
    with LiveReporter(Console(file=out, force_terminal=True, width=80)).step("loading m", None, unit=""):
        pass
    assert "loading m" in out.getvalue()
    assert "rows" not in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (99, "99 s"), (100, "2 min"), (5_940, "99 min"), (6_000, "1 h 40 min")]
)
def test_durations(seconds, said):
    assert duration(seconds) == said
