"""`curate export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate.cli import options as o


def export(
    data: o.Data,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="A folder.", show_default=False)],
    to: Annotated[
        str,
        typer.Option(
            metavar="FORMAT",
            help="trl, trl-reward, kto, openrlhf, llamafactory, axolotl, verl, torchtune, nemo-rl, ms-swift or "
            "open-instruct.",
            show_default=False,
        ),
    ],
    keep_scores: Annotated[
        bool, typer.Option("--keep-scores", help="Keep what curate measured, in columns named curate_...")
    ] = False,
    strict: o.Strict = False,
    quiet: o.Quiet = False,
) -> None:
    """Write what a trainer reads: a folder with its data file and a snippet of its configuration."""
    from curate.cli import console
    from curate.cli.summaries import print_export
    from curate.jobs.export import ExportSettings
    from curate.jobs.export import export as run
    from curate.settings import make

    values = {"data": data, "out": out, "to": to, "keep_scores": keep_scores, "strict": strict}
    result = run(make(ExportSettings, values), console.reporter(quiet))
    if not quiet:
        print_export(result)
