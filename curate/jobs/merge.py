"""Join the shards of `curate score --shard`: the same bytes as one run.

Needs all shards, and the data and models (their files, not a GPU) from which they were made.

Examples:
    curate merge shard-1.parquet shard-2.parquet -o scored.parquet
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from curate.jobs import score as scoring
from curate.jobs.contract import Job
from curate.jobs.score import ScoreResult, run_score
from curate.metrics.catalogue import with_its_metrics
from curate.plan.template_date import DATE, held_date
from curate.progress import Reporter
from curate.readers import input_paths
from curate.responses.sharing.files import SETTINGS, read_shares
from curate.settings import FRESH, Record, ScoreSettings, make, option


class MergeSettings(BaseModel):
    """The options of `curate merge`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: tuple[str, ...] = option(
        help="The files of all shards, or a pattern that finds them.",
        metavar="SHARD",
        record=Record.MEANT,
        argument=True,
        min_length=1,
    )
    out: Path = option(help="A .parquet file, or a folder of shards.", metavar="OUT", short="-o")
    fresh: bool = option(False, FRESH, record=Record.PLACE)


def merge(settings: MergeSettings, reporter: Reporter) -> ScoreResult:
    """Finish the run that was shared out, from the numbers of its shards.

    Raises:
        CurateError: a shard is missing, doubled or of another run, or anything that the user can fix; `out` is then
            unchanged.
    """
    files = read_shares(input_paths(settings.data))
    given = make(ScoreSettings, {**files[0].manifest[SETTINGS], "out": settings.out, "fresh": settings.fresh})
    if given.template_date is None:
        given = given.model_copy(update={DATE: held_date(files[0].manifest)})
    reporter.note(f"{len(files)} shards of {', '.join(given.data)}")
    return with_its_metrics(partial(run_score, shares=files))(given, reporter)


JOB = Job("merge", MergeSettings, merge, scoring.JOB.summary, is_step=False)
