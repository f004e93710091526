"""`curate demo`."""

from __future__ import annotations

from curate.settings import DemoSettings


def demo(settings: DemoSettings, quiet: bool) -> None:
    """Do the whole job on the embedded world."""
    from curate.cli import console
    from curate.cli.summaries import print_demo
    from curate.demo.run import run

    result = run(settings.output, console.reporter(quiet), seed=settings.seed, train=settings.train)
    if not quiet:
        print_demo(result)
