"""Print the catalogue of metrics: formula, unit, direction, columns read, parameters, paper.

Examples:
    curate metrics
    curate metrics dcrm
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from curate.cli import console
from curate.lines import Grid, Strong, Summary
from curate.metrics.catalogue import catalogue_of, in_force, using
from curate.metrics.registry import Metric, all_metrics, find, taken_if_present
from curate.schema import table_columns
from curate.settings import Files, MetricSettings, option


class CatalogueSettings(BaseModel):
    """The options of `curate metrics`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = option(None, "One metric, whole.", argument=True)
    metrics: Files = option((), MetricSettings.model_fields["metrics"].description or "", metavar="FILE")


def metrics(settings: CatalogueSettings, as_json: bool) -> None:
    """Print the catalogue, or one metric."""
    with using(catalogue_of(settings.metrics)):
        wanted = list(all_metrics().values()) if settings.name is None else [find(settings.name)]
        if as_json:
            found = [{"name": one.name, **_facts(one)} for one in wanted]
            console.say_json(found if settings.name is None else found[0])
        else:
            console.say(_all() if settings.name is None else _one(wanted[0]))


def _all() -> Summary:
    rows = [
        (m.name, m.unit, "higher" if m.prefer == "high" else "lower", m.meaning or "no docstring")
        for m in all_metrics().values()
    ]
    yield Grid(("metric", "unit", "better", "meaning"), rows)
    yield "`curate metrics NAME` prints formula, parameters, columns and source."


def _one(one: Metric) -> Summary:
    yield Strong(one.name)
    for text in (one.meaning or "no docstring", *one.details):
        yield f"{'':>11}  {text}"
    for label, text in _facts(one).items():
        if text and label != "meaning":
            yield f"{label:>11}  {text}"


def _facts(one: Metric) -> dict[str, str]:
    return {
        "meaning": " ".join([one.meaning, *one.details]),
        "formula": one.section("Formula"),
        "unit": one.unit or "none",
        "better": "higher" if one.prefer == "high" else "lower",
        "reads": _columns(one),
        "over": "the whole data set" if one.population else "each pair alone",
        "parameters": _parameters(one) or "none",
        "source": one.section("Source"),
        "from": in_force().origin(one.name),
    }


def _columns(one: Metric) -> str:
    """The columns that it reads by default, and those that it takes where they are."""
    always = (*one.columns, *one.needs(one.resolve(one.parameters({}), frozenset())))
    more = taken_if_present(one.name, {}, frozenset(column.name for column in table_columns()))
    return ", ".join(always) + (f"; where the table has them: {', '.join(more)}" if more else "")


def _parameters(one: Metric) -> str:
    """The parameters with their defaults, and the form in which alone they count."""

    def shown(alias: str | None, default: Any) -> str:
        value = ",".join(default) if isinstance(default, tuple) else default
        only = one.applies.get(str(alias), {})
        form = ", ".join(f"{k}={v}" for k, v in only.items()) if not isinstance(only, str) else only
        return f"{alias}={value}" + (f" (with {form})" if form else "")

    return " ".join(shown(field.alias, field.default) for field in one.model.model_fields.values())


COMMAND = CatalogueSettings, metrics
