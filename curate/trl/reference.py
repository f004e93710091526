"""Reference log-probabilities in the data: are they those of these exact tokens, under this exact model?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from accelerate.logging import get_logger
from accelerate.utils import AutocastKwargs

from curate.errors import InputError
from curate.schema import POLICY_LOGPS, REF_LOGPS, TOKENS

SIDES = ("chosen", "rejected")
REFERENCE = (REF_LOGPS.chosen, REF_LOGPS.rejected)
POLICY = (POLICY_LOGPS.chosen, POLICY_LOGPS.rejected)
COUNTS = (TOKENS.chosen, TOKENS.rejected)
PREFIX = "curate_"
FULL_PRECISION, LOW_PRECISION = 1e-3, 0.01
"""Nats per token by which a live forward pass, of a float32 model or one in fewer bits, may differ from the data."""
AGAIN = "Measure them for this trainer: curate score --match trl, with its model, chat template and max_length."

logger = get_logger(__name__)


@dataclass(frozen=True)
class ReferenceCheck:
    """Compares a data set's reference columns with what the trainer would see.

    Attributes:
        rows: rows to compare by a live forward pass, spread evenly; 0 for none.
        tolerance: maximum difference, nats per token; None for one that fits the model's dtype.
        reference: the reference model, or its path; if None, the model to be trained is used.
    """

    rows: int
    tolerance: float | None
    reference: Any

    def __call__(self, trainer: Any, dataset: Any, name: str) -> None:
        """Check one tokenised data set.

        Raises:
            InputError: the columns are over other tokens, or differ by more than the tolerance.
        """
        if not hasattr(dataset, "__len__"):
            examples = list(islice(iter(dataset), max(self.rows, 1)))
            check_counts({key: [e[key] for e in examples] for key in examples[0]}, trainer.args.max_length, name)
            places = list(range(len(examples)))
        else:
            check_counts(token_columns(dataset), trainer.args.max_length, name)
            places = sample_rows(len(dataset), self.rows)
            examples = [dataset[place] for place in places]
        if trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled:
            logger.warning("The model is sharded here: reference columns were compared by their token counts only.")
        elif self.rows > 0 and examples:
            self._compare(trainer, examples, places, name)

    def _compare(self, trainer: Any, examples: list[dict[str, Any]], places: list[int], name: str) -> None:
        model = trainer.model if self.reference is None else _opened(self.reference, trainer)
        live = live_logps(trainer, model, examples)
        full = model.dtype in (torch.float32, torch.float64)
        tolerance = self.tolerance if self.tolerance is not None else FULL_PRECISION if full else LOW_PRECISION
        limit = trainer.args.max_length
        found = difference(places, examples, REFERENCE, live, limit)
        policy = found_names(POLICY, list(examples[0]))
        if self.reference is None and not found.within(tolerance) and policy is not None:
            found = difference(places, examples, (policy[0], policy[1]), live, limit)
            if found.within(tolerance):
                logger.warning(
                    f"{name}: the model to be trained is the policy that measured these pairs, not the reference that "
                    "the reference columns are of. DPO begins at the reference; from the policy, pairs that were "
                    "selected for its margin may teach nothing. The reference columns, measured with the policy's, are "
                    "taken on trust: give the reference as model, or as ref_model to check them too."
                )
        if not found.within(tolerance):
            whose = "the reference model" if self.reference is not None else "the model to be trained"
            raise InputError(
                f"The data's log-probabilities differ from those of {whose} by {found.largest:.2g} nats per token.",
                f"{name} row {found.row}, tolerance {tolerance:g}",
                f"{AGAIN} If another model is the reference, give it as ref_model.",
            )


def found_names(wanted: Sequence[str], present: Sequence[str]) -> tuple[str, ...] | None:
    """These columns under their own names or with curate's prefix; None unless all exist."""
    for names in (tuple(wanted), tuple(PREFIX + name for name in wanted)):
        if set(names) <= set(present):
            return names
    return None


def sample_rows(size: int, rows: int) -> list[int]:
    """Rows spread evenly over the data, including the first and the last."""
    return sorted({round(i * (size - 1) / max(1, rows - 1)) for i in range(min(size, rows))})


