"""`curate metrics`."""

from __future__ import annotations

from typing import Annotated

import typer


def metrics(
    name: Annotated[str | None, typer.Argument(help="One metric, whole.", show_default=False)] = None,
) -> None:
    """Print the catalogue of metrics: formula, unit, direction, columns read, parameters, paper."""
    from curate import console
    from curate.metrics.registry import Metric, all_metrics, find

    out = console.stdout()

    def parameters(one: Metric) -> str:
        fields = one.model.model_fields.values()
        shown = [f"{f.alias}={','.join(f.default) if isinstance(f.default, tuple) else f.default}" for f in fields]
        return " ".join(shown)

    if name is None:
        rows = [
            (m.name, m.unit, "higher" if m.prefer == "high" else "lower", m.meaning) for m in all_metrics().values()
        ]
        out.print(console.table("", ("metric", "unit", "better", "meaning"), rows))
        out.print("`curate metrics NAME` prints formula, parameters, columns and source.")
        return
    one = find(name)
    lines = {
        "": one.meaning,
        "formula": one.section("Formula"),
        "unit": one.unit or "none",
        "better": "higher" if one.prefer == "high" else "lower",
        "reads": ", ".join((*one.columns, *one.needs(one.resolve(one.parameters({}), frozenset())))),
        "over": "the whole data set" if one.population else "each pair alone",
        "parameters": parameters(one) or "none",
        "source": one.section("Source"),
    }
    out.print(f"[bold]{one.name}[/]")
    for label, text in lines.items():
        out.print(f"{label:>11}  {text}", markup=False)
