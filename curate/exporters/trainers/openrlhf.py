"""OpenRLHF: both sides as whole conversations, for DPO and for reward models.

Read with 0.11.2's own `blending_datasets` and `RewardDataset`, the commands with its own parsers. It cuts
conversations at 512 tokens unless `--data.max_len` says otherwise, and uses margins only with
`--model.margin_loss_enable`, which only the reward trainer knows. Line ends after a response are lost with a template
that writes nothing after a turn.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from curate.exporters.conversations import MESSAGES, wholes
from curate.exporters.registry import Exporter, Pair, Row, Written

MARGINS = """# The reward trainer's loss takes the column margin, where it is told to.
if [ "$TRAINER" = openrlhf.cli.train_rm ]; then set -- --model.margin_loss_enable "$@"; fi
"""


def _rows(pair: Pair) -> list[Row]:
    chosen, rejected = wholes(pair)
    return [{"chosen": chosen, "rejected": rejected}]


def _snippet(written: Written) -> Mapping[str, str]:
    text = f"""#!/bin/sh
# OpenRLHF on this folder's data. Trainer: openrlhf.cli.train_dpo, or openrlhf.cli.train_rm for a reward model.
MODEL=${{MODEL:?name the model to train}}
TRAINER=${{TRAINER:-openrlhf.cli.train_dpo}}
cd "$(dirname "$0")" || exit 1
{MARGINS if "margin" in written.columns else ""}deepspeed --module "$TRAINER" \\
  --model.model_name_or_path "$MODEL" \\
  --data.dataset {written.file} \\
  --data.apply_chat_template \\
  --data.chosen_key chosen \\
  --data.rejected_key rejected \\
  --data.max_len 4096 \\
  --ckpt.output_dir trained "$@"
"""
    return {"openrlhf.sh": text}


OPENRLHF = Exporter(
    "openrlhf",
    "OpenRLHF DPO and RM: chosen, rejected as whole conversations (+ margin)",
    "parquet",
    pa.schema([("chosen", MESSAGES), ("rejected", MESSAGES)]),
    _rows,
    _snippet,
    numbers=("margin",),
    derives_margin=True,
)
