"""What `curate run` prints: the plan, each step when finished, and where everything is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from curate.jobs import job
from curate.jobs.results import as_plain
from curate.lines import Grid, Next, Strong, Summary, counted, quoted
from curate.plan.cost import ModelCost
from curate.plan.hours import ASSUMED_ROWS, UTILISATION, Gpu, hours, memory
from curate.plan.volume import Disk
from curate.recipes.preview import PlannedStep, RunPlan
from curate.recipes.run import RunResult, StepResult

MINUTE = 1 / 60
"""In hours, as everything that the plan counts."""
COSTS = ("step", "model", "as", "responses", "tokens", "GPU time")


def step_lines(step: StepResult) -> Summary:
    """The summary of the step's own command; nothing if it was done before."""
    if step.result is not None:
        yield ""
        yield Strong(step.name)
        yield from (line for line in job(step.command).summary(step.result) if not isinstance(line, Next))


def run_lines(result: RunResult) -> Summary:
    """Every output, the final one last."""
    yield f"\n{result.recipe}: {len(result.steps)} step{'' if len(result.steps) == 1 else 's'}."
    for step in result.steps:
        before = " (done before)" if step.result is None else ""
        yield f"{step.name:>12}  {step.out}{before}"
    yield f"final output: {result.final}"
    if result.report is not None:
        yield f"wrote {result.report}"
    if result.final.suffix == ".parquet":
        yield Next(f"curate show {quoted(result.final)}")


def plan_lines(plan: RunPlan, gpu: Gpu) -> Summary:
    """Inputs, steps, what each model reads and how long that takes, and what is unknown."""
    recipe = plan.recipe
    yield f"{recipe.name}: {' '.join(recipe.about.split())}"
    if recipe.paper is not None:
        yield f"paper: {recipe.paper.title} (arXiv {recipe.paper.arxiv})"
        yield f"  verified: {' '.join(recipe.paper.verified.split())}"
        yield f"  not verified: {' '.join(recipe.paper.not_verified.split())}"
    for name, value in plan.inputs.items():
        about = f"  ({recipe.inputs[name].about})" if recipe.inputs[name].about else ""
        yield f"{name:>12}  {_value(value, name, plan)}{about}"
    for step in plan.steps:
        yield _step(step)
    costs = [(step, cost) for step in plan.steps for cost in step.assumed or step.models]
    if costs:
        yield Grid(COSTS, [cost_cells(step.name, cost, gpu) for step, cost in costs])
        yield from cost_lines([cost for _, cost in costs], gpu, [step.disk for step in plan.steps if step.disk])
    for name in plan.unknown:
        yield (
            f"The data is not here ({name}): figures are for {ASSUMED_ROWS:,} rows, prompts of about 200 tokens and "
            "responses of about 350."
        )
    for note in plan.notes:
        yield f"note: {note}"
    for name in plan.missing:
        yield f"before this can run: --set {name}=..."
    yield f"output folder: {plan.out}"


def plan_facts(plan: RunPlan, gpu: Gpu) -> dict[str, Any]:
    """The plan as plain values; `hours` of a model are on one GPU, null where its size or its tokens are unknown."""
    steps = []
    for step in plan.steps:
        costs = [
            as_plain(one) | {"hours": hours(one, gpu), "memory": as_plain(memory(one, gpu))}
            for one in step.assumed or step.models
        ]
        steps.append({**as_plain(replace(step, models=(), assumed=())), "models": costs, "assumed": bool(step.assumed)})
    return {**as_plain(replace(plan, steps=())), "recipe": plan.recipe.name, "gpu": gpu.name, "steps": steps}


def _value(value: Any, name: str, plan: RunPlan) -> str:
    if name in plan.missing:
        return "must be given"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _step(step: PlannedStep) -> str:
    settings = ", ".join(f"{name} {_setting(value)}" for name, value in step.settings.items())
    rows = "" if step.rows is None else f" ({'at most ' if step.at_most else ''}{counted(step.rows, 'row')})"
    title = step.name if step.name == step.command else f"{step.name}: {step.command}"
    return f"{step.number}. {title} {', '.join(step.data)} -> {step.out}{rows}" + (f"; {settings}" if settings else "")


def _setting(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}.{key}={one}" for name, given in value.items() for key, one in given.items())
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def cost_lines(costs: Sequence[ModelCost], gpu: Gpu, disks: Sequence[Disk]) -> Summary:
    """The sums: hours on one GPU, memory of the model that takes most, disk for every output and unfinished work."""
    known = [one for one in (hours(cost, gpu) for cost in costs) if one is not None]
    memories = [one for one in (memory(cost, gpu) for cost in costs) if one is not None]
    if known:
        rate = f"{gpu.flops / 1e12:.0f} TFLOP/s in bfloat16, {UTILISATION:.0%} of them used"
        slower = " Drawing responses uses a smaller share." if any(one.role == "draws" for one in costs) else ""
        total = _in_all(sum(known), whole=len(known) == len(costs))
        yield f"{total} on one {gpu.name} ({rate}): arithmetic, not a measurement.{slower}"
    if memories:
        most = max(memories, key=lambda one: one.total)
        room = "" if most.total < gpu.memory else f", more than the {gpu.memory} of one {gpu.name}"
        parts = f"{_gib(most.weights)} of weights and {_gib(most.batch)} for a batch of {most.tokens:,} tokens"
        yield f"GPU memory: about {_gib(most.total)} GiB{room}: {parts}, in PyTorch and bfloat16. An estimate."
    if disks:
        work = max(one.work for one in disks)
        more = f", and {_bytes(work)} more for unfinished work while a step runs" if work else ""
        about = "at most" if any(one.at_most for one in disks) else "about"
        yield f"disk: {about} {_bytes(sum(one.out for one in disks))} for all outputs{more}. An estimate."
    yield (
        "Policy and reference read a prompt once for all of a row's responses, reward models and judges once for each. "
        "Equal responses to equal prompts are read only once, but counted each time here; for drawn responses, prompts "
        "are not counted."
    )


def _gib(size: float) -> str:
    return "less than 0.1" if size < 0.1 else f"{size:.1f}"


def _bytes(size: int) -> str:
    return f"{size / 2**30:.2g} GiB" if size >= 2**30 else f"{max(1, size / 2**20):,.0f} MiB"


def _in_all(total: float, *, whole: bool) -> str:
    """The hours of every model; `whole` says whether all are known."""
    if total < MINUTE:
        return spent(total) + ("" if whole else ", not counting what is unknown,")
    return f"{'about' if whole else 'at least'} {spent(total)}"


def spent(hours: float) -> str:
    """Hours as one says them."""
    if hours < MINUTE:
        return "less than a minute"
    return f"{hours * 60:.0f} min" if hours < 1 else f"{hours:,.1f} h"


def cost_cells(step: str, cost: ModelCost, gpu: Gpu) -> tuple[Any, ...]:
    """One model's row of the table that `COSTS` heads."""
    tokens = "unknown" if cost.tokens is None else f"{'at most ' if cost.at_most else 'about '}{cost.tokens:,}"
    tokens += " words" if cost.tokens is not None and cost.unit == "words" else ""
    responses = "unknown" if cost.sequences is None else f"{cost.sequences:,}"
    time = hours(cost, gpu)
    return step, cost.model, cost.role, responses, tokens, "unknown" if time is None else spent(time)
