"""`curate demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate.cli.command import Quiet


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where everything goes.")] = Path(
        "curate-demo"
    ),
    seed: Annotated[int, typer.Option(help="Of the data and the responses; with --train, of the models too.")] = 0,
    train: Annotated[
        bool, typer.Option("--train", help="Train the three models, which takes minutes, instead of using the shipped.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Do the whole job on an embedded world with the tiny models of the package: offline, on a CPU."""
    from curate.cli import console
    from curate.cli.summaries import print_demo
    from curate.demo.run import run

    result = run(output, console.reporter(quiet), seed=seed, train=train)
    if not quiet:
        print_demo(result)
