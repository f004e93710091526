"""How large the package's rooms, files and functions are: `python -m tests.docs.sizes` prints it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import ROOT

PACKAGE = ROOT / "curate"
MOST_FILES, MOST_LINES, MOST_LINES_OF_A_FUNCTION = 16, 300, 40


@dataclass(frozen=True, order=True)
class Size:
    """Lines of a file or function, and its name."""

    lines: int
    name: str


def rooms() -> dict[str, list[Size]]:
    """The files of each room, `__init__.py` included."""
    found: dict[str, list[Size]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        size = Size(len(path.read_text("utf-8").splitlines()), path.relative_to(ROOT).as_posix())
        found.setdefault(path.parent.relative_to(ROOT).as_posix(), []).append(size)
    return found


def functions(folder: Path = PACKAGE) -> Iterator[Size]:
    """Every function and method, by the lines of its body: neither the signature nor the docstring counts."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
                lines = (node.end_lineno or 0) - body[0].lineno + 1
                yield Size(lines, f"{path.relative_to(folder.parent).as_posix()}: {node.name}")


def table() -> str:
    """A line per room, then the longest file and the longest function."""
    lines = [f"{'room':<26}{'files':>6}{'lines':>8}"]
    for name, files in rooms().items():
        lines.append(f"{name:<26}{len(files):6}{sum(file.lines for file in files):8}")
    everything = [file for files in rooms().values() for file in files]
    lines.append(f"{'all':<26}{len(everything):6}{sum(file.lines for file in everything):8}")
    file, function = max(everything), max(functions())
    lines.append(f"longest file: {file.name}, {file.lines} lines (at most {MOST_LINES})")
    lines.append(f"longest function: {function.name}, {function.lines} lines (at most {MOST_LINES_OF_A_FUNCTION})")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
