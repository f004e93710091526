"""Resolve a recipe and the user's overrides to the settings of every step, following references."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.errors import CurateError, SettingsError, as_entry, as_option, did_you_mean
from curate.jobs import steps as jobs_of_steps
from curate.jobs.contract import Job
from curate.metrics.catalogue import Catalogue, catalogue_for, installed, using
from curate.readers import Layout, Row
from curate.recipes.file import Given, RecipeFile
from curate.recipes.file import Step as StepText
from curate.recipes.yaml_text import parse_yaml
from curate.settings import Settings, make

REFERENCE = re.compile(r"\$\{([^}]*)(\}|$)")
DECIDED = frozenset({"out", "fresh", "left_out", "rejects"})
"""Settings that the run itself controls."""


@dataclass(frozen=True)
class Overrides:
    """What the user set: inputs, and settings by step."""

    inputs: Mapping[str, Given] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """A step's position in the recipe."""

    file: RecipeFile
    number: int
    name: str

    def add_to(self, error: CurateError) -> None:
        """Let an error that arose in this step say so, with the line of the setting that it concerns."""
        entry = [error.setting] if error.setting else []
        if error.setting == "options" and error.value is not None:
            entry += str(error.value).partition("=")[0].split(".")
        where = f"{self.file.where('steps', self.number - 1, 'with', *entry)}, step {self.name}"
        told = error.place or as_entry(error.setting, error.value)
        error.place = f"{where}: {told}" if told else where


@dataclass(frozen=True)
class Step:
    """A step with complete settings, except for inputs that were not given.

    Attributes:
        number: counted from 1.
        name: what the recipe calls it.
        reads: for each entry of `settings.data` the step that writes it, None for data from outside.
        missing: inputs that it needs but were not given; the settings contain `<name>` for them.
        catalogue: the metrics that it can compute; an edit of their files during the run changes nothing.
        place: its place in the recipe.
    """

    number: int
    name: str
    job: Job
    settings: Any
    reads: tuple[str | None, ...]
    missing: tuple[str, ...]
    catalogue: Catalogue
    place: Place

    def layout(self, rows: Sequence[Row]) -> Layout:
        """The layout of data from outside.

        Raises:
            InputError: no layout fits.
        """
        return self.job.layout(rows, getattr(self.settings, "rows_as", None))

    @property
    def out(self) -> Path:
        """Where it writes its output."""
        place: Path = self.settings.out
        return place


def parse_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """Parse `KEY=VALUE` assignments into a mapping.

    Raises:
        SettingsError: an assignment of another form, or a duplicate key.
    """
    found: dict[str, str] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not (equals and key.strip()):
            raise SettingsError(
                f"{assignment!r} is not of the form KEY=VALUE.",
                setting="set",
                value=assignment,
                hint="For example: --set data=pairs.jsonl or --set select.top=25%",
            )
        if key.strip() in found:
            raise SettingsError(
                f"{key.strip()} is set twice.", setting="set", value=assignment, hint="Keep one of the two."
            )
        found[key.strip()] = value.strip()
    return found


def read_overrides(given: Mapping[str, Any], file: RecipeFile) -> Overrides:
    """Split what the user set into inputs, by name, and settings, as STEP.setting or STEP.METRIC.parameter.

    Raises:
        SettingsError: no such input or step; unknown settings are refused later, with the rest of the step.
    """
    inputs: dict[str, Given] = {}
    settings: dict[str, dict[str, Any]] = {}
    steps = [step.name for step in file.recipe.steps]
    for key, value in given.items():
        step, _, rest = key.partition(".")
        if key in file.recipe.inputs:
            inputs[key] = _value(value, key)
        elif rest and step in steps:
            _put(settings.setdefault(step, {}), rest.split("."), _value(value, key), key)
        else:
            known = [*file.recipe.inputs, *(f"{name}.SETTING" for name in steps)]
            hint = did_you_mean(key if not rest else step, [*file.recipe.inputs, *steps])
            hint = hint if hint.startswith("Did") else f"Known: {', '.join(known)}."
            raise SettingsError(f"The recipe has nothing called {key}.", setting="set", value=key, hint=hint)
    return Overrides(inputs, settings)


def _value(value: Any, key: str) -> Any:
    """Text as it is; `[a, b]` becomes a list, `null` becomes None."""
    if not isinstance(value, str):
        return tuple(str(one) for one in value) if isinstance(value, list | tuple) else value and str(value)
    if value.startswith("["):
        return tuple(parse_yaml(value, as_option("set", key)).value)
    return None if value in ("null", "") else value


def _put(settings: dict[str, Any], path: Sequence[str], value: Any, key: str) -> None:
    if len(path) == 1:
        settings[path[0]] = value
    elif len(path) == 2:
        settings.setdefault("options", {}).setdefault(path[0], {})[path[1]] = value
    else:
        raise SettingsError(
            f"{key} is neither STEP.setting nor STEP.METRIC.parameter.",
            setting="set",
            value=key,
            hint="For example: --set select.dcrm.eps=0.1",
        )


