"""torchtune: its `preference_dataset`. Read with 0.6.1's own `config.instantiate`.

Earlier turns of the assistant count in the sums of both sides, which cancels in DPO. Its tokenizers, not a chat
template, decide what surrounds a text, and some strip white space at its ends.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from curate.exporters.conversations import MESSAGES, wholes
from curate.exporters.registry import Exporter, Pair, Row, Written


def _rows(pair: Pair) -> list[Row]:
    chosen, rejected = wholes(pair)
    return [{"chosen": chosen, "rejected": rejected}]


def _snippet(written: Written) -> Mapping[str, str]:
    text = f"""# torchtune: put this in place of the dataset of a DPO recipe's config, and run it within this folder.
dataset:
  _component_: torchtune.datasets.preference_dataset
  source: parquet
  data_files: {written.file}
  split: train
  column_map:
    chosen: chosen
    rejected: rejected
  train_on_input: false
"""
    return {"torchtune.yaml": text}


TORCHTUNE = Exporter(
    "torchtune",
    "torchtune preference_dataset: chosen, rejected as whole conversations",
    "parquet",
    pa.schema([("chosen", MESSAGES), ("rejected", MESSAGES)]),
    _rows,
    _snippet,
)
