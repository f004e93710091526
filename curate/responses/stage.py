"""Read rows of any layout once, and stage them on disk in one standard form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from curate.errors import RowError
from curate.hashing import pair_id, text_hash, text_of
from curate.plan.rewards import RewardsOf
from curate.progress import Reporter
from curate.readers import Chunk, Layout, Reject, Row, Source
from curate.readers.unusable import nothing_usable, reject_table, unusable
from curate.responses.table import CALLS, MEASURED, TEXTS, Staged, load
from curate.responses.text_flags import text_flags
from curate.schema import Record
from curate.storage.shards import Shards
from curate.storage.workspace import STAGED, STAGED_SHARDS, Workspace

CHUNK_ROWS = 4096


def stage(
    source: Source,
    layout: Layout,
    workspace: Workspace,
    reporter: Reporter,
    *,
    as_pairs: bool,
    strict: bool = False,
    rewards_of: RewardsOf | None = None,
    match: str | None = None,
    plain_columns: bool = False,
) -> Staged:
    """Read the data into the workspace, or reuse what an earlier run staged there.

    Args:
        source: the data.
        layout: how its rows are read.
        workspace: where to stage them.
        reporter: shown the progress.
        as_pairs: keep only the chosen and rejected response of each record, in this order.
        strict: make the first bad row an error.
        rewards_of: if the user named score columns: reads the rewards of a row's responses.
        match: a trainer that reads a response depending on the other response of its pair: a response that is in
            several pairs is then measured once for each.
        plain_columns: keep only input columns that are neither lists nor structs.

    Raises:
        InputError: no row is usable, or one is not and `strict` is set.
    """
    rows, records, rejects = kinds = [workspace.shards(name) for name in STAGED_SHARDS]
    if not _is_staged(workspace, kinds):
        for shards in kinds:
            shards.clear()
        good = 0
        with reporter.step("reading", None) as step:
            for chunk in source.chunks(CHUNK_ROWS):
                if plain_columns:
                    plain = [field.name for field in chunk.table.schema if not pa.types.is_nested(field.type)]
                    chunk = replace(chunk, table=chunk.table.select(plain))
                good += _stage_chunk(chunk, layout, (rows, records, rejects), as_pairs, strict, rewards_of, match)
                step.advance(len(chunk.rows))
        if not good:
            first = next((table.slice(0, 1).to_pylist()[0] for table in rejects.tables()), None)
            raise nothing_usable(Reject(*first.values()) if first else None, source.name)
        workspace.put_document(STAGED, {"shards": [len(shards.paths()) for shards in kinds]})
    return load(rows, records, rejects)


def _is_staged(workspace: Workspace, kinds: Sequence[Shards]) -> bool:
    """Whether everything that was read is here. If any of it is damaged, all is read again: the source is available."""
    known = workspace.document(STAGED)
    if known is None:
        return False
    for shards in kinds:
        shards.sift()
    return [shards.numbers() for shards in kinds] == [list(range(count)) for count in known["shards"]]


def _stage_chunk(
    chunk: Chunk,
    layout: Layout,
    shards: tuple[Shards, Shards, Shards],
    as_pairs: bool,
    strict: bool,
    rewards_of: RewardsOf | None,
    match: str | None,
) -> int:
    records: list[Record] = []
    kept: list[int] = []
    bad = list(chunk.rejects)
    for i, row in enumerate(chunk.rows):
        try:
            records.append(_record(layout, row, as_pairs, rewards_of))
            kept.append(i)
        except RowError as error:
            bad.append(Reject(chunk.origins[i], str(error), json.dumps(row, ensure_ascii=False, default=str)))
    if bad and strict:
        raise unusable(bad[0])
    if records:
        shards[0].append(chunk.table.take(kept) if bad else chunk.table)
        shards[1].append(_records_table(records, in_pairs=match is not None), hold=True)
    if bad:
        shards[2].append(reject_table(bad))
    return len(records)


def _record(layout: Layout, row: Row, as_pairs: bool, rewards_of: RewardsOf | None) -> Record:
    record = layout.parse(row)
    if as_pairs:
        if record.pair is None:
            raise RowError("the row names no chosen and rejected response")
        record = replace(
            record,
            responses=tuple(record.responses[i] for i in record.pair),
            pair=(0, 1),
            measured={name: tuple(values[i] for i in record.pair) for name, values in record.measured.items()},
            calls=tuple(record.calls[i] for i in record.pair) if record.calls else (),
        )
    if rewards_of is not None:
        rewards = rewards_of(row)
        if len(rewards) != len(record.responses):
            raise RowError(f"{len(rewards)} rewards for {len(record.responses)} responses")
        record = replace(record, measured={**record.measured, "reward": rewards})
    return record


def _lists(kind: pa.DataType) -> pa.DataType:
    """Name list items as Parquet does, so that a table in memory equals the one read back."""
    return pa.list_(pa.field("element", kind))


def _records_table(records: Sequence[Record], in_pairs: bool) -> pa.Table:
    prompts = [text_of(record.prompt) for record in records]
    hashes = [_hashes(p, record, in_pairs) for p, record in zip(prompts, records, strict=True)]
    columns: dict[str, Any] = {
        "prompt": pa.array(prompts, pa.string()),
        "prompt_hash": pa.array([text_hash(p) for p in prompts], pa.binary(16)),
        "responses": pa.array([list(record.responses) for record in records], _lists(pa.string())),
        "high": pa.array([[int.from_bytes(h[:8], "big") for h in row] for row in hashes], _lists(pa.uint64())),
        "low": pa.array([[int.from_bytes(h[8:], "big") for h in row] for row in hashes], _lists(pa.uint64())),
        "chosen": pa.array([record.pair[0] if record.pair else None for record in records], pa.int32()),
        "rejected": pa.array([record.pair[1] if record.pair else None for record in records], pa.int32()),
        "pair_id": pa.array([_pair_id(p, record) for p, record in zip(prompts, records, strict=True)], pa.string()),
        "flags": pa.array([text_flags(record) for record in records], _lists(pa.string())),
    }
    if any(record.calls for record in records):
        spoken = [list(record.calls) or [""] * len(record.responses) for record in records]
        columns[CALLS] = pa.array(spoken, _lists(pa.string()))
    for name in sorted({name for record in records for name in record.measured}):
        kind = pa.string() if name in TEXTS else pa.float64()
        values = [record.measured.get(name, (None,) * len(record.responses)) for record in records]
        plain = values if name in TEXTS else [[None if v is None else float(v) for v in row] for row in values]
        columns[MEASURED + name] = pa.array(plain, _lists(kind))
    return pa.table(columns)


def _hashes(prompt: str, record: Record, in_pairs: bool) -> list[bytes]:
    """The hash of everything that decides what is measured of each response."""
    beside = (*record.responses, *record.calls) if in_pairs else ()
    return [
        text_hash(prompt, text, *beside, *([record.calls[place]] if record.calls else []))
        for place, text in enumerate(record.responses)
    ]


def _pair_id(prompt: str, record: Record) -> str | None:
    if record.pair is None:
        return None
    chosen, rejected = (record.responses[place] for place in record.pair)
    return pair_id(prompt, chosen, rejected, *(record.calls[place] for place in record.pair if record.calls))
