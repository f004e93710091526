"""The rewards of judges, and a summary of their verdicts."""

from __future__ import annotations

import numpy as np

from curate.engines import local
from curate.plan.scoring import Plan
from curate.progress import Reporter
from curate.responses.table import Staged
from curate.responses.work import Work
from curate.scorers.judge import Judge, check_verdicts
from curate.storage.shards import Shards
from curate.storage.workspace import Workspace


def judged_rewards(judge: Judge, staged: Staged, work: Work, shards: Shards, reporter: Reporter) -> np.ndarray:
    """The judge's reward of every slot, float64, from its shards; NaN if there is none.

    A judge of pairs rates a response once for each pair it is in, because the rating depends on the other response.

    Raises:
        ModelError: the judge rated nothing.
    """
    found = local.results(judge, shards, work.size)
    if judge.pairwise:
        rewards = np.full(staged.names.size, np.nan)
        first = staged.first_slots[:-1]
        rewards[first], rewards[first + 1] = found["chosen"], found["rejected"]
    else:
        rewards = found["reward"][staged.names]
    for note in check_verdicts(judge, local.counts(shards, "verdict"), _unread_answer(shards)):
        reporter.note(note)
    return rewards


def _unread_answer(shards: Shards) -> str | None:
    answers = (answer for table in shards.tables(["answer"]) for answer in table["answer"].to_pylist())
    return next((answer for answer in answers if answer is not None), None)


def judge_facts(plan: Plan, workspace: Workspace) -> dict[str, dict[str, int]]:
    """How many pairs or responses got each verdict, by judge, for the manifest and the summary."""
    judges = [scorer for scorer in plan.scorers if isinstance(scorer, Judge)]
    counted = {judge.name: local.counts(workspace.shards(judge.name), "verdict") for judge in judges}
    return {name.removeprefix("reward."): dict(sorted(counts.items())) for name, counts in counted.items()}
