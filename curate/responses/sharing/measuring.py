"""The measuring of one share of a data set, where several runs do it together (`--shard I/N`).

Every run cuts all of the data into the same batches as a single run would, and measures some of them: whole windows
where there are many, so that the others need not be read; else single batches, so that small data is shared out too.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import xxhash

from curate.engines import local
from curate.plan.scoring import Plan
from curate.progress import Numbered, Reporter
from curate.responses.table import Staged
from curate.responses.work import work_of
from curate.scorers import Batch, Cut, Prepares, Scored, Scorer, Shares
from curate.share import Share
from curate.storage.workspace import Workspace

WHOLE_WINDOWS = 16
"""Windows of each share from which on no window is split."""
DONE = "{}-shared"


@dataclass
class SomeBatches:
    """A scorer that measures one share of its batches.

    Attributes:
        scorer: what measures.
        share: of each window's batches.
    """

    scorer: Shares
    share: Share

    @property
    def name(self) -> str:
        """As the scorer's."""
        return self.scorer.name

    @property
    def title(self) -> str:
        """As the scorer's."""
        return self.scorer.title

    @property
    def schema(self) -> pa.Schema:
        """As the scorer's."""
        return self.scorer.schema

    def open(self) -> list[str]:
        """Open the scorer."""
        return self.scorer.open()

    def prepare(self, items: Sequence[Any]) -> Any:
        """As the scorer does, if it does."""
        return self.scorer.prepare(items) if isinstance(self.scorer, Prepares) else items

    def score(self, items: Any, done: Container[int]) -> Iterator[Scored]:
        """Measure the share's batches of these items."""
        for batch in self.batches(items, self.cut()):
            if not all(key in done for key in batch.keys):
                yield self.measure(batch)

    def on(self, device: str, threads: int | None) -> Shares:
        """The scorer for another process, which is given the share's batches."""
        return self.scorer.on(device, threads)

    def cut(self) -> Cut:
        """As the scorer's."""
        return self.scorer.cut()

    def batches(self, items: Any, cut: Cut) -> Iterator[Batch]:
        """The share's batches, dealt out in turn; another share begins in each window."""
        found = list(self.scorer.batches(items, cut))
        first = min((min(batch.keys) for batch in found), default=0)
        begin = xxhash.xxh64_intdigest(str(first))
        yield from (batch for place, batch in enumerate(found, begin) if self.share.takes(place))

    def measure(self, batch: Batch) -> Scored:
        """As the scorer does."""
        return self.scorer.measure(batch)

    def facts(self) -> dict[str, Any]:
        """As the scorer's."""
        return self.scorer.facts()

    def close(self) -> None:
        """Close the scorer."""
        self.scorer.close()


def measure_share(plan: Plan, share: Share, staged: Staged, workspace: Workspace, reporter: Reporter) -> None:
    """Run every scorer over the share's windows or batches."""
    scorers = scorers_of(plan)
    for place, scorer in enumerate(scorers, 1):
        _measure(scorer, plan, share, staged, workspace, Numbered(reporter, place, len(scorers)))


def scorers_of(plan: Plan) -> list[Scorer]:
    """What measures, in order; a reference that is the policy measures nothing."""
    responses = [one for one in plan.scorers if not (one.name == "reference" and plan.reference_is_policy)]
    return [*responses, *(plan.pair_scorers if plan.as_pairs else [])]


def _measure(
    scorer: Scorer, plan: Plan, share: Share, staged: Staged, workspace: Workspace, reporter: Reporter
) -> None:
    work, shards, done = work_of(scorer, staged), workspace.shards(scorer.name), DONE.format(scorer.name)
    sizes = [len(keys) for keys, _ in work.windows()]
    if len(sizes) >= WHOLE_WINDOWS * share.of or not isinstance(scorer, Shares):
        windows = (window for place, window in enumerate(work.windows()) if share.takes(place))
        total = sum(size for place, size in enumerate(sizes) if share.takes(place))
        local.run(scorer, windows, total, shards, reporter, plan.devices, work.unit)
    elif workspace.document(done) is None:
        local.run(SomeBatches(scorer, share), work.windows(), None, shards, reporter, plan.devices, work.unit)
        workspace.put_document(done, True)
