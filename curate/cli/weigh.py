"""`curate weigh`."""

from __future__ import annotations

from typing import Annotated

import typer

from curate.cli import options as o


def weigh(
    data: o.Data,
    out: o.Out,
    method: Annotated[
        str,
        typer.Option(metavar="METHOD", help="gamma-po, madpo, amapo, bpo, repo or beta-dpo.", show_default=False),
    ],
    preset: Annotated[str | None, typer.Option(metavar="NAME", help="A paper's settings, by its model.")] = None,
    set_: o.Set = None,
    strict: o.Strict = False,
    quiet: o.Quiet = False,
) -> None:
    """Add the columns that margin-aware trainers read: the method's own, and weight, target_margin, margin.

    Everything is computed against the frozen policy of the scored table; the manifest says which rows stood in for a
    trainer's batch.
    """
    from curate.cli import console
    from curate.cli.summaries import print_weigh
    from curate.jobs.weigh import weigh_table
    from curate.settings import WeighSettings, make, parse_options

    values = {"data": data, "out": out, "method": method, "preset": preset, "strict": strict}
    settings = make(WeighSettings, {**values, "options": parse_options(set_ or [])})
    result = weigh_table(settings, console.reporter(quiet))
    if not quiet:
        print_weigh(result)
