"""From pools to picked pairs: build the candidate pairs, get their numbers, pick the best of each prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.hashing import text_hash
from curate.metrics.lacking import lacking_note
from curate.metrics.registry import compute, depends_on_population, find, taken_if_present
from curate.pairs.bounds import Candidates, Ranking, best_pairs
from curate.pairs.candidates import Candidates as Responses
from curate.pairs.candidates import ordered_pairs
from curate.pairs.distances import Comparison, Distances
from curate.pairs.droppable import Droppable
from curate.pairs.strategies import BEST_OF_N2, CROSS_MODEL, apply
from curate.pairs.table import pair_frame, response_fields
from curate.progress import Reporter
from curate.responses.measure import Numbers
from curate.responses.pools import Pool, Pools
from curate.schema import REWARD, named_reward
from curate.settings import PairSettings
from curate.storage.shards import Shards

DEFAULT_METRIC = "dcrm"
PLACES = ("prompt", "chosen_slot", "rejected_slot", "chosen_index", "rejected_index")
VALUE, PART = "value", "part"
NEW, OLD = 0, 1
ORDERS = {"high": "highest", "low": "lowest"}
COUNTS = MEASURED, BROKEN_OFF, DIFFERENT = "measured", "broken_off", "pairs"


@dataclass(frozen=True)
class Picked:
    """The result of pairing.

    Attributes:
        new: the picked pairs.
        old: the pairs they are compared with.
        edit_distances: counts for the candidate pairs: distinct `pairs` of texts, how many of them were `measured`, and
            how many comparisons were `broken_off` because they could no longer win.
        dropped: responses that are in no pair because of a flag, by flag.
    """

    new: pl.DataFrame
    old: pl.DataFrame
    edit_distances: dict[str, int]
    dropped: dict[str, int]


@dataclass(frozen=True)
class Known:
    """What pairing knows of a chunk's responses besides their numbers: texts and models by slot, and their tokens."""

    texts: dict[int, str]
    models: dict[int, str | None]
    comparison: Comparison


