"""TRL's DPO trainer, using what curate measured: reference columns, weights, target margins, margin-aware losses."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from accelerate.logging import get_logger
from transformers import PreTrainedModel, Trainer
from trl import DPOConfig, DPOTrainer

from curate.errors import InputError, SettingsError
from curate.trl.collating import WithColumns
from curate.trl.contract import check_trl
from curate.trl.first_loss import FirstLoss, advice
from curate.trl.losses import PairLogps, find_loss, on_arrays
from curate.trl.metrics import record_metrics
from curate.trl.reference import REFERENCE, ReferenceCheck, check_counts, token_columns

NOT_MODEL = ("completion_mask", *REFERENCE, "weight", "target_margin", "margin")
RENDERED = ("tools", "chat_template_kwargs")
"""Columns with which TRL's chat template renders more than curate measured."""

logger = get_logger(__name__)


class CuratedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """A DPOTrainer that uses the measurements in the data, and knows the margin-aware losses.

    If the data has `ref_chosen_logps` and `ref_rejected_logps`, no reference model is kept: they are used as they are,
    after a check. The check compares token counts (if the data has curate's) of all rows, and a live forward pass on a
    sample of rows: of `ref_model` if given, which is then freed; otherwise of the model to be trained, which must agree
    with the reference columns (it is its own reference) or with the policy columns measured with them. The columns
    `weight` and `target_margin` go into the losses `dpo` and `simpo`.

    Train the model of the reference columns (`curate score --reference`). The policy that measured the pairs may have
    nothing left to learn from pairs selected by it: a warning says so if it is given as the model, and if the loss of
    the first step is nearly 0.

    Args:
        model: as for DPOTrainer; if the data has reference columns, the model that they belong to.
        ref_model: as for DPOTrainer, or a model's path; if the data has reference columns, only the check reads it.
        args: a DPOConfig. With the loss `dpo`, its loss_type must be sigmoid or hinge if the data has weights or target
            margins; otherwise it can be anything that TRL offers.
        loss: dpo, simpo, gamma_po, madpo, amapo, bpo or repo; see curate.trl.losses. All except `dpo` without columns
            are computed here, replacing TRL's.
        loss_options: parameters of the loss. If its beta scales log-ratios (dpo, madpo, bpo), it defaults to that of
            `args`.
        check_rows: rows of each data set to check by a live forward pass; 0 takes the reference columns on trust.
        tolerance: maximum difference in the check, nats per token; 1e-3 for a float32 model, else 0.01.
        trainer: other arguments of DPOTrainer, by name.

    Raises:
        SettingsError: an unknown loss, or a combination that would be computed wrongly.
        InputError: reference columns of other tokens or another model; a null in a column that is used.
    """

    _signature_columns: Any

    def __init__(
        self,
        model: str | PreTrainedModel,
        ref_model: str | PreTrainedModel | None = None,
        args: DPOConfig | None = None,
        *,
        loss: str = "dpo",
        loss_options: Mapping[str, Any] | None = None,
        check_rows: int = 8,
        tolerance: float | None = None,
        **trainer: Any,
    ) -> None:
        check_trl()
        args = copy.copy(args) if args is not None else DPOConfig(f"{_short_name(model)}-DPO")
        self._loss = find_loss(loss)
        self._parameters = self._loss.parameters(loss_options or {})
        self._reads_reference = self._loss.reference(self._parameters)
        if self._reads_reference and "beta" not in (loss_options or {}):
            self._parameters["beta"] = args.beta
        present = _columns(trainer.get("train_dataset"))
        self._columns = [name for name in (*self._loss.columns, *self._loss.optional) if name in present]
        self._stock = self._loss.name == "dpo" and not self._columns and not loss_options
        self._given = self._reads_reference and set(REFERENCE) <= present
        self._refuse_contradictions(args, present, loss_options or {})
        self._check = ReferenceCheck(check_rows, tolerance, ref_model if self._given else None)
        if self._given or not self._reads_reference:
            args.precompute_ref_log_probs, ref_model = True, None
        if isinstance(ref_model, str):
            ref_model = _reference(ref_model, args)
        super().__init__(model=model, ref_model=ref_model, args=args, **trainer)
        self.data_collator: Any = WithColumns(self.data_collator, self._columns)
        self._check = ReferenceCheck(check_rows, tolerance, None)
        self._first_loss = FirstLoss(advice(self._reads_reference))

    def _refuse_contradictions(self, args: DPOConfig, present: set[str], options: Mapping[str, Any]) -> None:
        for name in self._loss.columns:
            if name not in present:
                raise SettingsError(
                    f"The loss {self._loss.name} reads the column {name}, which the data does not have.",
                    setting="loss",
                    value=self._loss.name,
                    hint="Measure rewards (`curate score --reward`), and keep their difference as this column.",
                )
        doubled = [name for name in ("weight", "target_margin") if name in present and name not in self._loss.optional]
        if doubled:
            raise SettingsError(
                f"The loss {self._loss.name} makes its own weights and margins; the data has {' and '.join(doubled)}.",
                setting="loss",
                value=self._loss.name,
                hint="Train on them with loss='dpo' or loss='simpo', or drop them: dataset.remove_columns(...).",
            )
        if self._given:
            _refuse_unlike(args, present)
        if not self._stock:
            self._refuse_stock_options(args, options)

    def _refuse_stock_options(self, args: DPOConfig, options: Mapping[str, Any]) -> None:
        spelled = args.loss_type[0] if len(args.loss_type) == 1 else "+".join(args.loss_type)
        plain = ("sigmoid", "hinge") if self._loss.name == "dpo" else ("sigmoid",)
        unused = {
            "loss_type": spelled not in plain,
            "ld_alpha": args.ld_alpha is not None,
            "f_divergence_type": args.f_divergence_type != "reverse_kl",
            "use_weighting": args.use_weighting,
            "label_smoothing": bool(args.label_smoothing),
            "loss_weights": args.loss_weights not in (None, [1.0]),
        }
        for name, set_ in unused.items():
            if set_:
                raise SettingsError(
                    f"The loss {self._loss.name} with these columns or options has no {name} {getattr(args, name)}.",
                    f"DPOConfig.{name}",
                    "Leave it at its default.",
                )
        if self._loss.name == "dpo" and "form" not in options:
            self._parameters["form"] = spelled

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        known: list[str] = self._signature_columns
        used = [name for name in known if self._reads_reference or name not in REFERENCE]
        self._signature_columns = [*used, *(name for name in self._columns if name not in used)]

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
        prepared = super()._prepare_dataset(dataset, processing_class, args, dataset_name)
        names = _columns(prepared)
        wanted = [*self._columns, *(REFERENCE if self._given else ())]
        missing = [name for name in wanted if name not in names]
        if missing:
            raise InputError(
                f"The {dataset_name} data has no {missing[0]}, which the train data has.",
                dataset_name,
                "Score, weigh and export both in the same way.",
            )
        if hasattr(prepared, "__len__"):
            _refuse_nulls(prepared, wanted, dataset_name)
        return prepared

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        if not self._reads_reference:
            return dataset
        if not self._given:
            return super()._precompute_ref_logps(dataset, name, batch_size)
        self._check(self, dataset, name)
        return dataset

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """As in DPOTrainer; data with reference columns may come at any time, and is checked by its token counts.

        Once training has begun the model has changed, so there is no live forward pass to compare with.
        """
        named = eval_dataset is None or isinstance(eval_dataset, str | dict)
        if named or (self._reads_reference and not self._given):
            found: dict[str, float] = super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
            return found
        prepared = self._prepare_dataset(eval_dataset, self.processing_class, self.args, metric_key_prefix)
        if self._given and hasattr(prepared, "__len__"):
            check_counts(token_columns(prepared), self.args.max_length, metric_key_prefix)
        measured: dict[str, float] = Trainer.evaluate(self, prepared, ignore_keys, metric_key_prefix)
        return measured

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """As in DPOTrainer; warns if the first loss is near 0."""
        found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        self._first_loss.see(self, found[0] if return_outputs else found, inputs)
        return found

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        if self._stock:
            return super()._compute_loss(model, inputs, return_outputs)
        if return_outputs:
            raise SettingsError("This loss returns no logits.", "compute_metrics", "Leave it out.")
        forward = {key: value for key, value in inputs.items() if key not in NOT_MODEL}
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
        routed = {"output_router_logits": True} if self.aux_loss_enabled else {}
        outputs = model(**forward, **routed, use_cache=False, labels=labels, fused_lm_head=True)
        mask = inputs["completion_mask"][..., 1:]
        pairs = self._pairs(outputs.log_probs[:, -mask.size(1) :], mask, inputs)
        losses = self._loss.function(pairs, **self._parameters)
        loss = losses.mean()
        if self.aux_loss_enabled:
            loss = loss + self.router_aux_loss_coef * outputs.aux_loss
        record_metrics(self, pairs, outputs, inputs, float(self._parameters.get("beta", 1.0)))
        return loss

    def _pairs(self, log_probs: torch.Tensor, mask: torch.Tensor, inputs: Mapping[str, Any]) -> PairLogps:
        chosen, rejected = log_probs.sum(dim=1).chunk(2)
        chosen_tokens, rejected_tokens = mask.sum(dim=1).chunk(2)
        ref_chosen, ref_rejected = self._reference_logps(inputs) if self._reads_reference else (None, None)
        extra = {name: inputs[name] for name in self._columns}
        return PairLogps(
            chosen,
            rejected,
            chosen_tokens,
            rejected_tokens,
            ref_chosen,
            ref_rejected,
            over_all=self._over_all,
            **extra,
        )

    def _reference_logps(self, inputs: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        if self.precompute_ref_logps:
            return inputs[REFERENCE[0]], inputs[REFERENCE[1]]
        tokens = {key: value for key, value in inputs.items() if key not in NOT_MODEL[1:]}
        chosen, rejected = self.compute_ref_log_probs(self.ref_model or self.model, tokens)
        return chosen, rejected

    def _over_all(self, made: Any, values: torch.Tensor) -> torch.Tensor:
        """Apply a function of a batch to the pairs of all processes, and return this process's part."""
        everyone = self.accelerator.gather(values.detach())
        if everyone.size(0) < 2:
            logger.warning_once(f"The loss {self._loss.name} takes its margins from one pair a step: they say nothing.")
        found = on_arrays(made, everyone)
        start = self.accelerator.process_index * values.size(0) if everyone.size(0) > values.size(0) else 0
        return found[start : start + values.size(0)]


def _columns(dataset: Any) -> set[str]:
    """The columns of a data set's rows, as its format shows them."""
    return set() if dataset is None else set(next(iter(dataset), {}))


def _refuse_unlike(args: DPOConfig, present: set[str]) -> None:
    """Refuse settings with which the trainer reads other tokens than the columns cover, or sums them differently."""
    changed = {
        "ld_alpha": ("The reference columns are plain sums over all tokens; ld_alpha needs others.", args.ld_alpha),
        "truncation_mode": (
            "The reference columns were measured with the start of longer texts.",
            args.truncation_mode != "keep_start",
        ),
    }
    for name, (what, set_) in changed.items():
        if set_ not in (None, False):
            raise SettingsError(what, f"DPOConfig.{name}", "Leave it out, or drop the columns.")
    for name in RENDERED:
        if name in present:
            raise SettingsError(
                f"The trainer's chat template reads {name}, which the reference columns were measured without.",
                f"column {name}",
                "Drop the column, or the reference columns.",
            )


def _refuse_nulls(dataset: Any, names: list[str], title: str) -> None:
    for name in names:
        held = dataset.with_format(None)[name]
        values = np.array([value if isinstance(value, int | float) else np.nan for value in held], dtype=float)
        lacking = np.flatnonzero(~np.isfinite(values))
        if lacking.size:
            raise InputError(
                f"The column {name} has {lacking.size} rows without a number.",
                f"{title} row {int(lacking[0])}",
                "`curate export` leaves such rows out.",
            )


def _reference(name: str, args: DPOConfig) -> Any:
    from trl.trainer.utils import create_model_from_path

    return create_model_from_path(name, **(args.model_init_kwargs or {}))


def _short_name(model: str | PreTrainedModel) -> str:
    return str(model if isinstance(model, str) else model.config.name_or_path).rstrip("/").split("/")[-1]
