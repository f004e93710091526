"""ms-swift: the chosen conversation, and the rejected response. Read with 4.6.0's own `load_dataset` and template.

What it does to other rows: the rejected response replaces everything after the last user turn, so a prompt that ends
with the assistant would lose that turn on one side; turns of one speaker in a row are joined without a space; a
conversation that begins with the assistant gets an empty user turn in front; words such as `<image>` are media. It
reads tools in JSON, and a call as a turn of its own; that follows its documentation, and was not run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa

from curate.errors import RowError
from curate.exporters.conversations import MESSAGES
from curate.exporters.refusals import alternating, calls_alone
from curate.exporters.registry import Exporter, Pair, Row, Written
from curate.schema import TOOL, TOOL_CALLS, TOOLS, Message

MEDIA = ("<image>", "<video>", "<audio>", "<bbox>", "<ref-object>", "<cot-process>", "<start-image>")

SCHEMA = pa.schema([("messages", MESSAGES), ("rejected_response", pa.string())])


def _rows(pair: Pair) -> list[Row]:
    alternating(pair, "ms-swift")
    if any(pair.calls):
        raise RowError("ms-swift takes the rejected response as a text, so no response can call a tool")
    messages = [_turn(one) for one in pair.prompt] + [{"role": "assistant", "content": pair.chosen}]
    return [{"messages": messages, "rejected_response": pair.rejected, TOOLS: pair.tools}]


def _turn(one: Message) -> Row:
    if one["role"] == TOOL:
        return {"role": "tool_response", "content": one["content"]}
    if TOOL_CALLS not in one:
        return {"role": one["role"], "content": one["content"]}
    calls = calls_alone(one, "ms-swift")
    if len(calls) > 1:
        raise RowError("ms-swift answers each call of a tool in a turn of its own; here one turn calls several")
    return {"role": "tool_call", "content": json.dumps(calls[0], ensure_ascii=False)}


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
    SCHEMA,
    _rows,
    _snippet,
    numbers=("margin",),
    derives_margin=True,
    placeholders=MEDIA,
    with_tools=SCHEMA.append(pa.field(TOOLS, pa.string())),
)
