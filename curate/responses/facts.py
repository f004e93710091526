"""What a manifest says about how responses were measured."""

from __future__ import annotations

from collections import Counter
from typing import Any

from curate.plan.scoring import Plan
from curate.responses.cached import KEPT
from curate.responses.judged import judge_facts
from curate.storage.workspace import Workspace


def measuring_facts(plan: Plan, borders: dict[str, Counter[str]], workspace: Workspace) -> dict[str, Any]:
    """What was read of the data, what the models reported, and the judges' verdicts if there are any.

    Args:
        plan: what was measured.
        borders: by scorer, how the start of each response was found.
        workspace: the unfinished work, with everything measured.
    """
    starts = {name: dict(sorted(counts.items())) for name, counts in borders.items()}
    judges = judge_facts(plan, workspace)
    facts = {"columns": plan.reading.facts(), "response_starts": starts, "notes": _notes(plan, workspace)}
    return facts | ({"judges": judges} if judges else {})


def _notes(plan: Plan, workspace: Workspace) -> dict[str, list[str]]:
    """What each model reported about how it runs."""
    notes = {scorer.name: workspace.shards(scorer.name).notes() or [] for scorer in plan.scorers}
    return {name: said for name, said in notes.items() if said}


def cache_facts(plan: Plan, workspace: Workspace) -> dict[str, dict[str, int]]:
    """How many numbers of each scorer came from the cache, for the manifest; nothing without a cache."""
    if plan.cache is None:
        return {}
    scorers = [*plan.scorers, *([plan.embedding] if plan.embedding else [])]
    found = {one.name: workspace.document(KEPT.format(one.name)) for one in scorers}
    return {"cache": {name: int(count) for name, count in found.items() if count is not None}}
