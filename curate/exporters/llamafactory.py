"""LLaMA-Factory: its sharegpt form with a ranking."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

from curate.errors import RowError
from curate.exporters.registry import Exporter, Pair, Row, Written
from curate.schema import Message

DATASET = "curate_pairs"
SPEAKERS = {"user": "human", "assistant": "gpt"}
TURN = pa.struct([("from", pa.string()), ("value", pa.string())])


def _rows(pair: Pair) -> list[Row]:
    has_system = pair.prompt[0]["role"] == "system"
    turns = _turns(pair.prompt[1:] if has_system else pair.prompt)
    return [
        {
            "conversations": turns,
            "chosen": {"from": "gpt", "value": pair.chosen},
            "rejected": {"from": "gpt", "value": pair.rejected},
            "system": pair.prompt[0]["content"] if has_system else "",
        }
    ]


def _turns(messages: Sequence[Message]) -> list[Row]:
    """The turns; LLaMA-Factory drops what does not alternate from a human turn to a human turn, with but a warning."""
    if any(one["role"] == "system" for one in messages):
        raise RowError("llamafactory takes a system message only in front")
    expected = ["user" if i % 2 == 0 else "assistant" for i in range(len(messages))]
    if [one["role"] for one in messages] != expected:
        raise RowError("llamafactory needs turns of user and assistant that alternate, the user's first")
    if len(messages) % 2 == 0:
        raise RowError("llamafactory needs an odd number of turns before the response, the last one the user's")
    return [{"from": SPEAKERS[one["role"]], "value": one["content"]} for one in messages]


def _snippet(written: Written) -> Mapping[str, str]:
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected", "system": "system"}
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
output_dir: trained
"""
    info = json.dumps({DATASET: entry}, indent=2) + "\n"
    return {"dataset_info.json": info, "llamafactory.yaml": config}


LLAMAFACTORY = Exporter(
    "llamafactory",
    "LLaMA-Factory sharegpt ranking: conversations, chosen, rejected, system",
    "jsonl",
    pa.schema([("conversations", pa.list_(TURN)), ("chosen", TURN), ("rejected", TURN), ("system", pa.string())]),
    _rows,
    _snippet,
)
