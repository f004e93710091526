"""The study's design: worlds, methods, and the cells of each table, every one with a key of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

DESIGN = 1
"""Raised whenever a change of code changes a number: cells of an older design count as outstanding."""

DRAWS = 5
SHARES = ("5%", "10%", "25%", "40%")
METRICS = ("dcrm", "alignment_potential", "bees", "reward_margin", "dpo_margin", "simpo_margin", "dpo_gap")
PAIRINGS = (
    "max-min",
    "best-of-n2:dcrm",
    "best-of-n2:dcrm-normalised",
    "best-of-n2:alignment_potential",
    "rs-dpo",
    "sweet-spot",
    "random",
)
LOSSES = ("dpo", "simpo", "gamma_po", "madpo", "amapo", "bpo", "repo", "beta_dpo")
FIRST_METRICS, FIRST_SHARES, FIRST_PAIRINGS = METRICS[:4], ("10%", "40%"), (*PAIRINGS[:3], "random")


@dataclass(frozen=True)
class World:
    """What one world is made of; the defaults are the base world.

    Attributes:
        name: as the page shows it.
        noise: share of labels that contradict gold; None leaves the labellers of the demo's world (one in eight).
        reward: `good` is the demo's reward model; `weak` adds noise to it, `length` adds points per token.
        on_policy: whether the pairs to select from were written by the reference, and not by the world.
        responses: N, the responses per prompt that the pairing table pairs.
    """

    name: str = "base"
    noise: float | None = None
    reward: str = "good"
    on_policy: bool = False
    responses: int = 8


BASE = World()
WORLDS = {
    one.name: one
    for one in (
        BASE,
        World("noise 0%", noise=0.0),
        World("noise 20%", noise=0.2),
        World("noise 40%", noise=0.4),
        World("weak reward", reward="weak"),
        World("length-biased reward", reward="length"),
        World("on-policy", on_policy=True),
        World("N 4", responses=4),
        World("N 16", responses=16),
        World("clean and strong", noise=0.0),
        World("noisy and weak", noise=0.4, reward="weak"),
    )
}


@dataclass(frozen=True)
class Amounts:
    """How much a cell costs; every cell of a run has the same.

    Attributes:
        pairs, prompts: pairs to select from; prompts whose responses are paired.
        steps, batch: optimizer steps of every training, and pairs a step: equal compute, whatever the share.
        rates: learning rates tried for every set, compared on `tuning` held-out prompts.
        judged: fresh prompts of the outcome; as many held-out pairs show what became of the chosen response.
    """

    pairs: int = 1000
    prompts: int = 300
    steps: int = 60
    batch: int = 16
    rates: tuple[float, ...] = (2e-4, 8e-4)
    tuning: int = 64
    judged: int = 200


@dataclass(frozen=True)
class Cell:
    """One training set or loss in one draw of one world.

    Attributes:
        table: selection, pairing or loss.
        method: a metric, `all`, `random`, `oracle` or `untrained`; a pairing; or a loss.
        share: share kept, for the selection table.
        world: name of the world.
        draw: which draw of the world: its pairs, prompts, samples and order of training.
    """

    table: str
    method: str
    share: str = ""
    world: str = "base"
    draw: int = 0

    @property
    def key(self) -> str:
        """The cell in words, without its configuration."""
        return "/".join((self.table, self.world, self.method, self.share or "-", str(self.draw)))

    def config(self, amounts: Amounts) -> str:
        """Hash of everything that decides the cell's numbers apart from versions and machine."""
        said = [DESIGN, asdict(self), asdict(WORLDS[self.world]), asdict(amounts)]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def draw_folder(cell: Cell, amounts: Amounts) -> str:
    """Where a draw's files are cached: under another name for another design, world or amounts."""
    said = json.dumps([DESIGN, asdict(WORLDS[cell.world]), asdict(amounts), cell.draw], sort_keys=True)
    return f"{hashlib.sha256(said.encode()).hexdigest()[:16]}/draw"


def plan(draws: int = DRAWS) -> list[Cell]:
    """Every cell of the study, the first and most telling ones first; one draw of all before the next draw."""
    first = [replace(cell, draw=draw) for draw in range(draws) for cell in _first()]
    rest = [replace(cell, draw=draw) for draw in range(draws) for cell in _rest()]
    return list(dict.fromkeys((*first, *rest)))


def _first() -> Iterator[Cell]:
    yield Cell("selection", "untrained")
    yield Cell("selection", "all")
    for share in FIRST_SHARES:
        yield from (Cell("selection", method, share) for method in ("random", "oracle", *FIRST_METRICS))
    yield from (Cell("pairing", method) for method in FIRST_PAIRINGS)


def _rest() -> Iterator[Cell]:
    for world in WORLDS:
        if not world.startswith("N "):
            yield Cell("selection", "all", "", world)
            for share in SHARES:
                yield from (Cell("selection", one, share, world) for one in ("random", "oracle", *METRICS))
            yield from (Cell("loss", loss, "", world) for loss in LOSSES)
        if WORLDS[world].noise is None and not WORLDS[world].on_policy:
            yield from (Cell("pairing", method, "", world) for method in PAIRINGS)
