"""What a training step logs, under TRL's own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from curate.trl.losses import PairLogps


@torch.no_grad()
def record_metrics(trainer: Any, pairs: PairLogps, outputs: Any, inputs: Mapping[str, Any], beta: float) -> None:
    """Add a batch's numbers to the trainer's metrics, over all processes.

    `rewards/*` are beta times the log-ratios; without a reference, beta times the average log-probabilities per token.
    """
    mode = "train" if trainer.model.training else "eval"
    metrics, gather = trainer._metrics[mode], trainer.accelerator.gather
    if pairs.ref_chosen is not None:
        chosen, rejected = beta * pairs.chosen_ratio, beta * pairs.rejected_ratio
    else:
        chosen = beta * pairs.chosen / pairs.chosen_tokens.clamp(min=1)
        rejected = beta * pairs.rejected / pairs.rejected_tokens.clamp(min=1)
    logged = {
        "rewards/chosen": chosen,
        "rewards/rejected": rejected,
        "rewards/accuracies": (chosen > rejected).float(),
        "rewards/margins": chosen - rejected,
        "logps/chosen": pairs.chosen,
        "logps/rejected": pairs.rejected,
    }
    for name in ("weight", "target_margin"):
        if getattr(pairs, name) is not None:
            logged[name] = getattr(pairs, name)
    for name, values in logged.items():
        metrics[name].append(gather(values.detach()).mean().item())
    mask = inputs["completion_mask"][..., 1:]
    width = mask.size(1)
    chosen_mask = mask.chunk(2)[0].bool()
    right = outputs.is_top1[:, -width:].chunk(2)[0] & chosen_mask
    metrics["entropy"].append(_ratio(gather, (outputs.entropy[:, -width:] * mask).sum(), mask.sum()))
    metrics["mean_token_accuracy"].append(_ratio(gather, right.sum(), chosen_mask.sum()))
    if mode == "train":
        trainer._total_train_tokens += int(gather(inputs["attention_mask"].sum()).sum()) // trainer._tp_size
    metrics["num_tokens"] = [trainer._total_train_tokens]


def _ratio(gather: Any, part: torch.Tensor, whole: torch.Tensor) -> float:
    total = gather(whole).sum()
    return float(gather(part).sum() / total) if total > 0 else 0.0
