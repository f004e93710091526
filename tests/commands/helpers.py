"""Small made-up data, and the jobs without a command line around them."""

import json
import random
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from curate.jobs.generate import GenerateResult, generate
from curate.jobs.pair import PairResult, pair
from curate.jobs.score import ScoreResult, score
from curate.jobs.select import SelectResult, select
from curate.progress import Reporter, Silent, Step
from curate.settings import GenerateSettings, PairSettings, ScoreSettings, SelectSettings, make, parse_options


class Notes(Silent):
    """A reporter that keeps the notes, and the names of the stages."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[str] = []

    def step(self, name: str, total: int | None, done: int = 0, unit: str = "rows") -> AbstractContextManager[Step]:
        self.steps += [name] if unit else []
        return super().step(name, total, done, unit)

    def note(self, text: str) -> None:
        self.said.append(text)

    def about(self, word: str) -> str:
        """The one note in which the word is; empty where there is none."""
        found = [text for text in self.said if word in text]
        assert len(found) < 2, found
        return found[0] if found else ""


WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", ",", "and", "then", "sleeps", "well", "."]
MODELS: dict[str, Any] = {"policy": "fake:1", "reference": "fake:2"}


def sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words))


def pair_rows(count: int = 12, seed: int = 0) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {
            "id": i,
            "prompt": f"{sentence(rng, 4)} {i}",
            "chosen": sentence(rng, rng.randint(2, 9)),
            "rejected": sentence(rng, rng.randint(2, 9)),
            "score_chosen": rng.random() * 4,
            "score_rejected": rng.random() * 4,
            "source": "xyz"[i % 3],
        }
        for i in range(count)
    ]


def candidate_rows(count: int = 10, seed: int = 0) -> list[dict[str, Any]]:
    """Prompts with 2 to 7 responses: equal texts, equal and missing rewards, cut generations among them."""
    rng = random.Random(seed)
    rows = []
    for i in range(count):
        size = rng.randint(2, 7)
        responses = [sentence(rng, rng.randint(1, 6)) for _ in range(size)]
        if size > 3:
            responses[-1] = responses[0]
        rewards = [rng.choice([0.0, 1.0, None, rng.random() * 3, rng.random() * 3]) for _ in range(size)]
        finish = [rng.choice(["stop", "stop", "stop", "length"]) for _ in range(size)]
        rows.append({"id": i, "prompt": f"p {i}", "responses": responses, "rewards": rewards, "finish_reasons": finish})
    return rows


def prompt_rows(count: int = 12) -> list[dict[str, Any]]:
    return [{"id": i, "prompt": f"question {i} " + "more " * (i % 5), "source": "xy"[i % 2]} for i in range(count)]


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def run_score(data: Path, out: Path, to: Reporter | None = None, **more: Any) -> ScoreResult:
    options = parse_options(more.pop("set_", []))
    return score(make(ScoreSettings, {"data": (str(data),), "out": out, "options": options, **more}), to or Silent())


def run_pair(data: Path, out: Path, to: Reporter | None = None, **more: Any) -> PairResult:
    options = parse_options(more.pop("set_", []))
    return pair(make(PairSettings, {"data": (str(data),), "out": out, "options": options, **more}), to or Silent())


def run_select(data: Path, out: Path, to: Reporter | None = None, **more: Any) -> SelectResult:
    options = parse_options(more.pop("set_", []))
    return select(make(SelectSettings, {"data": (str(data),), "out": out, "options": options, **more}), to or Silent())


def run_generate(data: Path, out: Path, to: Reporter | None = None, **more: Any) -> GenerateResult:
    values = {"data": (str(data),), "out": out, "policy": "fake:1", "samples": 4, **more}
    return generate(make(GenerateSettings, values), to or Silent())


def rows_of(path: Path) -> list[dict[str, Any]]:
    return pl.read_parquet(path).to_dicts()


def read_manifest(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(pq.read_schema(path).metadata[b"curate"])
    return found
