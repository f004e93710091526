"""The printed tree of curate/README.md, made from the package's docstrings: `python -m tests.docs.tree` renews it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import HOUSE, ROOT

WIDTH = 120
BLOCK = re.compile(r"(?<=^```text\n)curate/ .*?(?=^```)", re.DOTALL | re.MULTILINE)


def phrase(path: Path) -> str:
    """The first sentence of a file's docstring."""
    said = " ".join((ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n\n")[0].split())
    return re.split(r"(?<=[\w`)])\. |\.$", said)[0]


def entries(folder: Path, depth: int = 0) -> Iterator[tuple[int, str, str]]:
    """Depth, name and phrase of every room and file: the files of a folder, then its rooms."""
    yield depth, f"{folder.name}/", phrase(folder / "__init__.py")
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            yield depth + 1, path.name, phrase(path)
    for room in sorted(path.parent for path in folder.glob("*/__init__.py")):
        yield from entries(room, depth + 1)


def printed() -> str:
    """The tree as text, phrases cut at the end of the line."""
    lines = []
    for depth, name, said in entries(ROOT / "curate"):
        head = f"{'  ' * depth}{name}".ljust(30)
        cut = said if len(head) + len(said) + 1 <= WIDTH else said[: WIDTH - len(head) - 4].rsplit(" ", 1)[0] + " ..."
        lines.append(f"{head} {cut}".rstrip())
    return "\n".join(lines) + "\n"


def names(tree: str) -> list[str]:
    """Every file and room of a printed tree, with the rooms it is in."""
    found: list[str] = []
    rooms: list[str] = []
    for line in tree.splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        del rooms[depth:]
        found.append("".join([*rooms, name]))
        rooms.append(name)
    return found


if __name__ == "__main__":
    page = HOUSE.read_text("utf-8")
    HOUSE.write_text(BLOCK.sub(lambda _: printed(), page), "utf-8")
