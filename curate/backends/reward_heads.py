"""Reward models that are not plain sequence classifiers: where their reward is, and which cannot be run here.

A head is written FIELD, FIELD:INDEX or FIELD:mean: a field of the forward pass's output, and how several numbers
become one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curate.backends import ModelSpec
from curate.errors import ModelError, SettingsError
from curate.model import Model
from curate.schema import Record

PLAIN = "logits"
UNKNOWN = "auto"
"""For unknown model code: `logits`, unless a field called `score` contradicts it."""
FUNCTION = "Use --reward=python:MODULE:FUNCTION and call it there as its card says."
OUTPUT_PROJECTIONS = ("lm_head.", "embed_out.", "output.", "cls.")
"""What a language model's checkpoint holds besides its body; reward models trained from one often keep it."""
JUDGE = "Use --reward=judge:MODEL, which asks it and reads its answer."
HEAD = re.compile(r"^[A-Za-z_]\w*(:(\d+|mean))?$")


@dataclass(frozen=True)
class KnownModel:
    """What is known about a family of reward models.

    Attributes:
        pattern: found in the hub id or folder name, ignoring case.
        source: V if verified in code or on a card, M if from memory.
        head: where the reward is.
        scale: the range of its rewards, if known.
        own_code: whether it needs --trust-remote-code.
        system_prompt: whether it was trained with system messages.
        max_length: maximum tokens it was made for, if fewer than its configuration says.
        refused: why it cannot be run here.
        instead: what to do instead.
    """

    pattern: str
    source: Literal["V", "M"]
    head: str = PLAIN
    scale: str = ""
    own_code: bool = False
    system_prompt: bool = True
    max_length: int | None = None
    refused: str = ""
    instead: str = FUNCTION


KNOWN = (
    KnownModel(r"Skywork-Reward-V2", "V", scale="about -30 to 40", system_prompt=False, max_length=16_384),
    KnownModel(r"Skywork-Reward-(Llama|Gemma)", "M", scale="about -30 to 40", system_prompt=False),
    KnownModel(r"ArmoRM", "V", head="score", scale="about 0 to 0.2", own_code=True),
    KnownModel(r"QRM-(Llama|Gemma)", "M", head="score", own_code=True),
    KnownModel(r"URM-LLaMa", "M", own_code=True),
    KnownModel(r"FsfairX", "V"),
    KnownModel(r"Nemotron-.*Reward", "V", refused="its reward is the first logit of a causal language model"),
    KnownModel(r"PairRM", "V", refused="it compares two responses and rates none alone"),
    KnownModel(r"pair-preference-model", "V", refused="it compares two responses and rates none alone"),
    KnownModel(
        r"INF-ORM|LDL-Reward|WorldPM|UltraRM|Eurus-RM|Starling-RM", "V", refused="its head is a class of its own"
    ),
    KnownModel(r"internlm2-.*reward", "V", refused="its head is a class of its own"),
    KnownModel(r"DeepSeek-GRM|RM-R1|GenRM", "V", refused="it writes its judgement as text", instead=JUDGE),
)


def known_model(model: Model) -> KnownModel | None:
    """What is known about this model, by its name."""
    return next((one for one in KNOWN if re.search(one.pattern, model.short, re.IGNORECASE)), None)


def choose_head(spec: ModelSpec, config: Any) -> str | None:
    """Where the reward is in the model's output; None for a plain classifier with one output.

    The user's setting overrides the table, and the table overrides a look into the configuration.

    Raises:
        ModelError: it cannot be run here, needs code that the user does not trust, or has several outputs and nothing
            says how they become one reward.
        SettingsError: the user's head is malformed.
    """
    known = known_model(spec.model)
    own_code = "AutoModelForSequenceClassification" in (getattr(config, "auto_map", None) or {})
    if spec.reward_head is None and known and known.refused:
        raise ModelError(f"This reward model cannot be run here: {known.refused}.", spec.name, known.instead)
    if (own_code or (known and known.own_code and not spec.reward_head)) and not spec.trust_remote_code:
        # Without their code, some such models load as plain classifiers and give wrong numbers.
        raise ModelError(
            "This reward model computes its reward with code of its own.",
            spec.name,
            "If you trust its code, add --trust-remote-code.",
        )
    if spec.reward_head is not None:
        plain = checked(spec.reward_head) == PLAIN and not own_code and config.num_labels == 1
        return None if plain else spec.reward_head
    if known and known.head != PLAIN:
        return known.head
    if own_code:
        return UNKNOWN
    # The number means nothing for another kind of checkpoint; loading finds that it has no head.
    classifier = any(name.endswith("ForSequenceClassification") for name in config.architectures or ())
    if classifier and config.num_labels != 1:
        raise ModelError(
            f"The reward model has {config.num_labels} outputs, not one.",
            spec.name,
            "Say which counts: --reward-head=logits:0 or --reward-head=logits:mean; or use a model with one output.",
        )
    return None


def checked(head: str) -> str:
    """The head, if it is well-formed.

    Raises:
        SettingsError: it is not.
    """
    if HEAD.match(head):
        return head
    raise SettingsError(
        f"{head!r} does not name an output.",
        setting="reward_head",
        value=head,
        hint="Give FIELD, FIELD:INDEX or FIELD:mean, such as logits:0.",
    )


def check_unused(name: str, model: Any, unexpected: Sequence[str]) -> None:
    """Refuse a checkpoint with weights besides body and head that the plain classifier leaves out.

    Raises:
        ModelError: see above.
    """
    known = (f"{model.base_model_prefix}.", *OUTPUT_PROJECTIONS)
    left = sorted(key for key in unexpected if not key.startswith(known))
    if left:
        raise ModelError(
            f"The checkpoint holds weights that a plain reward model leaves out: {', '.join(left[:3])}.",
            name,
            "It may have a head of its own: see its card, and --trust-remote-code.",
        )


def check_servable(spec: ModelSpec, head: str | None) -> None:
    """Refuse a reward model for which vLLM would read another number.

    Raises:
        ModelError: its head is not the plain one.
    """
    if head is not None:
        raise ModelError("vLLM does not know this reward model's head.", f"{spec.name}: {head}", "Use --backend=torch.")


def model_notes(model: Model, sample: Sequence[Record]) -> list[str]:
    """What the user should know about using this model on these rows."""
    known, name = known_model(model), model.name
    if known is None:
        return []
    notes = []
    with_system = sum(any(m["role"] == "system" for m in record.prompt) for record in sample)
    if with_system and not known.system_prompt:
        notes.append(
            f"{name} was trained without system messages; {with_system} of the first {len(sample)} rows have one."
        )
    if known.head != PLAIN:
        remembered = "" if known.source == "V" else " (from memory: compare one row with its card)"
        scale = f", {known.scale}" if known.scale else ""
        notes.append(f"{name}: the reward is read from its field {known.head}{scale}{remembered}.")
    return notes
