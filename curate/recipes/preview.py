"""`curate run --plan`: what would run, and its approximate cost. Reads only local files; fetches and opens nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curate.plan.cost import ModelCost
from curate.plan.hours import ASSUMED
from curate.plan.rewards import parse_reward
from curate.plan.shape import LayoutOf, Shape, look
from curate.plan.volume import Disk, Volume, characters, disk, is_here, survey
from curate.recipes.check import flow_through
from curate.recipes.file import Given, Recipe, RecipeFile
from curate.recipes.resolve import Step, read_overrides, resolve
from curate.settings import ModelSettings


@dataclass(frozen=True)
class PlannedStep:
    """One planned step.

    Attributes:
        settings: the settings that are not defaults, as they would run, without data, output and models.
        data: where its rows come from.
        out: the name of its output.
        rows: rows that it writes; None if not known.
        at_most: whether it may write fewer.
        models: what its models read.
        assumed: what they would read of the rows that stand for data which is not here; empty if it is.
        size: characters of its rows' texts; None if not known.
        disk: bytes of its output and of its unfinished work; None if not known.
    """

    number: int
    name: str
    command: str
    settings: Mapping[str, Any]
    data: tuple[str, ...]
    out: str
    rows: int | None
    at_most: bool
    models: tuple[ModelCost, ...]
    assumed: tuple[ModelCost, ...] = ()
    size: int | None = None
    disk: Disk | None = None


@dataclass(frozen=True)
class RunPlan:
    """What `curate run` would do.

    Attributes:
        inputs: their values; None for an input that must be given.
        missing: descriptions of the inputs that must be given, by name.
        unknown: data that is not on this machine; whatever depends on it is not estimated.
        notes: what the user should know before the run.
    """

    recipe: Recipe
    out: Path
    inputs: Mapping[str, Given]
    missing: Mapping[str, str]
    steps: tuple[PlannedStep, ...]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]


def plan_run(file: RecipeFile, given: Mapping[str, Any], out: Path) -> RunPlan:
    """Check the recipe as far as possible without remote data, and estimate its cost.

    Raises:
        CurateError: the settings are wrong, or local data lacks what a step reads.
    """
    overrides = read_overrides(given, file)
    steps = resolve(file, overrides, out)
    shapes = flow_through(steps, _look_here)
    volumes: dict[str, Volume] = {}
    stand_ins: dict[str, Volume] = {}
    planned = []
    for step in steps:
        before = _volume(step, volumes)
        shape = shapes[step.name]
        known = before.rows is not None
        volumes[step.name] = step.job.volume(step.settings, before, shape.kind) if known else before
        costs = tuple(step.job.costs(step.settings, before, shape.kind))
        stand_in = next((stand_ins[one] for one in step.reads if one is not None), ASSUMED)
        stand_ins[step.name] = step.job.volume(step.settings, stand_in, shape.kind)
        assumed = () if known else tuple(step.job.costs(step.settings, stand_in, shape.kind))
        one = _planned(step, volumes[step.name], costs)
        after = volumes[step.name]
        needs = disk(before, after, measures=step.job.measures, plain_text=step.job.name == "export")
        planned.append(replace(one, assumed=assumed, size=characters(after), disk=needs))
    recipe = file.recipe
    inputs = {name: one.default for name, one in recipe.inputs.items()} | dict(overrides.inputs)
    missing = {name: recipe.inputs[name].about for name, value in inputs.items() if value is None}
    unknown = dict.fromkeys(name for step in steps for name in _outside(step) if not is_here(name))
    return RunPlan(recipe, out, inputs, missing, tuple(planned), tuple(unknown), tuple(_notes(steps)))


def _planned(step: Step, volume: Volume, costs: tuple[ModelCost, ...]) -> PlannedStep:
    models = {"policy", "reference", "reward", "embedder"} if isinstance(step.settings, ModelSettings) else set()
    settings = step.settings.model_dump(mode="json", exclude={"data", "out", *models}, exclude_defaults=True)
    data = tuple(writer or name for name, writer in zip(step.settings.data, step.reads, strict=True))
    return PlannedStep(
        step.number, step.name, step.job.name, settings, data, step.out.name, volume.rows, volume.at_most, costs
    )


def _outside(step: Step) -> list[str]:
    return [name for name, writer in zip(step.settings.data, step.reads, strict=True) if writer is None]


def _look_here(data: Sequence[str], layout_of: LayoutOf, columns: Mapping[str, str]) -> Shape:
    return look(data, layout_of, columns) if all(map(is_here, data)) else Shape()


def _volume(step: Step, volumes: Mapping[str, Volume]) -> Volume:
    outside = _outside(step)
    parts = [volumes[writer] for writer in step.reads if writer is not None]
    if outside:
        columns = getattr(step.settings, "columns", {})
        limit = getattr(step.settings, "limit", None)
        here = all(map(is_here, outside))
        parts.append(survey(outside, step.layout, columns, limit) if here else Volume())
    return parts[0] if len(parts) == 1 else _summed(parts)


def _summed(parts: Sequence[Volume]) -> Volume:
    if any(part.rows is None for part in parts):
        return Volume()
    rows = sum(part.rows or 0 for part in parts)
    sample = tuple(record for part in parts for record in part.sample)
    return Volume(rows, True, sample, parts[0].pairs, parts[0].drawn)


def _notes(steps: Sequence[Step]) -> list[str]:
    """Notes on code from outside this package that the run would execute."""
    notes = []
    for step in steps:
        if getattr(step.settings, "trust_remote_code", False):
            notes.append(f"{step.name}: models may run their own code (trust_remote_code).")
        notes += [f"{step.name}: runs the Python file {path}." for path in getattr(step.settings, "metrics", ())]
        for spec in getattr(step.settings, "reward", ()):
            if parse_reward(spec).kind == "function":
                notes.append(f"{step.name}: runs the Python function {parse_reward(spec).target}.")
    return notes
