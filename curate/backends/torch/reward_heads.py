"""Reward models whose reward is not the single logit of a plain classifier, in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curate.backends import ModelSpec
from curate.backends.reward_heads import PLAIN, UNKNOWN
from curate.backends.torch.forward import TorchModel
from curate.backends.torch.loading import load
from curate.errors import ModelError, first_line
from curate.render import Ids

SCORE = "score"


class TorchHeadRewards(TorchModel):
    """Rewards read from a named field of the model's output.

    One row at a time: such models look for tokens in the text or pool it in their own ways, so the effect of padding on
    their numbers is unknown.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(load(spec, "reward"))
        assert spec.reward_head is not None, "a plain head is read by TorchRewards"
        self._head = spec.reward_head
        self._name = spec.name
        self.notes.append("This reward model has a head of its own: it reads one response at a time.")

    def rewards(self, batch: Sequence[Ids]) -> list[float]:
        """The reward of each row, as the model's own code gives it."""
        return self.run(lambda: [self._reward(ids) for ids in batch])

    def _reward(self, ids: Ids) -> float:
        inputs, mask = self.padded([ids])
        try:
            output = self.loaded.model(input_ids=inputs, attention_mask=mask)
        except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                "The reward model's own code failed.",
                f"{self._name}: {first_line(error)}",
                "It may miss a part of its chat template; give --max-length or --truncation=drop, or see its card.",
            ) from error
        return read_head(fields_of(output), self._head, self._name)

    def facts(self) -> dict[str, Any]:
        """Device, dtype, engine and head."""
        return {**super().facts(), "head": self._head}


def fields_of(output: Any) -> dict[str, Any]:
    """The numeric fields of the model's output, by name."""
    named = output.items() if isinstance(output, Mapping) else vars(output).items()
    return {name: value for name, value in named if hasattr(value, "flatten")}


def read_head(fields: dict[str, Any], head: str, name: str) -> float:
    """The reward of one row.

    Raises:
        ModelError: the field does not exist, or is not one number and nothing says how to make it one.
    """
    if head == UNKNOWN:
        head = PLAIN
        if SCORE in fields and PLAIN in fields and fields[SCORE].numel() == 1:
            logits, score = fields[PLAIN].float().flatten().tolist(), fields[SCORE].float().item()
            if logits != [score]:
                raise ModelError(
                    "The reward model gives both logits and a score, and they differ.",
                    name,
                    "See its card, and say which one counts: --reward-head=score or --reward-head=logits.",
                )
    field, _, how = head.partition(":")
    if field not in fields:
        raise ModelError(
            f"The reward model returns nothing called {field}.",
            name,
            f"It returns: {', '.join(sorted(fields))}. Name one with --reward-head.",
        )
    values: list[float] = fields[field].double().flatten().tolist()
    if how == "mean":
        return sum(values) / len(values)
    if (not how and len(values) != 1) or (how and int(how) >= len(values)):
        raise ModelError(
            f"{field} holds {len(values)} numbers.",
            name,
            f"Say which one counts: --reward-head={field}:INDEX (from 0) or --reward-head={field}:mean.",
        )
    return values[int(how or 0)]
