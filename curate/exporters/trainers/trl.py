"""TRL (and Unsloth, which wraps it): preference pairs, pairs for a reward model, unpaired rows for KTO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from curate.exporters.conversations import MESSAGES, OPEN_MESSAGES, answers, context, wholes
from curate.exporters.registry import Exporter, Pair, Row, Written
from curate.schema import POLICY_LOGPS, REF_LOGPS, TOKENS, TOOLS

SCRIPT = "trl_config.py"
WITHOUT_REFERENCE = ("simpo", "repo")
"""Losses of these scripts that do not read a reference."""
OFFERED = (TOOLS, pa.string())
"""TRL hands the tools of this column, a list or its JSON, to the chat template."""
LABEL = ("label", pa.bool_())
SIDES = ("chosen", "rejected")


def _explicit(pair: Pair) -> list[Row]:
    chosen, rejected = answers(pair)
    return [{"prompt": context(pair), "chosen": [chosen], "rejected": [rejected], TOOLS: pair.tools}]


def _implicit(pair: Pair) -> list[Row]:
    chosen, rejected = wholes(pair)
    return [{"chosen": chosen, "rejected": rejected, TOOLS: pair.tools}]


def _unpaired(pair: Pair) -> list[Row]:
    sides = zip(answers(pair), pair.labels, strict=True)
    return [{"prompt": context(pair), "completion": [one], "label": label, TOOLS: pair.tools} for one, label in sides]


def _schema(columns: Sequence[str], kind: pa.DataType, *more: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([*((name, kind) for name in columns), *more])


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


def _loss(written: Written) -> tuple[str, dict[str, float], str]:
    """The loss that the weights and target margins belong to, its options, and a remark."""
    weighed = written.weighed or {}
    method, given = weighed.get("method"), weighed.get("parameters", {})
    if method in ("gamma_po", "amapo"):
        form = "dpo" if given.get("form") == "dpo" else "simpo"
        return form, {"beta": given["beta"]}, f"the target margins of {method} are in units of this loss and its beta"
    if method == "repo":
        return (
            "repo",
            {"gamma": given["gamma"]},
            "repo decides live which pairs still teach",
        )
    if method == "bpo":
        return "bpo", {name: given[name] for name in ("beta", "alpha")}, "bpo is computed live"
    if method is None and "target_margin" in written.columns:
        return "NAME-OF-THE-LOSS", {}, "dpo or simpo, with its beta: the loss for which the target margins were made"
    return "dpo", {}, "uses the data's weights where it has them; others: simpo, gamma_po, amapo, bpo, repo"


def _to_train(written: Written, loss: str) -> str:
    """Comment lines that name the model to train."""
    named = {role: f" ({name!r})" for role, name in written.measured.items()}
    if loss in WITHOUT_REFERENCE:
        policy = named.get("policy", "")
        return f"""# The loss reads no reference. The model to train is the one that the margins or weights
# were computed under: --policy of curate score{policy}."""
    if REF_LOGPS.chosen in written.columns:
        reference = named.get("reference", "")
        return f"""# The model to train is the one that the reference columns are of:
# --reference of curate score{reference}.
# The policy that measured the pairs (--policy) may have nothing left to learn from them."""
    return "# The model to train; a copy of it is the reference."


def _curated_script(written: Written) -> str:
    loss, options, why = _loss(written)
    live = [name for name in ("weight", "target_margin") if name in written.columns and loss in ("repo", "bpo")]
    drop = f"train = train.remove_columns({live})\n" if live else ""
    return f'''"""Train on the data of this folder with TRL and curate: name your model, then run this file.

Reference columns stand in for a reference model; CuratedDPOTrainer checks them before it starts.
Needs: pip install 'curate-preferences[trl]'
"""

from pathlib import Path

from datasets import load_dataset
from trl import DPOConfig

from curate.trl import CuratedDPOTrainer

{_to_train(written, loss)}
MODEL = "NAME-OF-YOUR-MODEL"
DATA = Path(__file__).with_name("{written.file}")

train = load_dataset("parquet", data_files=str(DATA), split="train")
{drop}
# {why}
LOSS, OPTIONS = "{loss}", {options}
args = DPOConfig(output_dir="trained")
trainer = CuratedDPOTrainer(model=MODEL, loss=LOSS, loss_options=OPTIONS, args=args, train_dataset=train)

if __name__ == "__main__":
    trainer.train()
'''


def _pairs_snippet(written: Written) -> Mapping[str, str]:
    used = {REF_LOGPS.chosen, "weight", "target_margin"} & set(written.columns)
    return {SCRIPT: _curated_script(written) if used else _plain_script("DPO", written)}


def _snippet_of(trainer: str, written: Written) -> Mapping[str, str]:
    return {SCRIPT: _plain_script(trainer, written)}


TRL = Exporter(
    "trl",
    "TRL DPO and kin, Unsloth: prompt, chosen, rejected as messages",
    "parquet",
    _schema(("prompt", *SIDES), MESSAGES),
    _explicit,
    _pairs_snippet,
    numbers=(REF_LOGPS.chosen, REF_LOGPS.rejected, "weight", "target_margin", "margin"),
    proofs=(POLICY_LOGPS.chosen, POLICY_LOGPS.rejected, TOKENS.chosen, TOKENS.rejected),
    any_text=True,
    with_tools=_schema(("prompt", *SIDES), OPEN_MESSAGES, OFFERED),
)
TRL_REWARD = Exporter(
    "trl-reward",
    "TRL RewardTrainer: chosen, rejected as whole conversations (+ margin)",
    "parquet",
    _schema(SIDES, MESSAGES),
    _implicit,
    lambda written: _snippet_of("Reward", written),
    numbers=("margin",),
    derives_margin=True,
    any_text=True,
    with_tools=_schema(SIDES, OPEN_MESSAGES, OFFERED),
)
KTO = Exporter(
    "kto",
    "TRL KTO: prompt, completion as messages, label; one row a response",
    "parquet",
    _schema(("prompt", "completion"), MESSAGES, LABEL),
    _unpaired,
    lambda written: _snippet_of("KTO", written),
    unpaired=True,
    with_tools=_schema(("prompt", "completion"), OPEN_MESSAGES, LABEL, OFFERED),
)
