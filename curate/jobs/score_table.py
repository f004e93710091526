"""What `curate score` writes: pairs with their metrics, or candidates with the numbers of each response."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from curate.metrics.advice import top_tenth_note
from curate.metrics.lacking import lacking_notes
from curate.pairs.table import (
    ARROW_TYPES,
    add_metrics,
    flag_counts,
    flag_lists,
    pair_frame,
    response_fields,
    summarise,
)
from curate.plan.scoring import Plan
from curate.progress import Reporter
from curate.responses.facts import cache_facts
from curate.responses.flagging import Flagging, staged_flags, with_flags
from curate.responses.measure import Numbers, measure_pairs
from curate.responses.rows import write_rows
from curate.responses.table import Staged
from curate.schema import FLAGS, PAIR_ID
from curate.storage.workspace import Workspace
from curate.writers.rows import Columns, plain


def finish_pairs(
    plan: Plan,
    flagging: Flagging,
    staged: Staged,
    numbers: Numbers,
    workspace: Workspace,
    manifest: dict[str, Any],
    reporter: Reporter,
) -> dict[str, Any]:
    """Measure the texts of the pairs, compute the metrics and write; returns what the result says of them."""
    pairs = measure_pairs(plan, staged, workspace, reporter)
    slots = staged.first_slots[:-1]
    measured = pair_frame(numbers, slots, slots + 1, pairs)
    frame, used = add_metrics(measured, plan.settings)
    held = staged_flags(staged)
    flags = with_flags(flag_lists(frame, held[FLAGS.name]), flagging.find_staged(staged, frame, reporter))
    if note := top_tenth_note(frame, used):
        reporter.note(note)
    names = [name for name in frame.columns if name not in measured.columns]
    lacking = lacking_notes(measured, names, plan.settings.options)
    for note in chain.from_iterable(lacking.values()):
        reporter.note(note)
    frame = frame.insert_column(0, held[PAIR_ID.name]).with_columns(flags.alias(FLAGS.name))
    counted = Counter(flag_counts(flags))
    manifest |= cache_facts(plan, workspace)
    manifest |= {"metrics": used, "flags": dict(sorted(counted.items())), "notes": manifest["notes"] | lacking}

    def columns(first: int, rows: int) -> Columns:
        piece = frame.slice(first, rows)
        return {name: plain(piece[name].to_arrow()) for name in piece.columns}

    write_rows(staged, columns, manifest, plan.settings.out, reporter)
    return {"metrics": summarise(frame, names), "parameters": used, "flags": dict(counted.most_common())}


def finish_candidates(
    plan: Plan,
    flagging: Flagging,
    staged: Staged,
    numbers: Numbers,
    workspace: Workspace,
    manifest: dict[str, Any],
    reporter: Reporter,
) -> dict[str, Any]:
    """Write the numbers of each prompt's responses as lists; returns what the result says of them."""
    starts, held = staged.first_slots, staged_flags(staged)
    flags = with_flags(held[FLAGS.name], flagging.find_staged(staged, held, reporter))

    def columns(first: int, rows: int) -> Columns:
        slots = slice(starts[first], starts[first + rows])
        offsets = pa.array(starts[first : first + rows + 1] - starts[first], pa.int32())
        return {
            f.candidates: pa.ListArray.from_arrays(offsets, _typed(numbers[f.name][slots], ARROW_TYPES[f.type]))
            for f in response_fields(numbers)
        } | {FLAGS.name: plain(flags.slice(first, rows).to_arrow())}

    counted = Counter(flag_counts(flags))
    manifest |= cache_facts(plan, workspace)
    manifest |= {"flags": dict(sorted(counted.items()))}
    write_rows(staged, columns, manifest, plan.settings.out, reporter)
    return {"flags": dict(counted.most_common())}


def _typed(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True).cast(kind)
