"""The loss of the first optimizer step: one near 0 means that the model has nothing left to learn from these pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate.logging import get_logger

NEARLY_ZERO = 0.01
"""A margin of 4.6; if model and reference are the same, sigmoid losses begin at log 2 = 0.693 and hinges at 1."""

logger = get_logger(__name__)


@dataclass
class FirstLoss:
    """Warns once, after the batches of the first optimizer step, if their mean loss is nearly 0.

    Attributes:
        advice: which model to train instead, one sentence.
        seen: the mean losses of the batches so far, over all processes, divided by the mean of their pairs' weights.
    """

    advice: str
    seen: list[float] = field(default_factory=list)
    done: bool = False

    @torch.no_grad()
    def see(self, trainer: Any, loss: torch.Tensor, inputs: Mapping[str, Any]) -> None:
        """Record a batch's loss; ignores evaluation batches, and all batches after the first step."""
        if self.done or not trainer.model.training:
            return
        weight = inputs["weight"].mean() if "weight" in inputs else torch.ones(())
        held = torch.stack([loss.detach().float(), weight.to(loss.device).float()])
        mean, weight = trainer.accelerator.gather(held[None]).mean(dim=0)
        if weight > 0:
            self.seen.append(float(mean / weight))
        self.done = len(self.seen) >= trainer.args.gradient_accumulation_steps or trainer.state.global_step > 0
        if self.done and self.seen and sum(self.seen) / len(self.seen) < NEARLY_ZERO:
            logger.warning(
                f"The first loss is {sum(self.seen) / len(self.seen):.2g}, nearly 0: the model to be trained already "
                f"tells these pairs apart, and can learn almost nothing from them. {self.advice}"
            )


def advice(reads_reference: bool) -> str:
    """Which model to train instead, if the current one has nothing left to learn."""
    if reads_reference:
        return (
            "Train the model that the reference columns are of (`curate score --reference`), not the policy that "
            "measured the pairs (`--policy`): then a sigmoid loss begins at 0.693."
        )
    return "Pairs of large margin under a policy teach the model that it was trained from, not the policy itself."
