"""What `curate run` prints: the plan, each step when finished, and where everything is."""

from __future__ import annotations

from typing import Any

from curate.jobs import job
from curate.jobs.lines import Grid, Next, Strong, Summary, quoted
from curate.plan.cost import ModelCost
from curate.recipes.preview import PlannedStep, RunPlan
from curate.recipes.run import RunResult, StepResult


def step_lines(step: StepResult) -> Summary:
    """The summary of the step's own command; nothing if it was done before."""
    if step.result is not None:
        yield ""
        yield Strong(step.name)
        yield from (line for line in job(step.command).summary(step.result) if not isinstance(line, Next))


def run_lines(result: RunResult) -> Summary:
    """Every output, the final one last."""
    yield f"\n{result.recipe}: {len(result.steps)} steps."
    for step in result.steps:
        before = " (done before)" if step.result is None else ""
        yield f"{step.name:>12}  {step.out}{before}"
    yield f"final output: {result.final}"
    if result.report is not None:
        yield f"wrote {result.report}"
    if result.final.suffix == ".parquet":
        yield Next(f"curate show {quoted(result.final)}")


def plan_lines(plan: RunPlan) -> Summary:
    """Inputs, steps, what each model reads, and what is unknown."""
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
    costs = [_cost(step, cost) for step in plan.steps for cost in step.models]
    if costs:
        header = ("step", "model", "as", "responses", "tokens", "forward FLOPs")
        yield Grid(header, costs)
        yield (
            "Estimates. Equal responses to equal prompts are read only once, but counted each time here. FLOPs are "
            "2 x parameters x tokens; for drawn responses, prompts are not counted."
        )
    for name in plan.unknown:
        yield f"tokens unknown: the data is not here ({name})."
    for note in plan.notes:
        yield f"note: {note}"
    for name in plan.missing:
        yield f"before this can run: --set {name}=..."
    yield f"output folder: {plan.out}"


def _value(value: Any, name: str, plan: RunPlan) -> str:
    if name in plan.missing:
        return "must be given"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _step(step: PlannedStep) -> str:
    settings = ", ".join(f"{name} {_setting(value)}" for name, value in step.settings.items())
    rows = "" if step.rows is None else f" ({'at most ' if step.at_most else ''}{step.rows:,} rows)"
    title = step.name if step.name == step.command else f"{step.name}: {step.command}"
    return f"{step.number}. {title} {', '.join(step.data)} -> {step.out}{rows}" + (f"; {settings}" if settings else "")


def _setting(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}.{key}={one}" for name, given in value.items() for key, one in given.items())
    return "+".join(map(str, value)) if isinstance(value, list) else str(value)


def _cost(step: PlannedStep, cost: ModelCost) -> tuple[Any, ...]:
    tokens = "unknown" if cost.tokens is None else f"{'at most ' if cost.at_most else 'about '}{cost.tokens:,}"
    tokens += " words" if cost.tokens is not None and cost.unit == "words" else ""
    responses = "unknown" if cost.sequences is None else f"{cost.sequences:,}"
    flops = "unknown" if cost.flops is None else f"{cost.flops:.2g}"
    return step.name, cost.model, cost.role, responses, tokens, flops
