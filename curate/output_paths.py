"""Where an output may be written, and what stands beside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from curate.errors import StoreError


def check_out(out: Path, inputs: list[Path]) -> None:
    """Refuse an output place before any work is done.

    Raises:
        StoreError: no such parent folder can be made or written, another file type than Parquet, one of the inputs.
    """
    if out.suffix and out.suffix != ".parquet":
        raise StoreError(
            f"The output is Parquet, not {out.suffix}.", str(out), "Name a .parquet file, or a folder (no suffix)."
        )
    if out.suffix == ".parquet" and out.is_dir():
        raise StoreError("The output is a folder.", str(out), "Name a file, or a folder without .parquet.")
    if any(out.resolve() in (path.resolve(), *path.resolve().parents) for path in inputs):
        raise StoreError("The output would replace its own input.", str(out), "Choose another place with -o.")
    rejects = beside(out, "rejects")
    if any(rejects.resolve() == path.resolve() for path in inputs):
        raise StoreError("The rejects file would replace the input.", str(rejects), "Choose another place with -o.")
    parent = out.absolute().parent
    existing = next(folder for folder in (parent, *parent.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise StoreError("The output folder cannot be written.", str(existing), "Choose another place with -o.")
    needed = sum(path.stat().st_size for path in inputs if path.is_file())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise StoreError(
            f"The disk has {free / 2**20:,.1f} MiB free; the data alone has {needed / 2**20:,.1f} MiB.",
            str(existing),
            "Free some space, or choose another place with -o.",
        )


def beside(out: Path, suffix: str) -> Path:
    """A file beside the output: `pairs.parquet` -> `pairs.rejects.parquet`, `pairs` -> `pairs.rejects.parquet`."""
    stem = out.name.removesuffix(".parquet")
    return out.with_name(f"{stem}.{suffix}.parquet")
