"""Run the planned scorers over staged rows, and collect their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

from curate.engines import local
from curate.errors import SettingsError
from curate.metrics.advice import scales_note
from curate.metrics.alignment_potential import zscore
from curate.plan.also import also_of
from curate.plan.models import ALONE, ResponseScorer
from curate.plan.scoring import Plan
from curate.progress import Numbered, Reporter
from curate.responses import cached
from curate.responses.hidden import hidden_products
from curate.responses.judged import judged_rewards
from curate.responses.table import Staged
from curate.responses.work import Work, work_of
from curate.schema import (
    ALP_ALONE,
    COLLISION,
    HIDDEN_PRODUCT,
    HIDDEN_SQUARE,
    POLICY_LOGPS,
    REF_LOGPS,
    REWARD,
    TOKENS,
    TRUNCATED,
    named_reward,
)
from curate.scorers import Scorer
from curate.scorers.judge import Judge
from curate.scorers.model_scorers import ModelScorer, check_borders
from curate.settings.models import Combine
from curate.storage.workspace import Workspace

ROLE_FIELDS = {"policy": POLICY_LOGPS.name, "reference": REF_LOGPS.name}
Numbers = dict[str, np.ndarray]


def measure_responses(plan: Plan, staged: Staged, workspace: Workspace, reporter: Reporter) -> tuple[Numbers, Counters]:
    """Run every scorer of responses, one model after another.

    Returns:
        The values of every slot by field name, float64, NaN if there is none: values from the data, replaced by
        measured ones. And, by scorer, how the start of each response was found.
    """
    numbers = dict(staged.measured)
    if not any(source.kind == "columns" for source in plan.rewards):
        numbers.pop(REWARD.name, None)
    rewards: Numbers = {
        s.name: numbers[REWARD.name] for s in plan.rewards if s.kind == "columns" and REWARD.name in numbers
    }
    found, borders = _run_all(plan, staged, workspace, reporter)
    for name, values in found.items():
        if name == ALONE:
            numbers[ALP_ALONE.name] = values["logps"] / values["tokens"]
        elif name in ROLE_FIELDS:
            _take_logps(numbers, name, values, plan)
            if name == "policy" and "wpo" in also_of(plan.settings):
                numbers[COLLISION.name] = values["collision"]
        else:
            rewards[name.removeprefix("reward.")] = values["reward"]
    _forget_earlier_policy(numbers, plan, reporter)
    if not {POLICY_LOGPS.name, REF_LOGPS.name} & set(numbers):
        # Without log-probabilities, count the texts' own tokens with this run's tokenizer.
        numbers.pop(TOKENS.name, None)
    cut = [found[name]["truncated"] for name in borders]
    if cut:
        held = [numbers[TRUNCATED.name]] if TRUNCATED.name in numbers else []
        numbers[TRUNCATED.name] = np.fmax.reduce([*held, *cut])
    _take_rewards(numbers, rewards, plan, reporter)
    return numbers, borders


def _forget_earlier_policy(numbers: Numbers, plan: Plan, reporter: Reporter) -> None:
    """Make null what the data holds of the policy and this run does not measure again: it may be of another one."""
    again = {ALP_ALONE.name: plan.measures(ALONE), COLLISION.name: "wpo" in also_of(plan.settings)}
    stale = [name for name, measured in again.items() if name in numbers and not measured]
    if not plan.measures("policy") or not stale:
        return
    for name in stale:
        numbers[name] = np.full_like(numbers[name], np.nan)
    _say_stale(stale, reporter)


def _say_stale(names: Sequence[str], reporter: Reporter) -> None:
    if names:
        reporter.note(
            f"{', '.join(names)}: the data's values may be of another policy, and are null now; "
            "--unconditional and --also=wpo,ches measure them again."
        )


Counters = dict[str, Counter[str]]


def _run_all(
    plan: Plan, staged: Staged, workspace: Workspace, reporter: Reporter
) -> tuple[dict[str, Numbers], Counters]:
    """Numbers by scorer; and, for models that read whole conversations, how the starts of responses were found."""
    found: dict[str, Numbers] = {}
    borders: Counters = {}
    count, place = len(plan.scorers) - plan.reference_is_policy, 0
    for scorer in plan.scorers:
        if scorer.name == "reference" and plan.reference_is_policy:
            found[scorer.name], borders[scorer.name] = found["policy"], borders["policy"]
            continue
        place += 1
        found[scorer.name] = _run(scorer, plan, staged, workspace, Numbered(reporter, place, count))
        if isinstance(scorer, ModelScorer) and scorer.name != ALONE:
            borders[scorer.name] = local.counts(workspace.shards(scorer.name), "border")
            for note in check_borders(scorer.title, borders[scorer.name], scorer.renderer.refusal):
                reporter.note(note)
    return found, borders


def _run(scorer: ResponseScorer, plan: Plan, staged: Staged, workspace: Workspace, reporter: Reporter) -> Numbers:
    """The scorer's numbers for every slot."""
    work = work_of(scorer, staged)
    _measure(scorer, work, plan, workspace, reporter)
    shards = workspace.shards(scorer.name)
    if isinstance(scorer, Judge):
        return {"reward": judged_rewards(scorer, staged, work, shards, reporter)}
    found = local.results(scorer, shards, work.size)
    return {name: values[staged.names] for name, values in found.items()}


