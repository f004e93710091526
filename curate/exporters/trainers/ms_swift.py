"""ms-swift: the chosen conversation, and the rejected response. Read with 4.6.0's own `load_dataset` and template.

What it does to other rows: the rejected response replaces everything after the last user turn, so a prompt that ends
with the assistant would lose that turn on one side; turns of one speaker in a row are joined without a space; a
conversation that begins with the assistant gets an empty user turn in front; words such as `<image>` are media.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from curate.exporters.conversations import MESSAGES, whole
from curate.exporters.refusals import alternating
from curate.exporters.registry import Exporter, Pair, Row, Written

MEDIA = ("<image>", "<video>", "<audio>", "<bbox>", "<ref-object>", "<cot-process>", "<start-image>")


def _rows(pair: Pair) -> list[Row]:
    alternating(pair, "ms-swift")
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
  --max_length 4096 \\
  --output_dir trained "$@"
"""
    return {"ms_swift.sh": text}


MS_SWIFT = Exporter(
    "ms-swift",
    "ms-swift: messages that end with chosen, rejected_response (+ margin)",
    "parquet",
    pa.schema([("messages", MESSAGES), ("rejected_response", pa.string())]),
    _rows,
    _snippet,
    numbers=("margin",),
    derives_margin=True,
    placeholders=MEDIA,
)
