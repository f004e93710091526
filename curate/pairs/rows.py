"""The output rows of picked pairs: the prompt's own columns, the texts as messages, and the numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from curate.hashing import pair_id
from curate.pairs.flagged import texts_of_picked
from curate.pairs.table import flag_counts
from curate.responses.carried import carried
from curate.responses.pools import Pools
from curate.responses.table import messages_of
from curate.responses.text_flags import text_flags
from curate.schema import CHOSEN_MODEL, FLAGS, PAIR_ID, REJECTED_MODEL, Record
from curate.tokens.tools import response_message
from curate.writers.rejects_file import write_with_rejects
from curate.writers.rows import plain, texts_of


def pair_tables(
    own_schema: pa.Schema | None, pools: Pools, new: pl.DataFrame, frame: pl.DataFrame
) -> Iterator[pa.Table]:
    """Yield the output's tables, one per chunk of prompts; the flags of texts are added to those of the numbers.

    Args:
        own_schema: the input columns to copy; None for none.
        pools: the prompts and their responses.
        new: the picked pairs, in prompt order.
        frame: their measurements, metrics and the flags of these, row by row.
    """
    numbers = frame.with_columns(new["chosen_index"].cast(pl.Int32), new["rejected_index"].cast(pl.Int32))
    done = 0
    for chunk, inside, picked in texts_of_picked(pools, new):
        piece = numbers.slice(done, inside.height)
        done += inside.height
        if pools.names_models:
            names = pools.models(chunk)
            piece = piece.with_columns(
                pl.Series(column.name, [names.get(slot) for slot in inside[f"{side}_slot"]], pl.String)
                for side, column in (("chosen", CHOSEN_MODEL), ("rejected", REJECTED_MODEL))
            )
        rows = {pool.prompt: pool.row for pool in chunk}
        # Prompts come in order of first appearance, so the rows are ascending.
        first_rows = [rows[p] for p in inside["prompt"].to_list()]
        own = carried(own_schema, pools.staged, first_rows) if own_schema is not None else None
        yield _table(picked, piece, own, pools.staged.has_tools)


def _table(picked: list[tuple[str, str, str]], numbers: pl.DataFrame, own: pa.Table | None, tools: bool) -> pa.Table:
    """The output rows of some pairs, each given as its prompt and its two texts."""
    prompts = [messages_of(prompt) for prompt, _, _ in picked]
    flags = [text_flags(Record(tuple(one), three[1:], (0, 1))) for one, three in zip(prompts, picked, strict=True)]
    numbers = numbers.with_columns(pl.Series("flags", flags, pl.List(pl.String)).list.concat(numbers["flags"]))
    columns: dict[str, Any] = {PAIR_ID.name: pa.array([pair_id(*three) for three in picked])}
    answers = {side: [response_message(three[at]) for three in picked] for at, side in ((1, "chosen"), (2, "rejected"))}
    columns |= texts_of(prompts, answers, tools)
    columns |= {name: plain(numbers[name].to_arrow()) for name in numbers.columns}
    kept = {name: own[name] for name in own.column_names if name not in columns} if own is not None else {}
    return pa.table({**kept, **columns})


def write_pairs(tables: Iterator[pa.Table], pools: Pools, manifest: dict[str, Any], out: Path) -> dict[str, int]:
    """Write the pairs and the rejected rows.

    Returns:
        How many pairs carry each flag, the most frequent first.
    """
    counts: Counter[str] = Counter()

    def counting() -> Iterator[pa.Table]:
        for table in tables:
            counts.update(flag_counts(pl.Series(table[FLAGS.name])))
            yield table

    first = next(counted := counting())
    write_with_rejects(pools.staged.rejects.tables(), chain([first], counted), first.schema, manifest, out)
    return dict(counts.most_common())
