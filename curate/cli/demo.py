"""Do the whole job on an embedded world with the tiny models of the package: offline, on a CPU.

Examples:
    curate demo -o demo-output
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from curate.cli import console
from curate.cli.reporters import reporter
from curate.demo.run import DemoResult, run
from curate.jobs.results import as_plain
from curate.jobs.summary import distributions
from curate.lines import Grid, Summary
from curate.settings import option


class DemoSettings(BaseModel):
    """The options of `curate demo`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: Path = option(Path("curate-demo"), "Where everything goes.", metavar="DIR", short="-o")
    seed: int = option(0, "Of the data and the responses; with --train, of the models too.")
    train: bool = option(False, "Train the three models, which takes minutes, instead of using the shipped.")


def demo(settings: DemoSettings, as_json: bool, quiet: bool) -> None:
    """Do the whole job on the embedded world."""
    result = run(settings.output, reporter(quiet), seed=settings.seed, train=settings.train)
    if as_json:
        console.say_json(as_plain(result))
    elif not quiet:
        console.say(_summary(result))


def _summary(result: DemoResult) -> Summary:
    yield "\nPairs of the demo world, scored by its tiny policy, reference and reward model:"
    yield distributions(result.scored.metrics)
    yield "What the world's gold reward, hidden from every model, says about the pairs kept:"
    yield Grid(("selection", "pairs", "mean gold margin", "rightly labelled"), result.selections)
    yield "The policy's own responses, paired:"
    rows = [(name, old, new) for name, (old, new) in result.paired.compared.items()]
    yield Grid(("mean", "max-min pairs", "best-of-N^2 by dcrm"), rows)
    gold = ", ".join(f"{name} {value:.3f}" for name, value in result.gold_pairs.items())
    yield f"mean gold margin: {gold}\n"
    for name, path in result.files.items():
        yield f"{name:>24}  {path}"
    yield f"{'models':>24}  {result.folder / 'models'}"


COMMAND = DemoSettings, demo
