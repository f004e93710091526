"""Everything that the page shows, as one JSON document: computed over all rows, before anything is sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curate.cards.commands import command_of, commands_of
from curate.metrics.catalogue import in_force
from curate.readers import Layout
from curate.readers.files.table import Table
from curate.reporting.bootstrap import DRAWS
from curate.reporting.columns import Columns, Group, Numbers
from curate.reporting.examples import choose, shown_pairs
from curate.reporting.figures import CURVE_DRAWS, cuts, figures
from curate.reporting.issues import Issue, find_issues
from curate.reporting.kept import Kept, newest, reasons
from curate.reporting.rewards import rewards_of
from curate.reporting.sample import sample_of
from curate.reporting.statistics import bins_of, spearman_matrix
from curate.reporting.texts import Texts
from curate.schema import FLAG_MEANINGS
from curate.version import __version__
from curate.writers.history import manifests_of, recorded

USUAL = ("dcrm", "bees", "alignment_potential", "dpo_margin", "reward_margin", "simpo_margin")
MOST_COMPARED = 16
TOP = 10
"""Percent of the rows whose overlap is shown for every two metrics."""


@dataclass(frozen=True)
class Shown:
    """A table, and what is known of it before its figures are computed.

    Attributes:
        table: the rows.
        layout: how its texts are read; None where it has none.
        columns: its numbers.
        texts: facts on its texts.
        kept: which rows were kept; None without a selection.
        other: another selection to compare with; None without one.
        by: the metric in use; None where the table has no numbers.
        data: its files, by name without folders.
        notes: what the reader of the page should know.
    """

    table: Table
    layout: Layout | None
    columns: Columns
    texts: Texts | None
    kept: Kept | None
    other: Kept | None
    by: str | None
    data: tuple[str, ...]
    notes: list[str]


def metric_in_use(
    columns: Columns, given: str | None, kept: Kept | None, manifests: Sequence[dict[str, Any]]
) -> str | None:
    """The metric that the page opens with: as given, as it was selected by, or the first usual one."""
    selected = [kept.by if kept else None, recorded(manifests, "settings", "by")]
    found = (name for name in (given, *selected, *USUAL) if columns.find(name) is not None)
    return next(found, next((one.name for one in (*columns.metrics, *columns.numbers)), None))


def document_of(shown: Shown) -> dict[str, Any]:
    """The document."""
    columns, kept = shown.columns, shown.kept
    mask, other = kept.mask if kept else None, shown.other.mask if shown.other else None
    ranked = _ranked(columns, shown.by)
    orders = {one.name: one.best_first(columns.ties) for one in ranked}
    prompts = shown.texts.prompts if shown.texts else np.arange(columns.rows)
    issues = find_issues(columns)
    choice, percent = choose(columns, orders.get(shown.by or ""), mask, other, issues)
    pairs = shown_pairs(shown.table, shown.layout, columns, choice, percent, mask, other, issues)
    places = {pair["row"]: place for place, pair in enumerate(pairs)}
    return {
        "head": _head(shown, int(prompts.max(initial=-1)) + 1),
        "by": shown.by,
        "ranked": [one.name for one in ranked],
        "numbers": [_number(one, mask) for one in columns.numbers],
        "groups": [_group(group, mask) for group in columns.groups],
        "figures": figures(columns, shown.texts, prompts, mask, other),
        "cuts": cuts(columns, prompts, orders),
        "agreement": _agreement(ranked, orders, columns.rows),
        "compared": _compared(kept, shown.other),
        "lengths": _lengths(columns, mask),
        "rewards": rewards_of(shown.table, columns),
        "issues": [_issue(issue, mask) for issue in issues],
        "sample": sample_of(columns, mask, issues),
        "sets": {name: [places[row] for row in rows] for name, rows in choice.sets.items()},
        "pairs": pairs,
    }


def _ranked(columns: Columns, by: str | None) -> list[Numbers]:
    """What rows can be ranked by here: the metrics, and the column in use."""
    found = [one for one in columns.metrics if not np.isnan(one.values).all()][:MOST_COMPARED]
    used = columns.find(by)
    return found if used is None or used in found else [used, *found[: MOST_COMPARED - 1]]


def _head(shown: Shown, prompts: int) -> dict[str, Any]:
    manifests = manifests_of(shown.table)
    kept = shown.kept
    decided = kept.manifest if kept else newest(manifests)
    selecting = decided if decided and decided.get("command") == "select" else None
    return {
        "version": __version__,
        "name": ", ".join(shown.data),
        "data": list(shown.data),
        "rows": shown.columns.rows,
        "prompts": prompts if shown.texts else None,
        "unreadable": shown.texts.unreadable if shown.texts else None,
        "rejected": shown.table.rejected | (recorded(manifests, "rows", "rejected") or {}),
        "commands": commands_of([*manifests, *([kept.manifest] if kept and kept.manifest else [])]),
        "models": _models(manifests),
        "parameters": recorded(manifests, "metrics") or {},
        "manifests": manifests,
        "selection": None if kept is None else {"file": kept.name, "rows": kept.rows, "manifest": kept.manifest},
        "decided": None
        if selecting is None
        else {"rule": command_of(selecting), "reasons": reasons(selecting)}
        | {"rows": (selecting.get("rows") or {}), "order": selecting.get("order")},
        "cut": _cut(shown),
        "length_unit": shown.columns.length_unit,
        "draws": [DRAWS, CURVE_DRAWS],
        "notes": shown.notes,
        "flags": FLAG_MEANINGS,
        "files": [path.name for path in in_force().files],
    }


def _compared(kept: Kept | None, other: Kept | None) -> dict[str, Any] | None:
    """How many rows are in one selection, in the other, and in both."""
    if kept is None or other is None:
        return None
    both = kept.mask & other.mask
    only = [int((one.mask & ~both).sum()) for one in (kept, other)]
    rules = [command_of(one.manifest) if one.manifest else "" for one in (kept, other)]
    return {"files": [kept.name, other.name], "rules": rules, "both": int(both.sum()), "only": only}


def _models(manifests: list[dict[str, Any]]) -> dict[str, str]:
    measured = recorded(manifests, "measured_with") or {}
    found = {role: str(one["model"]) for role, one in measured.items() if isinstance(one, dict) and "model" in one}
    for reward in recorded(manifests, "rewards") or []:
        name, kind, target = (str(part) for part in (*reward, "", "")[:3])
        found["rewards" if name in ("", "data") else f"reward {name}"] = target or f"{kind} of the data"
    return found


def _cut(shown: Shown) -> float | None:
    """The worst value of the metric in use that was kept."""
    used = shown.columns.find(shown.by)
    if shown.kept is None or used is None:
        return None
    values = used.values[shown.kept.mask]
    values = values[~np.isnan(values)]
    return None if not values.size else float(values.min() if used.high_first else values.max())


def _number(one: Numbers, kept: np.ndarray | None) -> dict[str, Any]:
    known = one.values[~np.isnan(one.values)]
    bins = bins_of(one.values)
    return {
        "name": one.name,
        "metric": one.metric,
        "high": one.high_first,
        "in_table": one.in_table,
        "boolean": one.boolean,
        "unit": one.unit,
        "meaning": one.meaning,
        "missing": int(one.values.size - known.size),
        "mean": float(known.mean()) if known.size else None,
        "quantiles": [float(q) for q in np.quantile(known, [0, 0.05, 0.5, 0.95, 1])] if known.size else None,
        "edges": [float(edge) for edge in bins.edges] if bins else None,
        "scale": bins.scale if bins else None,
        "counts": bins.counts(one.values).tolist() if bins else None,
        "kept": bins.counts(one.values[kept]).tolist() if bins and kept is not None else None,
    }


def _group(group: Group, kept: np.ndarray | None) -> dict[str, Any]:
    after = group.counts(kept) if kept is not None else None
    return {"name": group.name, "number": group.number, "values": group.values, "counts": group.counts(), "kept": after}


def _agreement(ranked: list[Numbers], orders: dict[str, np.ndarray], rows: int) -> dict[str, Any]:
    size = rows * TOP // 100
    tops = [np.sort(orders[one.name][:size]) for one in ranked]
    overlap = [
        [np.intersect1d(one, other, assume_unique=True).size / size if size else None for other in tops] for one in tops
    ]
    names = [one.name for one in ranked]
    signs = [1 if one.high_first else -1 for one in ranked]
    spearman = spearman_matrix([sign * one.values for sign, one in zip(signs, ranked, strict=True)])
    return {"names": names, "high": [one.high_first for one in ranked], "spearman": spearman, "overlap": overlap}


def _lengths(columns: Columns, kept: np.ndarray | None) -> dict[str, Any] | None:
    if columns.length is None:
        return None
    chosen, rejected = columns.length
    bins = bins_of(np.concatenate([chosen, rejected]))
    if bins is None:
        return None
    after = [bins.counts(side[kept]).tolist() for side in columns.length] if kept is not None else None
    rest = [bins.counts(side[~kept]).tolist() for side in columns.length] if kept is not None else None
    counts = [bins.counts(chosen).tolist(), bins.counts(rejected).tolist()]
    means = [float(np.nanmean(side)) for side in columns.length]
    medians = [float(np.nanmedian(side)) for side in columns.length]
    return {
        "edges": bins.edges.tolist(),
        "all": counts,
        "kept": after,
        "dropped": rest,
        "means": means,
        "medians": medians,
    }


def _issue(issue: Issue, kept: np.ndarray | None) -> dict[str, Any]:
    return {
        "name": issue.name,
        "meaning": issue.meaning,
        "severity": issue.severity,
        "count": int(issue.rows.sum()),
        "kept": None if kept is None else int(issue.rows[kept].sum()),
        "where": issue.where,
    }
