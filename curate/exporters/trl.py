"""TRL (and Unsloth, which wraps it): preference pairs, pairs for a reward model, unpaired rows for KTO."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from curate.exporters.conversations import MESSAGES, answer, context, whole
from curate.exporters.registry import Exporter, Pair, Row, Written
from curate.schema import REF_LOGPS

SCRIPT = "trl_config.py"


def _explicit(pair: Pair) -> list[Row]:
    return [{"prompt": context(pair), "chosen": [answer(pair.chosen)], "rejected": [answer(pair.rejected)]}]


def _implicit(pair: Pair) -> list[Row]:
    return [{"chosen": whole(pair, pair.chosen), "rejected": whole(pair, pair.rejected)}]


def _unpaired(pair: Pair) -> list[Row]:
    sides = ((pair.chosen, True), (pair.rejected, False))
    return [{"prompt": context(pair), "completion": [answer(text)], "label": label} for text, label in sides]


def _head(trainer: str, written: Written) -> str:
    return f'''"""Train on the data of this folder with TRL's {trainer}Trainer: name your model, then run this file."""

from pathlib import Path

from datasets import load_dataset
from trl import {trainer}Config, {trainer}Trainer

MODEL = "NAME-OF-YOUR-MODEL"
DATA = Path(__file__).with_name("{written.file}")

train = load_dataset("parquet", data_files=str(DATA), split="train")
'''


def _plain_script(trainer: str, written: Written) -> str:
    return f"""{_head(trainer, written)}
args = {trainer}Config(output_dir="trained")
trainer = {trainer}Trainer(model=MODEL, args=args, train_dataset=train)

if __name__ == "__main__":
    trainer.train()
"""


def _given_reference_script(written: Written) -> str:
    return f'''{_head("DPO", written)}

class GivenReferenceTrainer(DPOTrainer):
    """Uses the columns {REF_LOGPS.chosen} and {REF_LOGPS.rejected} of the data in place of a reference model.

    They hold for the model, chat template and truncation with which they were measured, and for no other.
    """

    def _precompute_ref_logps(self, dataset, *args, **kwargs):
        given = {{"{REF_LOGPS.chosen}", "{REF_LOGPS.rejected}"}} <= set(dataset.column_names)
        return dataset if given else super()._precompute_ref_logps(dataset, *args, **kwargs)


# TRL 0.29 and later measure the reference anew unless this hook is overridden, and it is only called with the flag on.
# Versions 0.13 to 0.28 have no such hook: they use the columns by themselves, with the flag off.
HAS_HOOK = hasattr(DPOTrainer, "_precompute_ref_logps")

args = DPOConfig(output_dir="trained", precompute_ref_log_probs=HAS_HOOK)
trainer = GivenReferenceTrainer(model=MODEL, ref_model=None, args=args, train_dataset=train)

if __name__ == "__main__":
    trainer.train()
'''


def _pairs_snippet(written: Written) -> Mapping[str, str]:
    given = {REF_LOGPS.chosen, REF_LOGPS.rejected} <= set(written.columns)
    return {SCRIPT: _given_reference_script(written) if given else _plain_script("DPO", written)}


def _snippet_of(trainer: str, written: Written) -> Mapping[str, str]:
    return {SCRIPT: _plain_script(trainer, written)}


TRL = Exporter(
    "trl",
    "TRL DPO and kin, Unsloth: prompt, chosen, rejected as messages",
    "parquet",
    pa.schema([("prompt", MESSAGES), ("chosen", MESSAGES), ("rejected", MESSAGES)]),
    _explicit,
    _pairs_snippet,
    numbers=(REF_LOGPS.chosen, REF_LOGPS.rejected, "weight", "target_margin", "margin"),
)
TRL_REWARD = Exporter(
    "trl-reward",
    "TRL RewardTrainer: chosen, rejected as whole conversations (+ margin)",
    "parquet",
    pa.schema([("chosen", MESSAGES), ("rejected", MESSAGES)]),
    _implicit,
    lambda written: _snippet_of("Reward", written),
    numbers=("margin",),
    derives_margin=True,
)
KTO = Exporter(
    "kto",
    "TRL KTO: prompt, completion as messages, label; one row a response",
    "parquet",
    pa.schema([("prompt", MESSAGES), ("completion", MESSAGES), ("label", pa.bool_())]),
    _unpaired,
    lambda written: _snippet_of("KTO", written),
    unpaired=True,
)
