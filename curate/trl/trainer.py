"""TRL's DPO trainer, fed with what curate measured: reference columns, weights, target margins, margin-aware losses."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from trl import DPOConfig, DPOTrainer
from trl.trainer.utils import add_fused_lm_head

from curate.errors import InputError, SettingsError
from curate.trl.collating import WithColumns
from curate.trl.contract import check_trl
from curate.trl.losses import PairLogps, find_loss, on_arrays
from curate.trl.metrics import record_metrics
from curate.trl.reference import AGAIN, POLICY, REFERENCE, check_counts, difference, found_names, sample_rows

TOLERANCES = {torch.float32: 1e-3, torch.float64: 1e-3}
"""Nats per token that a live forward may differ from the data; measured and live number may both be rounded."""
LOW_PRECISION = 0.05
NOT_MODEL = ("completion_mask", *REFERENCE, "weight", "target_margin", "margin")


class CuratedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """A DPOTrainer that uses what stands in the data, and that knows the margin-aware losses.

    Where the data has `ref_chosen_logps` and `ref_rejected_logps`, no reference model is kept: they are used as they
    are, after a check. The check compares token counts (where the data has curate's) of all rows, and a live forward on
    a sample of rows: of `ref_model` where one is given, which is then freed; else of the model to be trained, which
    must agree with the reference columns (it is its own reference) or with the policy columns that were measured
    beside them. Columns `weight` and `target_margin` go into the losses `dpo` and `simpo`.

    Args:
        model: as for DPOTrainer.
        ref_model: as for DPOTrainer, or the path of a model; with reference columns in the data only read by the check.
        args: a DPOConfig. With the loss `dpo`, its loss_type may be sigmoid or hinge where the data has weights or
            target margins; without them, anything that TRL offers.
        loss: dpo, simpo, gamma_po, madpo, amapo, bpo or repo; see curate.trl.losses. All but `dpo` without columns are
            computed here, in place of TRL's.
        loss_options: parameters of the loss. Its beta, where it scales log-ratios (dpo, madpo, bpo), is that of `args`
            unless it is given here.
        check_rows: rows of each data set to check by a live forward; 0 takes the reference columns on trust.
        tolerance: largest difference of the check, nats per token; 1e-3 for a float32 model, else 0.05.
        trainer: the other arguments of DPOTrainer, by name.

    Raises:
        SettingsError: an unknown loss, or a combination that would be computed wrongly.
        InputError: reference columns that are not of these tokens or this model; a null in a column that is used.
    """

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
        defaults = {"beta": args.beta} if self._loss.on_ratios else {}
        self._parameters = self._loss.parameters({**defaults, **(loss_options or {})})
        self._check_rows, self._tolerance = check_rows, tolerance
        present = _columns(trainer.get("train_dataset"))
        self._columns = [name for name in (*self._loss.columns, *self._loss.optional) if name in present]
        self._stock = self._loss.name == "dpo" and not self._columns and not loss_options
        self._reads_reference = self._loss.reference(self._parameters)
        self._given = self._reads_reference and set(REFERENCE) <= set(present)
        self._reference: str | PreTrainedModel | None = ref_model if self._given else None
        self._refuse_contradictions(args, present, loss_options or {})
        if self._given or not self._reads_reference:
            args.precompute_ref_log_probs, ref_model = True, None
        if isinstance(ref_model, str):
            ref_model = AutoModelForCausalLM.from_pretrained(ref_model)
        super().__init__(model=model, ref_model=ref_model, args=args, **trainer)
        self.data_collator: Any = WithColumns(self.data_collator, self._columns)
        self._reference = None

    def _refuse_contradictions(self, args: DPOConfig, present: set[str], options: Mapping[str, Any]) -> None:
        for name in self._loss.columns:
            if name not in present:
                raise SettingsError(
                    f"The loss {self._loss.name} reads the column {name}, which the data does not have.",
                    f"loss={self._loss.name!r}",
                    "Measure rewards with `curate score --reward`, then `curate weigh`, and export again.",
                )
        doubled = [name for name in ("weight", "target_margin") if name in present and name not in self._loss.optional]
        if doubled:
            raise SettingsError(
                f"The loss {self._loss.name} makes its own weights and margins; the data has {' and '.join(doubled)}.",
                f"loss={self._loss.name!r}",
                "Drop these columns, or train on them with loss='dpo' or loss='simpo'.",
            )
        if self._given and args.ld_alpha is not None:
            raise SettingsError(
                "The reference columns are plain sums over all tokens; ld_alpha needs others.",
                "DPOConfig.ld_alpha",
                "Leave it out, or drop the columns.",
            )
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
        self._signature_columns += [name for name in self._columns if name not in self._signature_columns]

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
        prepared = super()._prepare_dataset(dataset, processing_class, args, dataset_name)
        names = _columns(prepared)
        wanted = [*self._columns, *(REFERENCE if self._given else ())]
        missing = [name for name in wanted if name not in names]
        if missing:
            raise InputError(
                f"The {dataset_name} data has no {missing[0]}, which the train data has.",
                dataset_name,
                "Score, weigh and export both alike.",
            )
        for name in wanted if hasattr(prepared, "select_columns") and hasattr(prepared, "__len__") else ():
            values = np.asarray(prepared.with_format("arrow")[:][name].to_pylist(), dtype=float)
            if not np.isfinite(values).all():
                raise InputError(
                    f"The column {name} has {int((~np.isfinite(values)).sum())} rows without a number.",
                    f"{dataset_name} row {int(np.flatnonzero(~np.isfinite(values))[0])}",
                    "`curate export` leaves such rows out.",
                )
        return prepared

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        if not self._reads_reference:
            return dataset
        if not self._given:
            return super()._precompute_ref_logps(dataset, name, batch_size)
        if hasattr(dataset, "__len__"):
            check_counts(dataset, self.args.max_length, name)
            if self._check_rows:
                self._check_live(dataset, name)
        return dataset

    def _check_live(self, dataset: Any, name: str) -> None:
        """Compare the reference columns of some rows with a live forward.

        Raises:
            InputError: they differ by more than the tolerance.
        """
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:
            return  # the weights are not whole here; the token counts of all rows were compared
        rows = sample_rows(len(dataset), self._check_rows)
        examples = [dataset[row] for row in rows]
        reference = self._reference
        if isinstance(reference, str):
            reference = AutoModelForCausalLM.from_pretrained(reference, dtype=self.model.dtype)
        model = self.model if reference is None else reference.to(self.accelerator.device).eval()
        if reference is not None:
            add_fused_lm_head(model)
        live = self._live_logps(model, examples)
        tolerance = self._tolerance or TOLERANCES.get(model.dtype, LOW_PRECISION)
        found = difference(rows, examples, REFERENCE, live)
        policy = found_names(POLICY, dataset.column_names)
        if reference is None and not found.within(tolerance) and policy is not None:
            found = difference(rows, examples, (policy[0], policy[1]), live)
        if not found.within(tolerance):
            whose = "the reference model" if reference is not None else "the model to be trained"
            raise InputError(
                f"The data's log-probabilities differ from those of {whose} by {found.largest:.2g} nats per token.",
                f"{name} row {found.row}, tolerance {tolerance:g}",
                f"{AGAIN} If another model is the reference, give it as ref_model.",
            )

    @torch.no_grad()
    def _live_logps(self, model: Any, examples: list[dict[str, Any]]) -> np.ndarray:
        was_training = model.training
        model.eval()
        found = []
        collate = getattr(self.data_collator, "collator", self.data_collator)
        for example in examples:
            tokens = {key: value for key, value in example.items() if key.endswith("_ids")}
            batch = {key: value.to(self.accelerator.device) for key, value in collate([tokens]).items()}
            found.append([float(side) for side in self.compute_ref_log_probs(model, batch)])
        model.train(was_training)
        return np.array(found)

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
        """Apply a function of a batch to the pairs of all processes, and give back this process's part."""
        everyone = self.accelerator.gather(values.detach())
        found = on_arrays(made, everyone)
        start = self.accelerator.process_index * values.size(0) if everyone.size(0) > values.size(0) else 0
        return found[start : start + values.size(0)]


def _columns(dataset: Any) -> set[str]:
    if dataset is None:
        return set()
    names = getattr(dataset, "column_names", None)
    return set(names if names is not None else next(iter(dataset)))


def _short_name(model: str | PreTrainedModel) -> str:
    return str(model if isinstance(model, str) else model.config.name_or_path).rstrip("/").split("/")[-1]
