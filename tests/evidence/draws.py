"""One draw of a world on disk: pairs, prompts, the policy whose margins are implicit, and everything scored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import polars as pl

from curate.demo.gold import gold_reward
from curate.demo.model_folder import RECORD, copy_models
from curate.demo.world import make_pairs, make_prompts
from curate.jobs.generate import generate
from curate.jobs.score import score
from curate.progress import Silent
from curate.settings import GenerateSettings, ScoreSettings
from tests.evidence.cells import Amounts, World
from tests.evidence.training import train

MOST_TOKENS = 64
WEAK_SD, POINTS_PER_TOKEN = 3.0, 0.15
"""Of `weak` and `length` rewards, in the reward model's units: logits."""
OTHER, JUDGED, TUNING, POOL = 1, 2, 3, 4
"""Seeds of a draw that must not meet: other pairs, outcome, tuning, responses to pair; 0 is the pairs selected from."""


@dataclass(frozen=True)
class Draw:
    """Files of one draw, each made when it is first asked for and kept in `folder`."""

    world: World
    number: int
    amounts: Amounts
    folder: Path

    def seed(self, use: int) -> int:
        """A seed for one use, shared by all worlds, so that worlds differ in their factor alone."""
        return 1000 * (self.number + 1) + use

    @property
    def models(self) -> Path:
        """The demo's three models; `reference` is what every training starts from."""
        folder = self.folder.parent / "models"
        if not (folder / RECORD).is_file():
            folder.parent.mkdir(parents=True, exist_ok=True)
            copy_models(folder)
        return folder

    @property
    def reference(self) -> Path:
        return self.models / "reference"

    @property
    def policy(self) -> Path:
        """The reference after DPO on other pairs of the same kind: the source of implicit margins."""
        out = self.folder / "policy"
        if not (out / "config.json").is_file():
            other = self._write("other.jsonl", self._pairs(OTHER))
            rate, partial = self.amounts.rates[0], self.folder / "policy.partial"
            train(pl.read_ndjson(other), self.reference, partial, "dpo", rate, self.amounts, self.seed(OTHER))
            partial.replace(out)
        return out

    def scored(self) -> Path:
        """The pairs to select from, with gold, a random number, and every measurement and metric."""
        return self._rewarded("scored", self._write("pairs.jsonl", self._pairs(0)), self.policy)

    def pool(self) -> Path:
        """N responses of the reference to each prompt, with rewards and reference log-probabilities."""
        prompts = make_prompts(self.amounts.prompts, self.seed(POOL))
        drawn = self.sample("pool", prompts, self.reference, self.world.responses, 1.0, self.seed(POOL))
        return self._rewarded("rated", drawn, self.policy)

    def sample(self, name: str, prompts: Any, model: Path, n: int, temperature: float, seed: int) -> Path:
        """Responses of a model to prompts, one row a prompt."""
        out = self.folder / f"{name}.parquet"
        if not out.exists():
            asked = self._write(f"{name}.prompts.jsonl", [{"prompt": one} for one in prompts])
            given: dict[str, Any] = {"data": (str(asked),), "out": out, "policy": (str(model),), "seed": seed}
            given |= {"every_row": True, "keep_duplicates": n == 1, "max_tokens": MOST_TOKENS, "fresh": True}
            generate(GenerateSettings(samples=n, temperature=(temperature,), **given), Silent())
        return out

    def held_out(self) -> Path:
        """Pairs that nothing is trained on, in which chosen is truly better."""
        rows = [row for row in make_pairs(2 * self.amounts.judged, self.seed(JUDGED)) if _gold_margin(row) > 0]
        return self._write("held_out.jsonl", rows[: self.amounts.judged])

    def _pairs(self, use: int) -> list[dict[str, Any]]:
        n, rng = self.amounts.pairs, Random(f"labels {self.seed(use)}")
        rows = self._own_pairs(n, use) if self.world.on_policy else make_pairs(n, self.seed(use))
        found = []
        for row in rows:
            flip = rng.random()
            if self.world.noise is not None and (_gold_margin(row) < 0) != (flip < self.world.noise):
                row = _swapped(row)
            found.append({**row, "gold_margin": _gold_margin(row), "random": rng.random()})
        return found

    def _own_pairs(self, n: int, use: int) -> list[dict[str, Any]]:
        """Two responses of the reference to each prompt, labelled by gold with the world's own noise."""
        prompts = make_prompts(n, self.seed(use))
        drawn = self.sample(f"own{use}", prompts, self.reference, 2, 1.0, self.seed(use))
        rng, rows = Random(f"labellers {self.seed(use)}"), []
        for prompt, texts in pl.read_parquet(drawn, columns=["prompt", "responses"]).iter_rows():
            if len(texts) == 2:
                rated = sorted((gold_reward(prompt, text) + rng.gauss(0.0, 0.18), text) for text in texts)
                sides = [[*prompt, {"role": "assistant", "content": text}] for _, text in rated]
                golds = [gold_reward(prompt, text) for _, text in rated]
                said = {"chosen": sides[1], "rejected": sides[0], "gold_chosen": golds[1], "gold_rejected": golds[0]}
                rows.append({"prompt": prompt[-1]["content"], **said})
        return rows

    def _rewarded(self, name: str, data: Path, policy: Path) -> Path:
        out = self.folder / f"{name}.parquet"
        if not out.exists():
            given: dict[str, Any] = {"reference": str(self.reference), "policy": str(policy), "fresh": True}
            plain, partial = (out.with_name(f"{name}.{end}.parquet") for end in ("good", "partial"))
            reward = (str(self.models / "reward"),)
            score(ScoreSettings(data=(str(data),), out=plain, reward=reward, **given), Silent())
            biased(pl.read_parquet(plain), self.world.reward, self.seed(0)).write_parquet(partial)
            partial.replace(out)
        return out

    def _write(self, name: str, rows: Iterable[Mapping[str, Any]]) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path


def biased(table: pl.DataFrame, reward: str, seed: int) -> pl.DataFrame:
    """The table with rewards made worse, without the metrics that were computed from better ones."""
    if reward == "good":
        return table
    rng = Random(f"reward {seed}")

    def worse(value: float, tokens: int) -> float:
        return value + (rng.gauss(0.0, WEAK_SD) if reward == "weak" else POINTS_PER_TOKEN * tokens)

    if "rewards" in table.columns:
        rows = zip(table["rewards"].to_list(), table["tokens"].to_list(), strict=True)
        lists = [[worse(*one) for one in zip(values, tokens, strict=True)] for values, tokens in rows]
        return table.with_columns(pl.Series("rewards", lists))
    sides = {
        f"{side}_reward": [worse(*one) for one in table.select(f"{side}_reward", f"{side}_tokens").iter_rows()]
        for side in ("chosen", "rejected")
    }
    measured = table.columns[: table.columns.index("edit_distance_norm") + 1]
    return table.select(measured).with_columns(pl.Series(name, values) for name, values in sides.items())


def _gold_margin(row: Mapping[str, Any]) -> float:
    return float(row["gold_chosen"] - row["gold_rejected"])


def _swapped(row: Mapping[str, Any]) -> dict[str, Any]:
    other = {"chosen": "rejected", "rejected": "chosen"}
    stems = [stem for stem in ("", "gold_", "score_") if f"{stem}chosen" in row]
    return {**row, **{f"{stem}{a}": row[f"{stem}{b}"] for stem in stems for a, b in other.items()}}
