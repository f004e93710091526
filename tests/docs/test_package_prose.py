"""What the package's files say, docstrings, messages and comments, is free of the turns that stumble."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.docs.prose import banned

FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "curate").rglob("*.py"))
KEPT = {
    "curate/backends/fake.py": r"is no model",  # in the manifests of earlier runs
    "curate/metrics/rip.py": r"is no worse and no shorter",  # a comparison, not a denial
}
"""Turns that stay, with the reason: a pattern of what is around them, by file."""


def said(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of every string and comment of a Python file."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def found(text: str, kept: str = "") -> list[str]:
    """The banned turns of a Python file's strings and comments, each with its line."""
    turns = [f"{line}: {turn}" for line, one in said(text) for turn in banned(one)]
    return [turn for turn in turns if not (kept and re.search(kept, turn))]


@pytest.mark.parametrize("name", FILES)
def test_strings_and_comments_are_plain_english(name: str) -> None:
    assert found(Path(ROOT, name).read_text("utf-8"), KEPT.get(name, "")) == []


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_is_still_there(name: str) -> None:
    assert found(Path(ROOT, name).read_text("utf-8")), "nothing is left to keep: take the line out of KEPT"


@pytest.mark.parametrize(
    "text",
    [
        'def f():\n    """A file\n    that lies\n    there. What exceeds it is cut."""\n',
        "x = 1  # done anew\n",
        'raise ValueError(f"{x} is no JSON")\n',
        'print("A run " "goes on")\n',
    ],
)
def test_a_turn_in_a_docstring_a_comment_or_a_message_is_found(text: str) -> None:
    assert found(text)


def test_names_in_code_are_not_prose() -> None:
    assert found("beside = mend(anew)\n") == []
