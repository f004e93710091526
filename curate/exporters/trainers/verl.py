"""verl: its RMDataset, which concatenates plain strings without a chat template. Read with 0.9.1's own class.

No trainer of 0.9.1 reads RMDataset: the data is for a trainer of your own. The class tokenizes each response alone,
so a tokenizer that begins every text with a begin-of-text token puts one before the response too.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from curate.exporters.registry import Exporter, Pair, Row, Written

SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant"}


def _rows(pair: Pair) -> list[Row]:
    said = [f"{SPEAKERS[one['role']]}: {one['content']}\n\n" for one in pair.prompt]
    return [{"prompt": "".join(said) + "Assistant: ", "chosen": pair.chosen, "rejected": pair.rejected}]


def _snippet(written: Written) -> Mapping[str, str]:
    text = f"""# No trainer of verl 0.9.1 reads RMDataset: this is for one of your own.
# The arguments of verl's RMDataset for this folder's data; only strings and numbers are in the file.
# RMDataset tokenizes prompt + response + end of sequence and applies no chat template. So the prompt is the messages
# in a row, each as "System: ", "User: " or "Assistant: ", its content and an empty line, and at the end the words
# "Assistant: ", after which the response follows. Give a model the same form when it is used.
parquet_files:
  - {written.file}
prompt_key: prompt
chosen_key: chosen
rejected_key: rejected
max_length: 4096
add_eos: true
"""
    return {"verl.yaml": text}


VERL = Exporter(
    "verl",
    "verl RMDataset, which no trainer of verl 0.9.1 reads: prompt, chosen, rejected as strings",
    "parquet",
    pa.schema([("prompt", pa.string()), ("chosen", pa.string()), ("rejected", pa.string())]),
    _rows,
    _snippet,
)