def _measure(scorer: Scorer, work: Work, plan: Plan, workspace: Workspace, reporter: Reporter) -> None:
    """Fill the scorer's shards; with a cache, from what earlier runs measured."""
    if plan.cache is not None and isinstance(scorer, cached.Cacheable):
        if cached.can_be_cached(scorer):
            cached.run(scorer, work, workspace, plan.cache, reporter, plan.devices)
            return
        reporter.note(f"{scorer.title}: its numbers are not kept in the cache, as its model may change unseen.")
    shards = workspace.shards(scorer.name)
    local.run(scorer, work.windows(), work.total, shards, reporter, plan.devices, work.unit)


def _take_rewards(numbers: Numbers, rewards: Numbers, plan: Plan, reporter: Reporter) -> None:
    """Add the combined reward, and each source's own reward if several are named."""
    if not rewards:
        return
    numbers[REWARD.name] = combine(list(rewards.values()), plan.settings.reward_combine)
    if note := scales_note(rewards, numbers[REWARD.name]):
        reporter.note(note)
    named = {source.name for source in plan.rewards if source.named or len(plan.rewards) > 1}
    numbers |= {named_reward(name).name: values for name, values in rewards.items() if name in named}


def _take_logps(numbers: Numbers, role: str, found: Numbers, plan: Plan) -> None:
    """Add log-probabilities and token counts; those in the data for the other model must agree.

    Raises:
        SettingsError: the log-probabilities in the data sum over other tokens than the new ones.
    """
    other = next(field for name, field in ROLE_FIELDS.items() if name != role)
    other_kept = other in numbers and not any(
        plan.measures(name) for name, field in ROLE_FIELDS.items() if field == other
    )
    if other_kept and TOKENS.name in numbers:
        both = np.isfinite(numbers[TOKENS.name]) & np.isfinite(found["tokens"]) & np.isfinite(numbers[other])
        if (numbers[TOKENS.name][both] != found["tokens"][both]).any():
            raise SettingsError(
                f"The data's {other} and the {role} count different tokens.",
                setting=role,
                hint="Measure policy and reference in one run, with the same --max-length.",
            )
    numbers[ROLE_FIELDS[role]] = found["logps"]
    numbers[TOKENS.name] = found["tokens"]


def combine(sources: list[np.ndarray], how: Combine) -> np.ndarray:
    """Combine several sources into one reward per response; null if any of them is null.

    `zmean` is the mean of each source's z-score over all responses of the data set (ddof 0; 0 where it is constant).
    """
    stacked = np.stack(sources)
    combined: np.ndarray
    if len(sources) == 1 and how != "zmean":
        return sources[0]
    if how == "min":
        combined = stacked.min(axis=0)
    elif how == "median":
        combined = np.median(stacked, axis=0)
    elif how == "mean":
        combined = stacked.mean(axis=0)
    else:
        combined = np.stack([zscore(pl.Series(one, nan_to_null=True)).to_numpy() for one in stacked]).mean(axis=0)
    return combined


def measure_pairs(plan: Plan, staged: Staged, workspace: Workspace, reporter: Reporter) -> Numbers:
    """Run the scorers of pair texts: the values of every row by column, float64, NaN if there is none."""
    found: Numbers = {}
    for scorer in plan.pair_scorers:
        work = work_of(scorer, staged)
        _measure(scorer, work, plan, workspace, reporter)
        found |= local.results(scorer, workspace.shards(scorer.name), work.size)
    if "ches" in also_of(plan.settings):
        slots = staged.first_slots[:-1]
        sides = staged.names[slots], staged.names[slots + 1]
        found |= hidden_products(workspace.shards("policy"), *sides, workspace.folder)
    elif plan.measures("policy"):
        given = {name for path in staged.rows.paths()[:1] for name in staged.rows.schema(path).names}
        stale = [name for name in (HIDDEN_PRODUCT.name, HIDDEN_SQUARE.name) if name in given]
        found |= {name: np.full(staged.counts.size, np.nan) for name in stale}
        _say_stale(stale, reporter)
    return found
