"""What the user should know about the rows that a selection keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from curate.hygiene.flags import LEAKED, NAMES
from curate.metrics.advice import belief_note, cut_note, group_cuts_note, labels_note, narrow_note, shares_explained
from curate.metrics.registry import all_metrics, as_numbers, columns_read
from curate.readers.files.table import Table
from curate.schema import PAIR_ID, POLICY_LOGPS, REF_LOGPS, REWARD
from curate.selection.decision import Decision
from curate.selection.filters import group_column, ranking_frame
from curate.settings import SelectSettings
from curate.writers.history import manifests_of, recorded


def kept_notes(
    table: Table, settings: SelectSettings, values: np.ndarray | None, decision: Decision, used: dict[str, Any]
) -> Iterator[str]:
    """Warnings about anything misleading in the rows kept."""
    kept, by, names = decision.mask, settings.by, table.schema.names
    found: list[str | None] = [_not_looked_for(table, settings.drop_flags)] if settings.drop_flags else []
    if values is not None and by is not None:
        tie_breaker = PAIR_ID.name if PAIR_ID.name in names else "place in the data"
        if settings.per is None:
            found.append(cut_note(by, values, decision.alive, kept, tie_breaker))
        else:
            frame = ranking_frame(table, decision.alive, values, group_column(table, settings.per))
            found.append(group_cuts_note(by, frame, kept, tie_breaker))
            found += [_short_note(settings.per, name, *one) for name, one in decision.short.items()]
        found += [belief_note(by, values[kept]), _same_model_note(table, by)]
    if {REWARD.chosen, REWARD.rejected} <= set(names) and decision.kept:
        margins = _margins(table)
        known = kept & np.isfinite(margins)
        found.append(labels_note(int((margins[known] < 0).sum()), int(known.sum())))
        scale = recorded([{"metrics": used}, *manifests_of(table)], "metrics", "dcrm", "scale")
        if by == "dcrm" and scale is not None and values is not None:
            explained = shares_explained(margins, values, kept, float(scale), "the rows kept")
            found.append(narrow_note(margins, float(scale), explained))
    yield from (note for note in found if note is not None)


def _short_note(per: str, name: str, wanted: int, kept: int) -> str:
    """Warn that a group has fewer rows than its weight gives it."""
    return (
        f"{per} {name} has {kept:,} of the {wanted:,} rows that its weight asks for, so {wanted - kept:,} fewer rows "
        "are kept in all."
    )


def _same_model_note(table: Table, by: str) -> str | None:
    """Warn that a metric of policy and reference carries no information because both were the same model."""
    both = {POLICY_LOGPS.chosen, REF_LOGPS.chosen}
    if by not in all_metrics() or not both <= set(columns_read(by, {}, frozenset(table.schema.names))):
        return None
    policy, reference = (recorded(manifests_of(table), "measured_with", role) for role in ("policy", "reference"))
    if policy is None or policy != reference:
        return None
    return f"policy and reference were the same model: every implicit margin is 0, and {by} carries no information."


def _not_looked_for(table: Table, flags: Sequence[str]) -> str | None:
    """Warn that no row can have a flag, because `curate score` was not asked to look for it."""
    manifests = manifests_of(table)
    looked_for = recorded(manifests, "flags_from", "flags") or ()
    counted = recorded(manifests, "flags") or {}
    missing = [flag for flag in (*NAMES, LEAKED) if flag in flags and flag not in looked_for and flag not in counted]
    if not missing or not manifests:
        return None
    asked = [f"--add-flags={','.join(named)}"] if (named := [flag for flag in missing if flag != LEAKED]) else []
    asked += ["--decontaminate=FILE"] if LEAKED in missing else []
    return f"no row can have the flag {' or '.join(missing)}: `curate score` looks for it with {' '.join(asked)}."


def _margins(table: Table) -> np.ndarray:
    """Reward margins of all rows, float64 [rows]; NaN where a reward is missing."""
    margins, first = np.full(table.rows, np.nan), 0
    for batch in table.batches([REWARD.chosen, REWARD.rejected]):
        chosen, rejected = (as_numbers(pl.Series(batch[name])) for name in (REWARD.chosen, REWARD.rejected))
        margins[first : first + batch.num_rows] = (chosen - rejected).to_numpy()
        first += batch.num_rows
    return margins