def check_counts(columns: Mapping[str, Any], max_length: int | None, name: str) -> None:
    """Refuse data whose measured sums cover other tokens than the trainer's, if the data says how many there were.

    Args:
        columns: values of all rows by name: the token ids, and the counts if any.
        max_length: the trainer's maximum length.
        name: the name of the data set.

    Raises:
        InputError: names the first such row.
    """
    counts = found_names(COUNTS, list(columns))
    if counts is None:
        return
    prompts = _sizes(columns["prompt_ids"])
    for side, column in zip(SIDES, counts, strict=True):
        live = _counted(prompts, _sizes(columns[f"{side}_ids"]), max_length)
        measured = np.array([value if isinstance(value, int | float) else np.nan for value in columns[column]])
        wrong = np.flatnonzero(measured != live)
        if wrong.size:
            row = int(wrong[0])
            raise InputError(
                f"{wrong.size} of {live.size} {side} responses were measured over other tokens than TRL counts.",
                f"{name} row {row}: {measured[row]:g} tokens in {column}, {live[row]} in the trainer",
                AGAIN,
            )


def _counted(prompt: np.ndarray, response: np.ndarray, max_length: int | None) -> np.ndarray:
    """Response tokens left after truncating the end of what is too long."""
    return response if max_length is None else np.clip(max_length - prompt, 0, response)


def _sizes(ids: Any) -> np.ndarray:
    return np.array([len(one) for one in ids])


def token_columns(dataset: Any) -> dict[str, Any]:
    """What `check_counts` reads from a tokenised data set."""
    plain = dataset.with_format(None)
    counts = found_names(COUNTS, plain.column_names) or ()
    chosen = plain.select_columns(["prompt_ids", "chosen_ids", "rejected_ids", *counts])
    return {name: chosen[name] for name in chosen.column_names}


def _opened(reference: Any, trainer: Any) -> Any:
    from trl.trainer.utils import add_fused_lm_head, create_model_from_path

    if isinstance(reference, str):
        reference = create_model_from_path(reference, **(trainer.args.model_init_kwargs or {}))
    add_fused_lm_head(reference)
    return reference.to(trainer.accelerator.device).eval()


@torch.no_grad()
def live_logps(trainer: Any, model: Any, examples: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Log-probabilities of chosen and rejected, each pair in its own batch, without mixed precision: [rows, 2]."""
    was_training = model.training
    model.eval()
    collate = getattr(trainer.data_collator, "collator", trainer.data_collator)
    found = []
    with _unmixed(trainer.accelerator):
        for example in examples:
            tokens = {key: value for key, value in example.items() if key.endswith("_ids")}
            batch = {key: value.to(trainer.accelerator.device) for key, value in collate([tokens]).items()}
            found.append([float(side) for side in trainer.compute_ref_log_probs(model, batch)])
    model.train(was_training)
    return np.array(found)


@contextmanager
def _unmixed(accelerator: Any) -> Iterator[None]:
    before = accelerator.autocast_handler
    accelerator.autocast_handler = AutocastKwargs(enabled=False)
    try:
        yield
    finally:
        accelerator.autocast_handler = before


@dataclass(frozen=True)
class Difference:
    """The largest difference between columns of the data and a live forward pass, in nats per token, and its row."""

    largest: float
    row: int

    def within(self, tolerance: float) -> bool:
        """Whether it may be due to rounding; never for NaN."""
        return self.largest <= tolerance


def difference(
    rows: Sequence[int],
    examples: Sequence[Mapping[str, Any]],
    names: tuple[str, str],
    live: np.ndarray,
    max_length: int | None,
) -> Difference:
    """How far the columns are from what a model says now.

    Args:
        rows: the rows' numbers.
        examples: these rows.
        names: the chosen and the rejected column.
        live: log-probabilities of chosen and rejected under the model, summed, [rows, 2].
        max_length: the trainer's.
    """
    given = np.array([[example[name] for name in names] for example in examples], dtype=float)
    prompts = _sizes([example["prompt_ids"] for example in examples])
    tokens = [_counted(prompts, _sizes([e[f"{side}_ids"] for e in examples]), max_length) for side in SIDES]
    per_token = np.abs(given - live) / np.maximum(np.stack(tokens, axis=1), 1)
    worst = per_token.max(axis=1)
    place = int(np.argmax(np.where(np.isnan(worst), np.inf, worst)))
    return Difference(float(worst[place]), rows[place])
