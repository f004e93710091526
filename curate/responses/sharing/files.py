"""The file that a run with `--shard I/N` writes: its numbers by key, and what `curate merge` has to know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate.engines.local import KEY, keyed_schema
from curate.errors import StoreError
from curate.plan.scoring import Plan
from curate.responses.sharing.measuring import scorers_of
from curate.responses.table import Staged
from curate.responses.work import work_of
from curate.share import Share
from curate.storage.disk import disk_errors
from curate.storage.shards import Shards
from curate.storage.workspace import Workspace, differences
from curate.writers.parquet import MANIFEST_KEY, write_output

SCORER, SHARD, SETTINGS, NOTES, COUNTS = "scorer", "shard", "settings_given", "scorer_notes", "numbers"
READ = "data"
FILLED = "filled-from-shards"
UNLIKE = "Give all the same data, options, versions and --template-date, and make those that differ again."


@dataclass(frozen=True)
class ShareFile:
    """A file of one share.

    Attributes:
        manifest: the identity that all files of a data set have in common, and what is particular to this one.
    """

    path: Path
    share: Share
    manifest: Mapping[str, Any]

    def numbers(self, scorer: str, schema: pa.Schema) -> pa.Table:
        """The scorer's numbers, by key."""
        with disk_errors(self.path):
            return pq.read_table(self.path, columns=schema.names, filters=[(SCORER, "=", scorer)]).cast(schema)


def write_share(
    plan: Plan,
    share: Share,
    identity: Mapping[str, Any],
    settings: Mapping[str, Any],
    read: Mapping[str, Any],
    workspace: Workspace,
    out: Path,
) -> dict[str, int]:
    """Write what this run measured; returns how many numbers of each scorer.

    Args:
        plan: what was measured.
        share: which share of it.
        identity: what decides the numbers, share included.
        settings: those from which `curate merge` finishes the run.
        read: how many rows the data has.
        workspace: the unfinished work.
        out: the file to write.
    """
    scorers = scorers_of(plan)
    fields = {field.name: field for field in chain.from_iterable(keyed_schema(one.schema) for one in scorers)}
    schema = pa.schema([(SCORER, pa.string()), *fields.values()])
    counts: dict[str, int] = {}

    def tables() -> Iterator[pa.Table]:
        for scorer in scorers:
            for table in _each_key_once(workspace.shards(scorer.name)):
                counts[scorer.name] = counts.get(scorer.name, 0) + table.num_rows
                named = table.append_column(SCORER, pa.array([scorer.name] * table.num_rows))
                yield pa.Table.from_arrays([_column(named, field) for field in schema], schema=schema)

    for _ in tables():
        pass
    written, notes = sum(counts.values()), {one.name: workspace.shards(one.name).notes() for one in scorers}
    found = dict(counts)
    own = {SHARD: str(share), SETTINGS: settings, NOTES: notes, COUNTS: found, READ: read}
    write_output(tables(), schema, {**identity, **own, "rows": {"written": written, "rejected": {}}}, out)
    return found


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name in table.column_names:
        return table[field.name].cast(field.type)
    return pa.nulls(table.num_rows, field.type)


def _each_key_once(shards: Shards) -> Iterator[pa.Table]:
    seen = np.zeros(0, np.int64)
    for table in shards.tables():
        keys = table[KEY].to_numpy()
        first = np.unique(keys, return_index=True)[1]
        new = np.sort(first[~np.isin(keys[first], seen)])
        seen = np.concatenate([seen, keys[new]])
        yield table.take(new)


def read_shares(paths: Sequence[Path]) -> list[ShareFile]:
    """The files of all shares of one data set, in order.

    Raises:
        StoreError: a file is not a shard, or they differ in data or settings, or one is missing or given twice.
    """
    files = sorted((_read(path) for path in paths), key=lambda one: one.share.number)
    first = files[0]
    for one in files[1:]:
        if one.share.of != first.share.of:
            raise StoreError(f"This is shard {one.share}; {first.path} is shard {first.share}.", str(one.path), UNLIKE)
        if changed := differences(_common(first), _common(one)):
            what = f"This shard was made with other settings or data than {first.path} ({'; '.join(changed[:4])})."
            raise StoreError(what, str(one.path), UNLIKE)
    for before, one in pairwise(files):
        if before.share == one.share:
            raise StoreError(
                f"Shard {one.share} is given twice.",
                " and ".join(sorted({str(before.path), str(one.path)})),
                "Leave one out.",
            )
    held = {one.share.number for one in files}
    if missing := [f"{number}/{first.share.of}" for number in range(1, first.share.of + 1) if number not in held]:
        shown = ", ".join(missing[:8]) + (", ..." if len(missing) > 8 else "")
        plural = "s" if len(missing) > 1 else ""
        hint = f"Measure what is missing with --shard={missing[0]}, and give its file too."
        raise StoreError(f"{len(missing)} shard{plural} of {first.share.of} missing: {shown}.", str(first.path), hint)
    return files


def _read(path: Path) -> ShareFile:
    hint = "Give the files that `curate score --shard=I/N` wrote."
    if not path.is_file():
        raise StoreError("There is no such file.", str(path), hint)
    try:
        manifest = json.loads((pq.read_schema(path).metadata or {})[MANIFEST_KEY.encode()])
        return ShareFile(path, Share.parse(manifest[SHARD]), manifest)
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise StoreError("The file is not a shard of a scored table.", str(path), hint) from error


def _common(file: ShareFile) -> dict[str, Any]:
    return {
        name: held for name, held in file.manifest.items() if name not in (SHARD, SETTINGS, NOTES, COUNTS, READ, "rows")
    }


def check_identity(files: Sequence[ShareFile], identity: Mapping[str, Any]) -> None:
    """Refuse to finish another run than the one that was shared out.

    Raises:
        StoreError: data, models or versions have changed since.
    """
    if not files:
        return
    if changed := differences(_common(files[0]), json.loads(json.dumps(identity, sort_keys=True, default=str))):
        what = f"The data, the models or the versions changed since the shards were made ({'; '.join(changed[:4])})."
        raise StoreError(what, str(files[0].path), "Merge where the shards were made, with the data as it was.")


def fill(files: Sequence[ShareFile], plan: Plan, staged: Staged, workspace: Workspace) -> None:
    """Put the numbers of all shares where a run looks for what it has measured already.

    Raises:
        StoreError: a number is missing, or there twice.
    """
    if not files or workspace.document(FILLED) is not None:
        return
    for scorer in scorers_of(plan):
        work, shards, schema = work_of(scorer, staged), workspace.shards(scorer.name), keyed_schema(scorer.schema)
        shards.clear()
        times = np.zeros(work.size, np.uint8)
        for file in files:
            numbers = file.numbers(scorer.name, schema)
            np.add.at(times, numbers[KEY].to_numpy(), 1)
            if numbers.num_rows:
                shards.append(numbers)
        doubled, found = int((times > 1).sum()), int((times > 0).sum())
        if doubled or found != work.total:
            missing = work.total - found
            raise StoreError(
                f"{scorer.title}: of {work.total:,} numbers {missing:,} are missing and {doubled:,} there twice.",
                str(files[0].path),
                "Machines with unlike memory cut other batches: measure all shards again with one --batch-tokens.",
            )
        notes = (file.manifest[NOTES].get(scorer.name) for file in files)
        shards.put_notes(next((one for one in notes if one is not None), []))
    workspace.put_document(FILLED, True)
