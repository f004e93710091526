from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from curate.responses.hidden import hidden_products
from curate.storage.workspace import Workspace
from tests.examples import examples

SCHEMA = pa.schema([("key", pa.int64()), ("hidden", pa.list_(pa.float32()))])


@examples(0.25)
@given(st.data())
def test_products_are_those_of_numpy_whatever_the_order_of_keys(tmp_path_factory, data: st.DataObject) -> None:
    folder: Path = tmp_path_factory.mktemp("hidden")
    seed = data.draw(st.integers(0, 99))
    rng = np.random.default_rng(seed)
    keys, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 4))
    vectors = rng.normal(size=(keys, width)).astype(np.float32)
    missing = rng.random(keys) < 0.2
    order = rng.permutation(keys)
    chosen, rejected = rng.integers(0, keys, 9), rng.integers(0, keys, 9)
    with Workspace(folder / "o.parquet", {"command": "test"}, fresh=False, note=lambda _: None) as workspace:
        shards = workspace.shards("policy")
        for part in np.array_split(order, 2):
            held = [None if missing[key] else vectors[key].tolist() for key in part]
            if part.size:
                shards.append(pa.table({"key": part, "hidden": held}, schema=SCHEMA))
        found = hidden_products(shards, chosen, rejected, workspace.folder)
    known = vectors.astype(float)
    known[missing] = np.nan
    wanted = {"hidden_product": (known[chosen] * known[rejected]).sum(1), "hidden_square": (known[chosen] ** 2).sum(1)}
    wanted["hidden_square"][missing[rejected]] = np.nan
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12)