@dataclass(frozen=True)
class Pairing:
    """How pairs are built and picked.

    Attributes:
        numbers: the values of all slots, by field.
        texts: per slot a number shared by equal responses to the same prompt.
        choosable: per slot whether it may be chosen.
        droppable: which responses are in no pair.
        parameters: the strategy's parameters, if there is a strategy.
    """

    settings: PairSettings
    numbers: Numbers
    texts: np.ndarray
    choosable: np.ndarray
    droppable: Droppable
    distances: Distances
    parameters: Any

    @property
    def by(self) -> str:
        """The metric that best-of-n2 ranks by."""
        return self.settings.by or DEFAULT_METRIC

    @property
    def ranks_by_metric(self) -> bool:
        """Whether pairs are ranked by a metric, rather than chosen by a strategy on rewards."""
        return self.settings.strategy == BEST_OF_N2

    @cached_property
    def ranking(self) -> Ranking:
        """How best-of-n2 ranks."""
        highest = (self.settings.order or ORDERS[find(self.by).prefer]) == "highest"
        return Ranking(self.by, self.settings.options, self.present, highest, self.settings.per_prompt or 1)

    @property
    def needs_all(self) -> bool:
        """Whether the metric needs the candidate pairs of all prompts together."""
        return self.ranks_by_metric and depends_on_population(self.by, self.settings.options, self.present)

    @cached_property
    def present(self) -> frozenset[str]:
        """The measurement columns that the pairs have."""
        none = np.zeros(0, np.int64)
        return frozenset(pair_frame(self.numbers, none, none, dict.fromkeys(self.distances.columns, none)).columns)

    def lacking(self) -> dict[str, list[str]]:
        """Warns about responses that the metric cannot rank because they lack a number that others have."""
        if not self.ranks_by_metric:
            return {}
        columns = taken_if_present(self.by, self.settings.options, self.present)
        read = [one for one in response_fields(self.numbers) if one.chosen in columns]
        without = sum((~np.isfinite(self.numbers[one.name]) for one in read), start=np.zeros(self.texts.size, bool))
        count, of = int(np.count_nonzero(without)), f"{self.texts.size:,} responses"
        return {self.by: [lacking_note(self.by, [one.candidates for one in read], count, of)]} if count else {}

    def collect(self, pools: Pools, shards: Shards, reporter: Reporter) -> None:
        """Build every prompt's pairs and store their numbers in shards, one per chunk of prompts. Resumable."""
        with self.distances.open(reporter.note):
            self._collect(pools, shards, reporter)

    def _collect(self, pools: Pools, shards: Shards, reporter: Reporter) -> None:
        shards.sift()
        finished = set(shards.numbers())
        with reporter.step("pairing", pools.size, unit="prompts") as step:
            for number, chunk in enumerate(pools.chunks()):
                if number not in finished:
                    shards.put(number, self._chunk(pools, chunk))
                step.advance(len(chunk))

    def _chunk(self, pools: Pools, chunk: list[Pool]) -> pa.Table:
        texts = pools.texts(chunk)
        comparison = self.distances.of(texts)
        prompts = {} if self.ranks_by_metric and not self.droppable.flags else pools.prompts(chunk)
        dropped: Counter[str] = Counter()
        models = pools.models(chunk) if self.settings.strategy == CROSS_MODEL else {}
        known = Known(texts, models, comparison)
        made = [self._pairs(pool, known, prompts.get(pool.row, ""), dropped) for pool in chunk]
        places = np.concatenate([self._places(p, *m) for p, m in zip(chunk, made, strict=True)])
        different = comparison.different(*(comparison.numbers(slots) for slots in places[:, 1:3].T))
        if self.ranks_by_metric and self.ranking.prunes:
            places = places[best_pairs(self._candidates(places, comparison), self.ranking)]
        frame = self._with_distances(places, comparison)
        counts = {MEASURED: comparison.measured, BROKEN_OFF: comparison.broken_off, DIFFERENT: different, **dropped}
        if self.ranks_by_metric and not self.needs_all:
            frame = self.pick(self._valued(frame))
        old = self._with_distances(self._old(chunk, given=pools.has_given), comparison)
        both = pl.concat([frame.with_columns(pl.lit(NEW).alias(PART)), old.with_columns(pl.lit(OLD).alias(PART))])
        return both.to_arrow().replace_schema_metadata({name: str(count) for name, count in counts.items()})

    def _candidates(self, places: np.ndarray, comparison: Comparison) -> Candidates:
        prompts, chosen, rejected = places[:, :3].T
        first, second = comparison.numbers(chosen), comparison.numbers(rejected)
        known = pair_frame(self.numbers, chosen, rejected, comparison.known(first, second))
        return Candidates(prompts, first, second, self._margins(chosen, rejected), known, comparison)

    def _margins(self, chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
        """Reward margins that break ties, float64 [n]; zeros where responses have no rewards."""
        if REWARD.name not in self.numbers:
            return np.zeros(chosen.size)
        rewards = self.numbers[REWARD.name]
        margins: np.ndarray = rewards[chosen] - rewards[rejected]
        return margins

    @staticmethod
    def _with_distances(places: np.ndarray, comparison: Comparison) -> pl.DataFrame:
        """These pairs with their distances, and no values yet."""
        found = comparison.measure(*(comparison.numbers(slots) for slots in places[:, 1:3].T))
        columns = {name: places[:, i] for i, name in enumerate(PLACES)}
        measured = [pl.Series(name, values, nan_to_null=True) for name, values in found.items()]
        return pl.DataFrame(columns).with_columns([*measured, pl.lit(None, pl.Float64).alias(VALUE)])

    def _pairs(self, pool: Pool, known: Known, prompt: str, dropped: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
        settings = self.settings
        rewards = self.numbers[REWARD.name][pool.slots] if REWARD.name in self.numbers else None
        own = [known.texts[slot] for slot in pool.slots.tolist()]
        drawn = None if self.ranks_by_metric else draws(settings.seed, prompt, own)
        usable = self.droppable.usable(pool, prompt, own, dropped)
        responses = Responses(rewards, self.texts[pool.slots], self.choosable[pool.slots], drawn, usable)
        if self.ranks_by_metric:
            return ordered_pairs(responses, settings.min_margin)
        responses = replace(
            responses,
            sources=self._sources(pool),
            models=tuple(known.models[slot] for slot in pool.slots.tolist()) if known.models else (),
            lengths=known.comparison.lengths(pool.slots),
        )
        return apply(settings.strategy, responses, self.parameters, settings.min_margin, settings.per_prompt)

    def _sources(self, pool: Pool) -> np.ndarray | None:
        """The named rewards of these responses, float64 [sources, n]."""
        prefix = named_reward("").name
        found = [self.numbers[name][pool.slots] for name in sorted(self.numbers) if name.startswith(prefix)]
        return np.stack(found) if found else None

    @staticmethod
    def _places(pool: Pool, chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
        number = np.full(chosen.size, pool.prompt)
        return np.stack([number, pool.slots[chosen], pool.slots[rejected], chosen, rejected], axis=1)

    def _old(self, chunk: Sequence[Pool], *, given: bool) -> np.ndarray:
        """The slots of the pairs that the data names, or of each prompt's highest and lowest reward."""
        rows = [np.zeros((0, len(PLACES)), np.int64)]
        for pool in chunk:
            if given:
                count = len(pool.given)
                unplaced = np.full((2, count), -1)
                rows.append(np.stack([np.full(count, pool.prompt), *pool.given.T, *unplaced], axis=1))
            elif REWARD.name in self.numbers:
                rewards = self.numbers[REWARD.name][pool.slots]
                if np.isfinite(rewards).any() and np.nanmax(rewards) > np.nanmin(rewards):
                    ends = np.array([np.nanargmax(rewards)]), np.array([np.nanargmin(rewards)])
                    rows.append(self._places(pool, *ends))
        return np.concatenate(rows)

    def measured(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The measurement columns of these pairs, row by row."""
        chosen, rejected = frame["chosen_slot"].to_numpy(), frame["rejected_slot"].to_numpy()
        own = {name: frame[name].to_numpy() for name in frame.columns if name not in (*PLACES, VALUE, PART)}
        return pair_frame(self.numbers, chosen, rejected, own)

    def _valued(self, frame: pl.DataFrame) -> pl.DataFrame:
        values, _ = compute(self.by, self.measured(frame), self.settings.options)
        return frame.with_columns(values.alias(VALUE))

    def pick(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The best pairs of each prompt; ties go to the larger reward margin, then lower positions. Nulls never win."""
        margins = self._margins(frame["chosen_slot"].to_numpy(), frame["rejected_slot"].to_numpy())
        ranked = (
            frame.with_columns(margin=pl.Series(margins))
            .filter(pl.col(VALUE).is_not_null())
            .sort(
                ["prompt", VALUE, "margin", "chosen_index", "rejected_index"],
                descending=[False, self.ranking.highest, True, False, False],
            )
        )
        return ranked.group_by("prompt", maintain_order=True).head(self.ranking.keep).drop("margin")

    def picked(self, shards: Shards) -> Picked:
        """The picked pairs and the old ones, in prompt order."""
        tables = list(shards.tables())
        both = pl.concat([frame for table in tables if isinstance(frame := pl.from_arrow(table), pl.DataFrame)])
        new, old = (both.filter(pl.col(PART) == part).drop(PART) for part in (NEW, OLD))
        if self.needs_all and new.height:
            new = self.pick(self._valued(new))
        counts = {name: sum(int(t.schema.metadata[name.encode()]) for t in tables) for name in COUNTS}
        dropped = Counter[str]()
        for flag in self.droppable.flags:
            dropped[flag] = sum(int(t.schema.metadata.get(flag.encode(), 0)) for t in tables)
        return Picked(new, old, counts, +dropped)


def max_min_share(new: pl.DataFrame, old: pl.DataFrame) -> str:
    """The share of the new pairs that pair their prompt's highest and lowest reward."""
    same = new.join(old, on=["prompt", "chosen_slot", "rejected_slot"], how="semi").height
    return f"{100 * same / new.height:.0f}% of the pairs are also their prompt's max-min pair."


def draws(seed: int, prompt: str, responses: Sequence[str]) -> np.ndarray:
    """A random number for each response to a prompt, uint64 [n].

    They depend only on the seed and the texts, so the order of the data does not matter. Equal texts get different
    numbers.
    """
    seen: Counter[str] = Counter()
    found = np.empty(len(responses), np.uint64)
    for place, text in enumerate(responses):
        digest = text_hash(str(seed), prompt, text, str(seen[text]))
        found[place] = int.from_bytes(digest[:8], "big")
        seen[text] += 1
    return found
