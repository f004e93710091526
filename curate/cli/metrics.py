"""`curate metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.settings import CatalogueSettings

if TYPE_CHECKING:
    from curate.metrics.registry import Metric


def metrics(settings: CatalogueSettings) -> None:
    """Print the catalogue, or one metric."""
    from curate.metrics.catalogue import catalogue_of, using

    with using(catalogue_of(settings.metrics)):
        _print(settings.name)


def _print(name: str | None) -> None:
    """Every metric, one a line, or all about one."""
    from curate.cli import console
    from curate.metrics.catalogue import in_force
    from curate.metrics.registry import all_metrics, find

    out = console.stdout()
    if name is None:
        rows = [
            (m.name, m.unit, "higher" if m.prefer == "high" else "lower", m.meaning or "no docstring")
            for m in all_metrics().values()
        ]
        out.print(console.table("", ("metric", "unit", "better", "meaning"), rows))
        out.print("`curate metrics NAME` prints formula, parameters, columns and source.")
        return
    one = find(name)
    lines = [
        ("", one.meaning or "no docstring"),
        *(("", paragraph) for paragraph in one.details),
        ("formula", one.section("Formula")),
        ("unit", one.unit or "none"),
        ("better", "higher" if one.prefer == "high" else "lower"),
        ("reads", _columns(one)),
        ("over", "the whole data set" if one.population else "each pair alone"),
        ("parameters", _parameters(one) or "none"),
        ("source", one.section("Source")),
        ("from", in_force().origin(one.name)),
    ]
    out.print(f"[bold]{one.name}[/]")
    for label, text in (line for line in lines if line[1]):
        out.print(f"{label:>11}  {text}", markup=False)


def _columns(one: Metric) -> str:
    """The columns that it reads by default, and those that it takes where they are."""
    from curate.metrics.registry import taken_if_present
    from curate.schema import table_columns

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
