"""`pair --add-flags` and `--drop-flags`: the flags of the pairs that were picked, and which pairs are then left out.

A flag of a response, or of its prompt, keeps it out of every pair (`droppable.py`). A flag of a pair, or one that only
the whole table shows (duplicates, languages, leaks), is found over the pairs that were picked, and those that have it
are left out; their prompts then have fewer pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from curate.hygiene import Found, Rows
from curate.hygiene.flags import LEAKED, NAMES
from curate.pairs.droppable import OF_RESPONSES
from curate.pairs.search import Picked
from curate.pairs.table import flag_lists
from curate.progress import Reporter
from curate.responses.flagging import Flagging, with_flags
from curate.responses.pools import Pool, Pools
from curate.responses.table import messages_of
from curate.schema import FLAGS
from curate.settings import PairSettings

Texts = tuple[str, str, str]
"""The prompt in canonical spelling, the chosen and the rejected response."""


def wanted_by(settings: PairSettings) -> PairSettings:
    """The settings with every flag to drop that has to be looked for also in `add_flags`."""
    looked_for = [flag for flag in settings.drop_flags if flag in (*NAMES, LEAKED) and flag not in OF_RESPONSES]
    if LEAKED in looked_for and settings.decontaminate:
        looked_for.remove(LEAKED)
    added = tuple(dict.fromkeys((*settings.add_flags, *looked_for)))
    return settings.model_copy(update={"add_flags": added})


def texts_of_picked(pools: Pools, new: pl.DataFrame) -> Iterator[tuple[list[Pool], pl.DataFrame, list[Texts]]]:
    """The picked pairs of each chunk of prompts that has any, with their texts.

    Args:
        pools: the prompts and their responses.
        new: the picked pairs, in prompt order.
    """
    done = 0
    for chunk in pools.chunks():
        inside = new.slice(done).filter(pl.col("prompt") <= chunk[-1].prompt)
        done += inside.height
        if not inside.height:
            continue
        prompts, responses = pools.prompts(chunk), pools.texts(chunk)
        rows = {pool.prompt: pool.row for pool in chunk}
        places = inside.select("prompt", "chosen_slot", "rejected_slot").iter_rows()
        yield chunk, inside, [(prompts[rows[p]], responses[c], responses[r]) for p, c, r in places]


def found_in_picked(
    flagging: Flagging, pools: Pools, new: pl.DataFrame, frame: pl.DataFrame, reporter: Reporter
) -> Found:
    """The flags that were asked for, over the picked pairs.

    Args:
        flagging: what to look for.
        pools: the prompts and their responses.
        new: the picked pairs, in prompt order.
        frame: their measurements, row by row.
        reporter: shown the progress.
    """

    def again() -> Iterator[Rows]:
        first = 0
        for _, _, picked in texts_of_picked(pools, new):
            yield Rows(first, [messages_of(prompt) for prompt, *_ in picked], [both for _, *both in picked])
            first += len(picked)

    return flagging.find(again, frame, reporter)


@dataclass(frozen=True)
class Marked:
    """The picked pairs that are written.

    Attributes:
        new: the pairs.
        flags: of each, those of its numbers and those that were looked for.
        dropped: what was left out: responses before pairing and pairs after it, by flag.
    """

    new: pl.DataFrame
    flags: pl.Series
    dropped: dict[str, int]


def marked_pairs(
    picked: Picked, frame: pl.DataFrame, pools: Pools, flagging: Flagging, drop: Sequence[str], reporter: Reporter
) -> Marked:
    """Flag the picked pairs, and leave out those with a flag to drop.

    Args:
        picked: the picked pairs.
        frame: their measurements, row by row.
        pools: the prompts and their responses.
        flagging: the flags to look for.
        drop: the flags that no pair may have.
        reporter: shown the progress.
    """
    found = found_in_picked(flagging, pools, picked.new, frame, reporter)
    flags = with_flags(flag_lists(frame, pl.Series(FLAGS.name, [[]] * frame.height, pl.List(pl.String))), found)
    out, counted = np.zeros(frame.height, bool), dict(picked.dropped)
    for flag in drop:
        rows = flags.list.contains(flag).to_numpy() & ~out
        if rows.any():
            counted[flag] = counted.get(flag, 0) + int(rows.sum())
        out |= rows
    return Marked(picked.new.filter(~out), flags.filter(~out), counted)
