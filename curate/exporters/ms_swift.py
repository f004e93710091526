"""ms-swift: the chosen conversation, and the rejected response beside it."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from curate.exporters.conversations import MESSAGES, whole
from curate.exporters.registry import Exporter, Pair, Row, Written


def _rows(pair: Pair) -> list[Row]:
    return [{"messages": whole(pair, pair.chosen), "rejected_response": pair.rejected}]


def _snippet(written: Written) -> Mapping[str, str]:
    margin = "# With TYPE=rm the column margin is read too.\n" if "margin" in written.columns else ""
    text = f"""#!/bin/sh
# ms-swift on this folder's data. TYPE: dpo, or rm for a reward model.
{margin}MODEL=${{MODEL:?name the model to train}}
cd "$(dirname "$0")" || exit 1
swift rlhf \\
  --rlhf_type "${{TYPE:-dpo}}" \\
  --model "$MODEL" \\
  --dataset {written.file} \\
  --output_dir trained
"""
    return {"ms_swift.sh": text}


MS_SWIFT = Exporter(
    "ms-swift",
    "ms-swift: messages that end with chosen, rejected_response (+ margin)",
    "jsonl",
    pa.schema([("messages", MESSAGES), ("rejected_response", pa.string())]),
    _rows,
    _snippet,
    numbers=("margin",),
    derives_margin=True,
)
