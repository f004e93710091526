"""Checks made before the first step runs: whether the steps fit together, and what identifies them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from curate.errors import CurateError, StoreError
from curate.metrics.catalogue import using
from curate.plan.shape import LayoutOf, RowKind, Shape, joined, look
from curate.plan.template_date import DATE, held_date, today
from curate.readers import input_paths, open_source
from curate.recipes.file import RecipeFile
from curate.recipes.resolve import Step, not_given, read_overrides, resolve
from curate.scorers.judging import OPTIONS as JUDGE_OPTIONS
from curate.settings import (
    ModelSettings,
    for_manifest,
)
from curate.version import __version__

Outside = Callable[[Sequence[str], LayoutOf, Mapping[str, str]], Shape]


@dataclass(frozen=True)
class Prepared:
    """A recipe ready to run.

    Attributes:
        facts: what decides each step's output: settings, data, models.
        keys: a hash for each step, of its facts and of those of the steps it reads.
        day: the date that chat templates print; None if no template does, or the recipe sets it for each step.
    """

    file: RecipeFile
    out: Path
    steps: tuple[Step, ...]
    facts: Mapping[str, Mapping[str, Any]]
    keys: Mapping[str, str]
    day: date | None = None

    def identity(self) -> dict[str, Any]:
        """What distinguishes this run from another in the same place."""
        named = {f"{step.number:02d}-{step.name}": self.facts[step.name] for step in self.steps}
        return {"command": "run", "version": __version__, "steps": named, **self.date()}

    def date(self) -> dict[str, str]:
        """The day, as stored for this run."""
        return {DATE: self.day.isoformat()} if self.day else {}


def prepare(file: RecipeFile, given: Mapping[str, Any], out: Path, day: date | None = None) -> Prepared:
    """Check the whole recipe against its data and its models' configurations, without opening a model.

    Args:
        file: the recipe.
        given: overrides of its inputs and settings.
        out: the folder for the outputs.
        day: the date that chat templates print unless a step sets one; today by default.

    Raises:
        CurateError: an input is missing, settings are wrong, or a step cannot get what it reads.
    """
    steps = resolve(file, read_overrides(given, file), out)
    for step in steps:
        if step.missing:
            raise not_given(step.missing[0], file)
    _check_inputs(steps, out)
    shapes = flow_through(steps, look)
    facts: dict[str, dict[str, Any]] = {}
    keys: dict[str, str] = {}
    day = day or today()
    ready: list[Step] = []
    for step in steps:
        try:
            dated = _on(day, step)
            facts[step.name] = step_facts(dated, shapes[step.name].kind)
        except CurateError as error:
            step.place.add_to(error)
            raise
        # If no template prints the date, keep the step as given.
        ready.append(dated if held_date(facts[step.name]) else step)
        read = [keys[name] for name in step.reads if name is not None]
        text = json.dumps([facts[step.name], __version__, read], sort_keys=True, default=str)
        keys[step.name] = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    printed = any(one is not step for one, step in zip(ready, steps, strict=True))
    return Prepared(file, out, tuple(ready), facts, keys, day if printed else None)


def _on(day: date, step: Step) -> Step:
    """The same step with this date, if it runs models and sets no date."""
    if not isinstance(step.settings, ModelSettings) or step.settings.template_date is not None:
        return step
    return replace(step, settings=step.settings.model_copy(update={DATE: day}))


def flow_through(steps: Sequence[Step], outside: Outside) -> dict[str, Shape]:
    """Return the shape of every step's output.

    Args:
        steps: in order.
        outside: maps (data from outside, how to find its layout, its columns by name) to its shape.

    Raises:
        CurateError: a step cannot get what it reads.
    """
    shapes: dict[str, Shape] = {}
    for step in steps:
        try:
            parts = [
                shapes[writer]
                if writer is not None
                else outside([name], step.layout, getattr(step.settings, "columns", {}))
                for name, writer in zip(step.settings.data, step.reads, strict=True)
            ]
            before = joined(parts)
            with using(step.catalogue):
                shapes[step.name] = Shape(before.kind) if step.missing else step.job.shape(step.settings, before)
        except CurateError as error:
            step.place.add_to(error)
            raise
    return shapes


def _check_inputs(steps: Sequence[Step], out: Path) -> None:
    for step in steps:
        outside = [name for name, writer in zip(step.settings.data, step.reads, strict=True) if writer is None]
        for path in input_paths(outside):
            if out.resolve() in path.resolve().parents:
                raise StoreError(
                    "The data is in the run's own output folder.", str(path), "Choose another place with -o."
                )


def step_facts(step: Step, kind: RowKind | None) -> dict[str, Any]:
    """What decides a step's output, free of this machine's paths.

    Args:
        step: the step.
        kind: what a row of its output is.

    Raises:
        CurateError: the data or a model does not exist, or the model cannot do what is asked of it.
    """
    read = [
        {"step": writer} if writer is not None else open_source([name]).fingerprints()
        for name, writer in zip(step.settings.data, step.reads, strict=True)
    ]
    settings = for_manifest(step.settings, defaults=False) | step.catalogue.facts()
    facts = {"run": step.job.name, "settings": settings, "data": read}
    if step.job.measures:
        # The judge's options are part of what measures; its template counts by hash, not by path.
        settings.get("options", {}).pop(JUDGE_OPTIONS, None)
    models = step.job.models(step.settings, kind)
    versions = models.get("versions", {}) | step.catalogue.versions()
    return {**facts, **models, **({"versions": versions} if versions else {})}
