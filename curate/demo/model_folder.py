"""The folder of the demo's three models: the shipped ones, and how one whole set replaces another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from curate.errors import StoreError

NAMES = ("policy", "reference", "reward")
RECORD = "demo.json"
SHIPPED: Traversable = files("curate.demo") / "models"


def copy_models(folder: Path) -> None:
    """Put the shipped models in `folder`, replacing those of an earlier demo.

    Raises:
        StoreError: see `replacing`.
    """
    with replacing(folder) as aside:
        for name in NAMES:
            (aside / name).mkdir()
            for file in (SHIPPED / name).iterdir():
                (aside / name / file.name).write_bytes(file.read_bytes())
        (aside / RECORD).write_bytes((SHIPPED / RECORD).read_bytes())


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty temporary folder to fill with models, renamed to `folder` if the block ends without an error.

    The temporary folder is `<folder>.partial`; after an error or a kill it stays, `folder` is unchanged, and the next
    run starts over.

    Args:
        folder: where the models go; its parent is created if needed.

    Raises:
        StoreError: `folder`, or the temporary folder, contains something that the demo did not make.
    """
    aside = folder.with_name(f"{folder.name}.partial")
    for place in (folder, aside):
        _refuse_strangers(place)
    if aside.exists():
        shutil.rmtree(aside)
    aside.mkdir(parents=True)
    yield aside
    if folder.exists():
        # The record goes first: a kill during the removal must not leave half a folder that looks complete.
        (folder / RECORD).unlink(missing_ok=True)
        shutil.rmtree(folder)
    aside.replace(folder)


def _refuse_strangers(place: Path) -> None:
    """Models are replaced; anything else that a user keeps there is not ours to delete."""
    if not place.exists():
        return
    strangers = [] if place.is_dir() else [place.name]
    if place.is_dir():
        strangers = sorted({inside.name for inside in place.iterdir()} - {*NAMES, RECORD})
    if strangers:
        raise StoreError(
            f"The demo cannot put its models here: found {strangers[0]}, which it did not make.",
            str(place),
            "Move it away or choose another place with -o.",
        )
