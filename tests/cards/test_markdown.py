"""Texts of others in a card: nothing in them may end its block, its cell, or its table."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.cards.markdown import block, code, escaped, table

HOSTILE = [
    "```\n# out of the block\n```",
    "a ```` b",
    "<script>alert(1)</script>",
    "</details>![x](http://evil/pixel.png)",
    "| a | b |\n|---|---|",
    "\u202egnp.exe",
    "line\r\nand\rmore",
    "\x1b[31mred",
    "half \ud83d of a pair",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_block_has_one_opening_and_one_closing_fence(text: str) -> None:
    lines = block(text, most=1000).split("\n")
    fence = re.fullmatch(r"(`{3,})text", lines[0])
    assert fence is not None
    assert lines[-1] == fence[1]
    assert not any(re.match(rf" *{fence[1]}", line) for line in lines[1:-1])


@given(st.text())
def test_no_text_leaves_its_block(text: str) -> None:
    lines = block(text).split("\n")
    fence = lines[0].removesuffix("text")
    assert lines[-1] == fence
    assert all(fence not in line for line in lines[1:-1])


def test_hidden_characters_are_spelled_out() -> None:
    assert "\\u202egnp.exe" in block("\u202egnp.exe")
    assert "\\u001b[31mred" in block("\x1b[31mred")
    assert "half \\ud83d of" in block("half \ud83d of")
    block("half \ud83d of").encode()


def test_a_long_text_is_cut_and_says_by_how_much() -> None:
    assert "aaa … (90 more characters)" in block("a" * 100, most=10).replace("aaaaaaaaaa", "aaa")
    assert "more characters" not in block("a" * 10, most=10)


def test_long_lines_are_wrapped_between_words() -> None:
    lines = block("word " * 60, most=1000).split("\n")[1:-1]
    assert max(map(len, lines)) <= 100
    assert " ".join(lines).split() == ["word"] * 60


def test_a_code_span_shows_its_own_ticks() -> None:
    assert code("dcrm") == "`dcrm`"
    assert code("a`b") == "`` a`b ``"
    assert code("a|b\nc") == "`a\\|b c`"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("where: a < 2 | b", "where: a \\< 2 \\| b"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("[x](http://evil)", "\\[x\\](http://evil)"),
        ("chosen_reward", "chosen_reward"),
        ("_emphasis_", "\\_emphasis\\_"),
        ("two\nlines", "two lines"),
    ],
)
def test_text_in_a_sentence_stays_text(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_a_table_has_a_line_per_row() -> None:
    assert table(("a", "b"), [("1", "2")]).split("\n") == ["| a | b |", "| --- | --- |", "| 1 | 2 |"]
