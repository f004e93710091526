"""A small table of pairs with one turn, many turns, a system message and text that is not ASCII, and its export."""

import json
from pathlib import Path
from typing import Any

from curate.jobs.export import ExportResult, ExportSettings, export
from curate.progress import Silent
from curate.settings import make

FORMATS = (
    "argilla",
    "axolotl",
    "kto",
    "llamafactory",
    "ms-swift",
    "nemo-rl",
    "open-instruct",
    "openrlhf",
    "torchtune",
    "trl",
    "trl-reward",
    "verl",
)


def says(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


SHORT = [says("user", "Wie heißt «猫»\n auf Deutsch?")]
LONG = [says("system", "Be brief."), says("user", "1+1?"), says("assistant", "2"), says("user", "And +1? 🧮")]
PROMPTS = (SHORT, LONG)
CHOSEN = ("Katze — 🐈", "3\u2028!")
REJECTED = ("Hund", 'perhaps "4"')


def rows(**columns: list[Any]) -> list[dict[str, Any]]:
    """The table, with further columns."""
    base = [
        {
            "prompt": PROMPTS[i],
            "chosen": [says("assistant", CHOSEN[i])],
            "rejected": [says("assistant", REJECTED[i])],
            "chosen_reward": 1.5 + i,
            "rejected_reward": 1.0 - i,
            "source": "made up",
        }
        for i in range(2)
    ]
    return [row | {name: values[i] for name, values in columns.items()} for i, row in enumerate(base)]


def write(path: Path, table: list[Any]) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in table)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def run_export(data: Path, out: Path, to: str, **more: Any) -> ExportResult:
    return export(make(ExportSettings, {"data": (str(data),), "out": out, "to": to, **more}), Silent())