def resolve(file: RecipeFile, overrides: Overrides, out: Path) -> tuple[Step, ...]:
    """The steps with checked settings; reads neither data nor models.

    Raises:
        SettingsError: an unknown command, setting or reference, a value that a setting cannot have, or settings that no
            data could make valid; with the step's place in the file.
    """
    steps: list[Step] = []
    known = jobs_of_steps()
    for number, text in enumerate(file.recipe.steps, 1):
        place = Place(file, number, text.name)
        job = known.get(text.run)
        if job is None:
            where, hint = file.where("steps", number - 1, "run"), did_you_mean(text.run, known)
            raise SettingsError(f"A step cannot run {text.run}.", where, hint)
        scope = _Scope(file, overrides, steps)
        try:
            values = scope.follow(_merged(text, overrides.settings.get(text.name, {})))
            settings = _settings(job, values, out / f"{number:02d}-{text.name}{job.suffix}")
            catalogue = installed() if scope.missing else catalogue_for(settings)
            if not scope.missing:
                with using(catalogue):
                    job.check(settings)
        except CurateError as error:
            if scope.missing:
                raise not_given(scope.missing[0], file) from error
            place.add_to(error)
            raise
        writers = {str(step.out): step.name for step in steps}
        reads = tuple(writers.get(name) for name in settings.data)
        steps.append(Step(number, text.name, job, settings, reads, tuple(scope.missing), catalogue, place))
    return tuple(steps)


def not_given(name: str, file: RecipeFile) -> SettingsError:
    """The error for a required input that was not given."""
    about = file.recipe.inputs[name].about
    return SettingsError(
        f"The input {name} is not given{f': {about}' if about else ''}.",
        file.where("inputs", name),
        f"Give it with --set {name}=...",
    )


def _merged(text: StepText, given: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**text.with_, **{name: value for name, value in given.items() if name != "options"}}
    for metric, parameters in given.get("options", {}).items():
        options = _mapping(merged.get("options"))
        merged["options"] = {**options, metric: {**_mapping(options.get(metric)), **parameters}}
    return merged


def _mapping(value: Any) -> dict[str, Any]:
    """The entries of a mapping in the recipe; empty if there is none."""
    return dict(value) if isinstance(value, Mapping) else {}


def _settings(job: Job, values: dict[str, Any], out: Path) -> Settings:
    fields = job.settings.model_fields
    known = [name for name in fields if name not in DECIDED]
    for name in values:
        if name in DECIDED:
            raise SettingsError(f"The run itself decides {name}.", setting=name, hint="Leave it out.")
        if name not in known:
            raise SettingsError(f"{job.name} has no setting {name}.", setting=name, hint=did_you_mean(name, known))
    given = {name: value for name, value in values.items() if value is not None}
    if isinstance(given.get("report"), str):
        # next to the outputs, wherever the recipe runs
        given["report"] = out.parent / given["report"]
    for name in (name for name, one in fields.items() if one.is_required() and name not in {"out", *given}):
        hint = "data: ${inputs.data}, or the output of an earlier step." if name == "data" else f"Add {name}: ..."
        raise SettingsError(f"{job.name} needs {name}.", setting=name, hint=hint)
    made: Settings = make(job.settings, {**given, "out": out})
    return made


class _Scope:
    """What a step's references can name: the inputs and the earlier steps."""

    def __init__(self, file: RecipeFile, overrides: Overrides, before: Sequence[Step]) -> None:
        self.inputs = {name: one.default for name, one in file.recipe.inputs.items()} | dict(overrides.inputs)
        self.outputs = {step.name: str(step.out) for step in before}
        self.missing: list[str] = []

    def follow(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values with every reference replaced.

        Raises:
            SettingsError: it names nothing, or uses a step's output where no data is read.
        """
        return {name: self._followed(value, name) for name, value in values.items()}

    def _followed(self, value: Any, setting: str) -> Any:
        if isinstance(value, Mapping):
            return {name: self._followed(one, setting) for name, one in value.items()}
        if isinstance(value, list | tuple):
            parts = [self._followed(one, setting) for one in value]
            return [one for part in parts for one in (part if isinstance(part, tuple) else [part])]
        if not isinstance(value, str):
            return value
        whole = REFERENCE.fullmatch(value)
        if whole:
            return self._named(whole, setting)
        return REFERENCE.sub(lambda found: self._text(found, setting), value)

    def _plain(self, name: str, value: Given) -> Given:
        if any("${" in part for part in ([value] if isinstance(value, str) else value or ())):
            raise SettingsError(
                f"The input {name} refers to something else.", setting="set", value=name, hint="Write its value out."
            )
        return value

    def _text(self, found: re.Match[str], setting: str) -> str:
        value = self._named(found, setting)
        if not isinstance(value, str):
            raise SettingsError(
                f"{found[0]} is a list, and cannot be part of a text.", setting=setting, hint="Use it alone."
            )
        return value

    def _named(self, found: re.Match[str], setting: str) -> Given:
        name, spelled = found[1].strip(), found[0]
        kind, _, rest = name.partition(".")
        if not found[2]:
            raise SettingsError(
                f"{spelled} is not closed.", setting=setting, hint="Write ${inputs.NAME} or ${steps.NAME}."
            )
        if kind == "inputs" and rest in self.inputs:
            if self.inputs[rest] is None:
                self.missing += [rest] if rest not in self.missing else []
                return f"<{rest}>"
            return self._plain(rest, self.inputs[rest])
        if kind == "steps" and rest in self.outputs and setting == "data":
            return self.outputs[rest]
        if kind == "steps" and setting != "data":
            raise SettingsError(
                "Only `data` reads a step's output.", setting=setting, value=spelled, hint="Use an input."
            )
        known = [*(f"inputs.{one}" for one in self.inputs), *(f"steps.{one}" for one in self.outputs)]
        raise SettingsError(
            f"{spelled} names no input and no earlier step.", setting=setting, hint=did_you_mean(name, known)
        )
