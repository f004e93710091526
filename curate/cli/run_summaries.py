"""What `curate run` prints: the plan, each step when finished, and where everything is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from curate.cli import summaries
from curate.cli.console import stdout, table

if TYPE_CHECKING:
    from curate.plan.cost import ModelCost
    from curate.recipes.preview import PlannedStep, RunPlan
    from curate.recipes.run import RunResult, StepResult

SUMMARIES: dict[str, Callable[[Any], None]] = {
    "generate": summaries.print_generate,
    "score": summaries.print_score,
    "pair": summaries.print_pair,
    "select": summaries.print_select,
    "weigh": summaries.print_weigh,
    "export": summaries.print_export,
}


def print_step(step: StepResult) -> None:
    """The summary of the step's own command; one line if it was done before."""
    if step.result is None:
        return
    stdout().print(f"\n[bold]{step.name}[/]")
    SUMMARIES[step.command](step.result)


def print_run(result: RunResult) -> None:
    """Every output, the final one last."""
    console = stdout()
    console.print(f"\n{result.recipe}: {len(result.steps)} steps.", markup=False)
    for step in result.steps:
        before = " (done before)" if step.result is None else ""
        console.print(f"{step.name:>12}  {step.out}{before}", markup=False)
    console.print(f"final output: {result.final}", markup=False)


def print_plan(plan: RunPlan) -> None:
    """Inputs, steps, what each model reads, and what is unknown."""
    console = stdout()
    recipe = plan.recipe
    console.print(f"{recipe.name}: {' '.join(recipe.about.split())}", markup=False)
    if recipe.paper is not None:
        console.print(f"paper: {recipe.paper.title} (arXiv {recipe.paper.arxiv})", markup=False)
        console.print(f"  verified: {' '.join(recipe.paper.verified.split())}", markup=False)
        console.print(f"  not verified: {' '.join(recipe.paper.not_verified.split())}", markup=False)
    for name, value in plan.inputs.items():
        about = f"  ({recipe.inputs[name].about})" if recipe.inputs[name].about else ""
        console.print(f"{name:>12}  {_value(value, name, plan)}{about}", markup=False)
    for step in plan.steps:
        _print_step(step)
    costs = [_cost(step, cost) for step in plan.steps for cost in step.models]
    if costs:
        header = ("step", "model", "as", "responses", "tokens", "forward FLOPs")
        console.print(table("", header, costs))
        console.print(
            "Estimates. Equal responses to equal prompts are read only once, but counted each time here. FLOPs are "
            "2 x parameters x tokens; for drawn responses, prompts are not counted."
        )
    for name in plan.unknown:
        console.print(f"tokens unknown: the data is not here ({name}).", markup=False)
    for note in plan.notes:
        console.print(f"note: {note}", markup=False)
    for name in plan.missing:
        console.print(f"before this can run: --set {name}=...", markup=False)
    console.print(f"output folder: {plan.out}", markup=False)


def _value(value: Any, name: str, plan: RunPlan) -> str:
    if name in plan.missing:
        return "must be given"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _print_step(step: PlannedStep) -> None:
    settings = ", ".join(f"{name} {_setting(value)}" for name, value in step.settings.items())
    rows = "" if step.rows is None else f" ({'at most ' if step.at_most else ''}{step.rows:,} rows)"
    title = step.name if step.name == step.command else f"{step.name}: {step.command}"
    stdout().print(
        f"{step.number}. {title} {', '.join(step.data)} -> {step.out}{rows}" + (f"; {settings}" if settings else ""),
        markup=False,
    )


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
