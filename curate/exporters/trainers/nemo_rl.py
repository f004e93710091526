"""NeMo-RL: its PreferenceDataset of ranked completions.

The package index only has a stub of it: the form follows its sources and was not run. Most of its releases read
local data only from JSON, so texts that look like dates are refused. Its example configs validate on HelpSteer3 from
the hub, unless `validation` names something else.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from curate.exporters.conversations import MESSAGES, answers, context
from curate.exporters.registry import Exporter, Pair, Row, Written

RANKED = pa.list_(pa.struct([("rank", pa.int64()), ("completion", MESSAGES)]))


def _rows(pair: Pair) -> list[Row]:
    completions = [{"rank": rank, "completion": [one]} for rank, one in enumerate(answers(pair))]
    return [{"context": context(pair), "completions": completions}]


def _snippet(written: Written) -> Mapping[str, str]:
    text = f"""# NeMo-RL: the data of a DPO or RM config; data_path is relative to where you start the run.
# validation: held-out pairs tell more; these are the training pairs, so that a run needs nothing from the hub.
data:
  train:
    dataset_name: PreferenceDataset
    data_path: {written.file}
    split: train
  validation:
    dataset_name: PreferenceDataset
    data_path: {written.file}
    split: train
"""
    return {"nemo_rl.yaml": text}


NEMO_RL = Exporter(
    "nemo-rl",
    "NeMo-RL PreferenceDataset: context, completions ranked 0 (chosen) and 1",
    "jsonl",
    pa.schema([("context", MESSAGES), ("completions", RANKED)]),
    _rows,
    _snippet,
)
