"""LLaMA-Factory: its sharegpt form with a ranking. Read with 0.9.5's own `get_train_args` and `get_dataset`.

What it does to other rows: turns that do not alternate are dropped with only a warning; an empty system message
counts as none, so the template's own is used; `{{idx}}` in a user message becomes the turn's number; `<image>`,
`<video>` and `<audio>` count as media with multimodal templates, which then fail. It reads tools in JSON, and a call as
a turn `function_call`, its result as a turn `observation`; that follows its sources (its sharegpt converter), and was
not run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa

from curate.errors import RowError
from curate.exporters.refusals import alternating, calls_alone
from curate.exporters.registry import Exporter, Pair, Row, Written
from curate.schema import TOOL, TOOL_CALLS, TOOLS, Message

DATASET = "curate_pairs"
TURN_NUMBER = "{{idx}}"
SPEAKERS = {"user": "human", "assistant": "gpt", TOOL: "observation"}
TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
SCHEMA = pa.schema([("conversations", pa.list_(TURN)), ("chosen", TURN), ("rejected", TURN), ("system", pa.string())])


def _rows(pair: Pair) -> list[Row]:
    system, turns = alternating(pair, "llamafactory")
    if system == "":
        raise RowError("llamafactory takes an empty system message for none")
    if any(TURN_NUMBER in one["content"] for one in turns if one["role"] == "user"):
        raise RowError(f"llamafactory replaces {TURN_NUMBER} in what the user says")
    return [
        {
            "conversations": [_turn(one) for one in turns],
            "chosen": _turn(pair.answers[0]),
            "rejected": _turn(pair.answers[1]),
            "system": system or "",
            TOOLS: pair.tools or "",
        }
    ]


def _turn(one: Message) -> Row:
    if TOOL_CALLS in one:
        return {"from": "function_call", "value": json.dumps(calls_alone(one, "llamafactory"), ensure_ascii=False)}
    return {"from": SPEAKERS[one["role"]], "value": one["content"]}


def _snippet(written: Written) -> Mapping[str, str]:
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected", "system": "system"}
    columns |= {TOOLS: TOOLS} if TOOLS in written.columns else {}
    entry = {"file_name": written.file, "formatting": "sharegpt", "ranking": True, "columns": columns}
    config = f"""# LLaMA-Factory: run `llamafactory-cli train llamafactory.yaml` within this folder.
model_name_or_path: NAME-OF-YOUR-MODEL
stage: dpo
do_train: true
finetuning_type: lora
pref_beta: 0.1
pref_loss: sigmoid
dataset_dir: .
dataset: {DATASET}  # the entry of dataset_info.json that names {written.file}
template: NAME-OF-YOUR-MODELS-TEMPLATE
cutoff_len: 4096
learning_rate: 5.0e-6
output_dir: trained
"""
    info = json.dumps({DATASET: entry}, indent=2) + "\n"
    return {"dataset_info.json": info, "llamafactory.yaml": config}


LLAMAFACTORY = Exporter(
    "llamafactory",
    "LLaMA-Factory sharegpt ranking: conversations, chosen, rejected, system",
    "parquet",
    SCHEMA,
    _rows,
    _snippet,
    placeholders=("<image>", "<video>", "<audio>"),
    with_tools=SCHEMA.append(pa.field(TOOLS, pa.string())),
)
