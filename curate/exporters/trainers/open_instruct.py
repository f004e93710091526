"""open-instruct: both sides as whole conversations, for its DPO script.

It is not on the package index: its options and its reading of a local Parquet file follow its sources of 2026 and
were not run. By default it uploads the model and starts evaluations on its authors' cluster.
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
    text = f"""#!/bin/sh
# open-instruct on this folder's data. Run it from the root of an open-instruct checkout.
MODEL=${{MODEL:?name the model to train}}
DATA=$(cd "$(dirname "$0")" && pwd)/{written.file}
accelerate launch open_instruct/dpo_tune_cache.py \\
  --model_name_or_path "$MODEL" \\
  --mixer_list "$DATA" 1.0 \\
  --mixer_list_splits train \\
  --max_seq_length 4096 \\
  --push_to_hub false \\
  --try_launch_beaker_eval_jobs false \\
  --output_dir trained "$@"
"""
    return {"open_instruct.sh": text}


OPEN_INSTRUCT = Exporter(
    "open-instruct",
    "open-instruct: chosen, rejected as whole conversations",
    "parquet",
    pa.schema([("chosen", MESSAGES), ("rejected", MESSAGES)]),
    _rows,
    _snippet,
)
