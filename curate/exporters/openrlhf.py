"""OpenRLHF: both sides as whole conversations, for DPO and for reward models."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from curate.exporters.conversations import MESSAGES, whole
from curate.exporters.registry import Exporter, Pair, Row, Written


def _rows(pair: Pair) -> list[Row]:
    return [{"chosen": whole(pair, pair.chosen), "rejected": whole(pair, pair.rejected)}]


def _snippet(written: Written) -> Mapping[str, str]:
    margin = "# The reward trainer reads the column margin by itself.\n" if "margin" in written.columns else ""
    text = f"""#!/bin/sh
# OpenRLHF on this folder's data. Trainer: openrlhf.cli.train_dpo, or openrlhf.cli.train_rm for a reward model.
{margin}MODEL=${{MODEL:?name the model to train}}
TRAINER=${{TRAINER:-openrlhf.cli.train_dpo}}
cd "$(dirname "$0")" || exit 1
deepspeed --module "$TRAINER" \\
  --model.model_name_or_path "$MODEL" \\
  --data.dataset {written.file} \\
  --data.apply_chat_template \\
  --data.chosen_key chosen \\
  --data.rejected_key rejected \\
  --ckpt.output_dir trained
"""
    return {"openrlhf.sh": text}


OPENRLHF = Exporter(
    "openrlhf",
    "OpenRLHF DPO and RM: chosen, rejected as whole conversations (+ margin)",
    "jsonl",
    pa.schema([("chosen", MESSAGES), ("rejected", MESSAGES)]),
    _rows,
    _snippet,
    numbers=("margin",),
    derives_margin=True,
)
