"""`curate demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate.cli import options as o


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where everything goes.")] = Path(
        "curate-demo"
    ),
    seed: Annotated[int, typer.Option(help="Of the world and the models.")] = 0,
    quiet: o.Quiet = False,
) -> None:
    """Do the whole job on an embedded world with tiny models: offline, on a CPU, in about a minute."""
    from curate import console
    from curate.cli.summaries import print_demo
    from curate.demo.run import run

    result = run(output, console.reporter(quiet), seed=seed)
    if not quiet:
        print_demo(result)
