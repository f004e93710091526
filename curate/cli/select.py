"""`curate select`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from curate.cli import options as o

AMOUNT = "10%|N"


class Order(StrEnum):
    """Which end of a metric is the better one."""

    highest = "highest"
    lowest = "lowest"


OrderOption = Annotated[
    Order | None, typer.Option("--order", help="Which values are best. Default: as the metric declares.")
]


def select(
    data: o.Data,
    out: o.Out,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="After a paper: bees (top 10%), alignment-potential (top 40%), dpo-gap (hardest 10%), easy-first "
            "(easier half, SelectiveDPO), ifd (highest 10% of those up to 1) or rip. What is set beside it goes "
            "before it.",
        ),
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="METRIC", help="A metric, or any column of numbers.")] = None,
    top: Annotated[str | None, typer.Option(metavar=AMOUNT, help="Keep the best: floor(share * rows), or N.")] = None,
    bottom: Annotated[str | None, typer.Option(metavar=AMOUNT, help="Keep the worst.")] = None,
    middle: Annotated[str | None, typer.Option(metavar=AMOUNT, help="Keep the middle by rank.")] = None,
    above: Annotated[float | None, typer.Option(metavar="X", help="Keep only values greater than X.")] = None,
    below: Annotated[float | None, typer.Option(metavar="X", help="Keep only values less than X.")] = None,
    order: OrderOption = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="SQL",
            help="First leave out rows for which this condition on a row is not true: columns, operators, CASE, "
            "CAST and functions such as ABS, LENGTH or ARRAY_CONTAINS(flags, 'tie'). Null and NaN are never true.",
        ),
    ] = None,
    per: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Take the share or count within each group.")
    ] = None,
    one_per_prompt: Annotated[
        bool, typer.Option("--one-per-prompt", help="First keep of each prompt only its best row.")
    ] = False,
    drop_ties: Annotated[bool, typer.Option("--drop-ties", help="First leave out pairs of equal rewards.")] = False,
    rejects: Annotated[
        Path | None, typer.Option(metavar="OUT2", help="Write what was not kept here, with the reason.")
    ] = None,
    set_: o.Set = None,
    strict: o.Strict = False,
    quiet: o.Quiet = False,
) -> None:
    """Keep the best rows of a scored table.

    Uses the column METRIC when it is there and no parameter of it is set; otherwise computes it from the measurements.
    Rows without a value are never kept; ties are broken by pair_id; the input's order is kept.
    """
    values = {key: value for key, value in locals().items() if key not in {"set_", "quiet"} and value is not None}
    from curate.cli import console
    from curate.cli.summaries import print_select
    from curate.jobs.select import select as run
    from curate.settings import SelectSettings, make, parse_options

    settings = make(SelectSettings, {**values, "options": parse_options(set_ or [])})
    result = run(settings, console.reporter(quiet))
    if not quiet:
        print_select(result)
