"""The batch that a trainer sees, with the data's numbers added to the tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass
class WithColumns:
    """A data collator that adds numeric columns, as float32 tensors [pairs], to the batch of another collator."""

    collator: Callable[[list[dict[str, Any]]], dict[str, Any]]
    columns: Sequence[str]

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch of these examples."""
        batch = self.collator(examples)
        for name in self.columns:
            batch[name] = torch.tensor([float(example[name]) for example in examples], dtype=torch.float32)
        return batch
