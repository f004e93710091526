"""Axolotl: its `chat_template.default` form of DPO data."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from curate.exporters.conversations import MESSAGE, MESSAGES, answer, context
from curate.exporters.registry import Exporter, Pair, Row, Written


def _rows(pair: Pair) -> list[Row]:
    return [{"messages": context(pair), "chosen": answer(pair.chosen), "rejected": answer(pair.rejected)}]


def _snippet(written: Written) -> Mapping[str, str]:
    text = f"""# Axolotl: run `axolotl train axolotl.yaml` within this folder.
base_model: NAME-OF-YOUR-MODEL
rl: dpo
chat_template: tokenizer_default
datasets:
  - path: {written.file}
    ds_type: parquet
    split: train
    type: chat_template.default
    field_messages: messages
    field_chosen: chosen
    field_rejected: rejected
    message_property_mappings:
      role: role
      content: content
output_dir: trained
"""
    return {"axolotl.yaml": text}


AXOLOTL = Exporter(
    "axolotl",
    "Axolotl chat_template.default: messages, and chosen, rejected as single messages",
    "parquet",
    pa.schema([("messages", MESSAGES), ("chosen", MESSAGE), ("rejected", MESSAGE)]),
    _rows,
    _snippet,
)
