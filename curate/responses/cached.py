"""Measure with a cache: look up what earlier runs measured, run the scorer over the rest, and keep the new numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.engines import local
from curate.engines.local import KEY, Devices, Keys, Window
from curate.hashing import text_hash, text_of, versions
from curate.plan.caching import Cache
from curate.progress import Reporter
from curate.responses.work import Windows, Work
from curate.scorers import PairItem, ResponseItem
from curate.scorers.embedding_distance import EmbeddingDistance
from curate.scorers.model_scorers import ModelScorer
from curate.storage.number_cache import CONTENT, HASHES, Part
from curate.storage.shards import Shards
from curate.storage.workspace import Workspace
from curate.version import __version__

Cacheable = ModelScorer | EmbeddingDistance
LOOKED_UP, WANTED, KEPT = "{}-looked-up", "{}-wanted", "{}-kept"
LOOKED = pa.schema([(KEY, pa.int64()), (CONTENT, HASHES)])


def can_be_cached(scorer: Any) -> bool:
    """Whether what measures is known by its content: a model on a server, or a function, may change unseen."""
    if not isinstance(scorer, Cacheable):
        return False
    facts = scorer.facts()
    return bool(facts.get("hash") or facts.get("revision")) or scorer.spec.model.kind == "fake"


def run(
    scorer: Cacheable,
    work: Work,
    workspace: Workspace,
    cache: Cache,
    reporter: Reporter,
    devices: Devices = (),
) -> None:
    """As `engines.local.run`, with numbers from the cache where it has them, and new ones put into it.

    What was found is settled when the run begins, and kept with its unfinished work: a run that is resumed measures the
    batches of an uninterrupted one, whatever other runs put into the cache meanwhile.
    """
    shards = workspace.shards(scorer.name)
    part = cache.numbers.part(*_identity(scorer))
    found, wanted = _look_up(scorer, work.windows, workspace, part)
    held = Keys([table[KEY].to_numpy() for table in found.tables([KEY])])
    _take(found, shards)
    if shards.notes() is None and held.count == work.total and (notes := part.notes()) is not None:
        shards.put_notes(notes)
    local.run(scorer, _without(work.windows(), held), work.total, shards, reporter, devices, work.unit)
    if workspace.document(KEPT.format(scorer.name)) is None:
        part.add(_measured(shards, wanted, held), shards.notes() or [])
        cache.numbers.trim(cache.limit)
        workspace.put_document(KEPT.format(scorer.name), held.count)
    if held.count:
        reporter.note(f"{scorer.title}: {held.count:,} of {work.total:,} numbers are from the cache.")


def _take(found: Shards, shards: Shards) -> None:
    """Put what was found among the scorer's numbers, where it is not there already."""
    shards.sift()
    known = Keys([table[KEY].to_numpy() for table in shards.tables([KEY])])
    for table in found.tables():
        missing = table.filter(pa.array([key not in known for key in table[KEY].to_pylist()], pa.bool_()))
        if missing.num_rows:
            shards.append(missing)


def _identity(scorer: Cacheable) -> tuple[Any, ...]:
    """Everything that decides the scorer's numbers, besides what it measures."""
    facts = scorer.facts()
    if "hash" in facts:
        facts = {name: fact for name, fact in facts.items() if name != "model"}
    if isinstance(scorer, EmbeddingDistance):
        return __version__, versions(["torch", "sentence-transformers"]), "embedding distance", facts
    role = (
        "logps" if scorer.name in ("policy", "reference") else scorer.kind if scorer.kind == "reward" else scorer.name
    )
    return __version__, versions(["torch", "transformers"]), role, facts


def _look_up(scorer: Cacheable, windows: Windows, workspace: Workspace, part: Part) -> tuple[Shards, Shards]:
    """What the cache has, by key; and of every key the hash of its content."""
    name = LOOKED_UP.format(scorer.name)
    found, wanted = workspace.shards(name), workspace.shards(WANTED.format(scorer.name))
    found.sift()
    wanted.sift()
    if workspace.document(name) is None:
        found.clear()
        wanted.clear()
        for _, read in windows():
            items = read()
            hashes = [_content(scorer, item) for item in items]
            wanted.append(pa.table([[item.key for item in items], hashes], schema=LOOKED))
        keys = pl.from_arrow(wanted.read(LOOKED))
        assert isinstance(keys, pl.DataFrame)
        for known in part.find(keys[CONTENT]):
            table = pl.from_arrow(known)
            assert isinstance(table, pl.DataFrame)
            matched = keys.join(table, on=CONTENT, how="inner", maintain_order="left").drop(CONTENT)
            found.append(matched.to_arrow().cast(local.keyed_schema(scorer.schema)))
        workspace.put_document(name, True)
    return found, wanted


def _content(scorer: Cacheable, item: Any) -> bytes:
    """The hash of everything of an item that the scorer reads."""
    if isinstance(scorer, EmbeddingDistance):
        assert isinstance(item, PairItem)
        return text_hash(item.chosen, item.rejected)
    assert isinstance(item, ResponseItem)
    other = item.other if scorer.renderer.match else None
    calls = (item.calls, item.other_calls) if item.calls or item.other_calls else ()
    return text_hash(text_of(item.prompt), item.response, *([] if other is None else [other]), *calls)


def _without(windows: Iterable[Window], held: Keys) -> Iterator[Window]:
    """The windows with only the items that are not held."""
    for keys, read in windows:
        left = [key for key in keys if key not in held]
        if len(left) == len(keys):
            yield keys, read
        elif left:
            yield left, (lambda read=read, left=frozenset(left): [item for item in read() if item.key in left])  # type: ignore[misc]


def _measured(shards: Shards, wanted: Shards, held: Keys) -> pa.Table:
    """The numbers that this run measured, by the hash of their content."""
    contents = pl.from_arrow(wanted.read(LOOKED))
    tables = [pl.from_arrow(table) for table in shards.tables()]
    if not tables:
        return pa.table({CONTENT: pa.array([], HASHES)})
    assert isinstance(contents, pl.DataFrame)
    numbers = pl.concat([one for one in tables if isinstance(one, pl.DataFrame)])
    new = numbers.filter(~np.isin(numbers[KEY].to_numpy(), [key for key in numbers[KEY] if key in held]))
    made = new.unique(KEY, maintain_order=True).join(contents, on=KEY, how="inner", maintain_order="left").drop(KEY)
    table = made.unique(CONTENT, maintain_order=True).to_arrow()
    fields = [field.with_type(HASHES) if field.name == CONTENT else field for field in table.schema]
    return table.cast(pa.schema(fields))
