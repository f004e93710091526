"""What may be wrong with the pairs, most severe first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curate.reporting.columns import MARGIN, Columns
from curate.schema import EDIT_DISTANCE, EDIT_DISTANCE_NORM, FLAG_MEANINGS, FLAGS, REWARD

NEAR = 0.05
"""Responses that differ by at most this share of the longer one's tokens are nearly identical."""
EXAMPLES = 3
SEVERE = (
    *("identical", "empty", "duplicate", "no_reward", "template_markup", "rm_disagrees", "not_after_user"),
    *("identical_truncated", "contradiction", "leaked"),
)
MEDIUM = (
    *("tie", "near_identical", "near_duplicate", "truncated", "repeats_prompt", "user_twice", "refusal"),
    *("repeated_response", "near_duplicate_response", "language_mismatch", "self_identification", "knowledge_cutoff"),
)


@dataclass(frozen=True)
class Issue:
    """Something that may be wrong with some rows.

    Attributes:
        name: the flag, or the name of what was found here.
        meaning: in one line.
        severity: 3 (the pair teaches something wrong), 2 (it teaches little, or look at it), 1 (unusual).
        rows: bool [rows].
        where: the condition of `curate select --where` for these rows; empty if there is none.
    """

    name: str
    meaning: str
    severity: int
    rows: np.ndarray
    where: str = ""


def find_issues(columns: Columns) -> list[Issue]:
    """Every issue that some row has, most severe first, then most frequent."""
    found = [_flagged(name, rows) for name, rows in (columns.flags or {}).items()]
    known = {one.name for one in found}
    found += [one for one in (_tie(columns), _disagrees(columns), _duplicate(columns)) if one and one.name not in known]
    found += [one for one in (_near(columns),) if one]
    some = [one for one in found if one.rows.any()]
    return sorted(some, key=lambda one: (-one.severity, -int(one.rows.sum()), one.name))


def severity_of(name: str) -> int:
    """How severe a flag is, as in `Issue`."""
    return 3 if name in SEVERE else 2 if name in MEDIUM else 1


def _flagged(name: str, rows: np.ndarray) -> Issue:
    escaped = name.replace("'", "''")
    where = f"ARRAY_CONTAINS({FLAGS.name}, '{escaped}')"
    return Issue(name, FLAG_MEANINGS.get(name, "a flag of the table's own"), severity_of(name), rows, where)


def _tie(columns: Columns) -> Issue | None:
    if columns.margin is None:
        return None
    return Issue("tie", FLAG_MEANINGS["tie"], severity_of("tie"), columns.margin == 0, _margin_is(columns, "="))


def _disagrees(columns: Columns) -> Issue | None:
    if columns.margin is None:
        return None
    name = "rm_disagrees"
    return Issue(name, FLAG_MEANINGS[name], severity_of(name), columns.margin < 0, _margin_is(columns, "<"))


def _margin_is(columns: Columns, sign: str) -> str:
    if columns.find(MARGIN) is not None:
        return f"{MARGIN} {sign} 0"
    return f"{REWARD.chosen} {sign} {REWARD.rejected}"


def _near(columns: Columns) -> Issue | None:
    share, edits = columns.find(EDIT_DISTANCE_NORM.name), columns.find(EDIT_DISTANCE.name)
    if share is None or edits is None:
        return None
    where = f"{share.name} <= {NEAR} AND {edits.name} > 0"
    meaning = f"the responses differ in at most {NEAR:.0%} of the longer one's tokens"
    return Issue("near_identical", meaning, 2, (share.values <= NEAR) & (edits.values > 0), where)


def _duplicate(columns: Columns) -> Issue | None:
    if columns.ids is None:
        return None
    rows = (columns.ids.is_duplicated() & columns.ids.is_not_null()).to_numpy()
    return Issue("duplicate", "another row has the same prompt, chosen and rejected", 3, rows)
