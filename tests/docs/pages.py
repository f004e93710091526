"""The project's documents as the tests read them: their blocks, commands and tables."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FRONT, COOKBOOK, HOUSE, TESTS, BENCH, CHANGES = PAGES = [
    ROOT / name
    for name in (
        "README.md",
        "recipes/README.md",
        "curate/README.md",
        "tests/README.md",
        "tests/bench/README.md",
        "curate/CHANGELOG.md",
    )
]
ELSEWHERE = re.compile(r"http://|--backend vllm|--gpus|--workers")
"""What a machine of the tests lacks: a server, vLLM, a GPU; and processes that import torch, which others test."""


def text(page: Path) -> str:
    return page.read_text("utf-8")


def section(page: Path, heading: str) -> str:
    """From a heading to the next one of the same depth."""
    behind = text(page).split(f"\n## {heading}\n")[1]
    return re.split(r"^## ", behind, flags=re.MULTILINE)[0]


def blocks(source: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", source, re.DOTALL | re.MULTILINE)


def shell_lines(source: str) -> list[list[str]]:
    joined = "\n".join(blocks(source, "sh")).replace("\\\n", " ")
    return [shlex.split(line, comments=" #" in line) for line in joined.splitlines() if line.strip()]


def curate_lines(source: str) -> list[list[str]]:
    """The arguments of every `curate` command in a text."""
    return [line[1:] for line in shell_lines(source) if line[0] == "curate"]


def table(source: str, header: str) -> list[list[str]]:
    """The cells of every row of the table whose header begins with `header`."""
    rows = source[source.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def names(source: str, header: str, column: int = 0) -> list[str]:
    """The words in backticks of one column."""
    return [name for row in table(source, header) for name in re.findall(r"`(\w+)`", row[column])]
