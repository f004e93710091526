"""Whether the same command already made an output, and what its manifest says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curate.pairs.table import summarise
from curate.plan.template_date import undated
from curate.storage.disk import read_table
from curate.storage.places import next_to
from curate.storage.workspace import work_folder
from curate.writers.parquet import MANIFEST_KEY


def output_files(out: Path) -> list[Path]:
    """The Parquet files of an output: the file itself or a folder's shards; empty if it does not exist."""
    return sorted(out.glob("data-*.parquet")) if out.is_dir() else [out] if out.is_file() else []


def finished_manifest(out: Path, identity: Mapping[str, Any], *, any_day: bool = False) -> dict[str, Any] | None:
    """The manifest of a complete output with this identity, its bad rows next to it; None if there is none.

    Outputs that cannot be read, differ from their manifest's row count or have unfinished work do not count.

    Args:
        out: the output.
        identity: everything that decides the result.
        any_day: whether the date printed by chat templates may differ, because the user named none.
    """
    files = output_files(out)
    if not files or work_folder(out).exists():
        return None
    try:
        metadata = [pq.read_metadata(path) for path in files]
        manifest = json.loads(metadata[0].metadata[MANIFEST_KEY.encode()])
        rows = manifest["rows"]
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
        return None
    wanted = json.loads(json.dumps(identity, sort_keys=True, default=str))
    same = all(_same(manifest.get(key), value, any_day) for key, value in wanted.items())
    whole = sum(one.num_rows for one in metadata) == rows.get("written")
    with_rejects = not rows.get("rejected") or next_to(out, "rejects").is_file()
    return manifest if same and whole and with_rejects else None


def _same(held: Any, wanted: Any, any_day: bool) -> bool:
    return bool(undated(held) == undated(wanted) if any_day else held == wanted)


def details_of(out: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """What a result says about the metrics, flags and judges of a finished output."""
    lists = manifest.get("metrics", {})
    used = {m: {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()} for m, given in lists.items()}
    frames = [pl.from_arrow(read_table(path, list(used))) for path in output_files(out)]
    frame = pl.concat([one for one in frames if isinstance(one, pl.DataFrame)])
    return {
        "metrics": summarise(frame, list(used)),
        "parameters": used,
        "flags": dict(Counter(manifest.get("flags", {})).most_common()),
        "judges": manifest.get("judges", {}),
    }
