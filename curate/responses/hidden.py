"""Inner products of the two sides' summed hidden states, from the vectors that the policy's pass stored."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

import numpy as np

from curate.engines.local import KEY
from curate.schema import HIDDEN_PRODUCT, HIDDEN_SQUARE
from curate.scorers.model_scorers import HIDDEN
from curate.storage.disk import disk_errors
from curate.storage.shards import Shards

ROWS = 4096


def hidden_products(shards: Shards, chosen: np.ndarray, rejected: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """The columns of each pair, float64 [n]: NaN where a side was not measured.

    The vectors wait in a file, because those of a large table (4 bytes a response and hidden unit) do not fit in
    memory.

    Args:
        shards: the policy's results.
        chosen: for each pair the key under which its chosen response was measured, int64 [n].
        rejected: the same of its rejected response.
        folder: where the file is made.
    """
    with disk_errors(folder), tempfile.TemporaryFile(dir=folder) as file:
        places, width = _written(shards, file, max(chosen.max(initial=-1), rejected.max(initial=-1)) + 1)
        known = (places[chosen] >= 0) & (places[rejected] >= 0)
        found = {name: np.full(chosen.size, np.nan) for name in (HIDDEN_PRODUCT.name, HIDDEN_SQUARE.name)}
        if not known.any():
            return found
        vectors = np.memmap(file, np.float32, "r", shape=(int(places.max()) + 1, width))
        for rows in np.array_split(np.flatnonzero(known), -(-int(known.sum()) // ROWS)):
            first, second = (vectors[places[side[rows]]].astype(np.float64) for side in (chosen, rejected))
            found[HIDDEN_PRODUCT.name][rows] = np.einsum("nw,nw->n", first, second)
            found[HIDDEN_SQUARE.name][rows] = np.einsum("nw,nw->n", first, first)
        del vectors
    return found


def _written(shards: Shards, file: IO[bytes], keys: int) -> tuple[np.ndarray, int]:
    """Write all vectors one after another; returns each key's place among them, -1 for none, and their width."""
    places, count, width = np.full(keys, -1, np.int64), 0, 0
    for table in shards.tables([KEY, HIDDEN]):
        table = table.filter(table[HIDDEN].is_valid())
        if not table.num_rows:
            continue
        vectors = table[HIDDEN].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1)
        width = vectors.shape[1]
        places[table[KEY].to_numpy()] = np.arange(count, count + table.num_rows)
        count += table.num_rows
        file.write(np.ascontiguousarray(vectors, np.float32).tobytes())
    file.flush()
    return places, width
