"""Models in PyTorch and transformers: log-probabilities and rewards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.backends import Also, ModelSpec, Reading
from curate.backends.torch.forward import TorchModel
from curate.backends.torch.loading import load
from curate.backends.torch.packing import to_device
from curate.backends.torch.structure import small_windows
from curate.errors import ModelError
from curate.render import Ids, Rendered

if TYPE_CHECKING:
    import torch

LOGITS_BYTES = 2**29
"""Memory for the logits of a batch when all of them are computed."""


class TorchLogprobs(TorchModel):
    """Log-probabilities under a causal language model."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(load(spec, "causal"))
        self._whole_logits = not self.loaded.has_linear_head
        with small_windows(self.loaded.model):
            self._self_check()

    def logps(self, batch: Sequence[Rendered]) -> list[float]:
        """The log-probability of each row's ids[start:], summed, in nats."""
        work = self._from_logits if self._whole_logits else self._from_hidden
        return self.measure(batch, [len(row.ids) for row in batch], work)

    def readings(self, batch: Sequence[Rendered], also: frozenset[Also]) -> list[Reading]:
        """The log-probability of each row's ids[start:], with what is asked for, from the same pass.

        Raises:
            ModelError: the hidden states are not those that the model's logits are made of.
        """
        if self._whole_logits:
            raise ModelError(
                f"This architecture processes logits further after its head, so {' and '.join(sorted(also))} "
                "cannot be read from it.",
                self.loaded.model.name_or_path,
                "Leave out --also.",
            )
        return self.measure(batch, [len(row.ids) for row in batch], lambda some: self._read(some, also))

    def _read(self, batch: Sequence[Rendered], also: frozenset[Also]) -> list[Reading]:
        import torch

        states, targets = self._before_targets(batch)
        collisions: Sequence[float | None] = [None] * len(batch)
        if "wpo" in also:
            per_token, squares = self.loaded.output.with_collisions(states, targets)
            collisions = [s / row.response_tokens for s, row in zip(_sums(squares, batch), batch, strict=True)]
        else:
            per_token = self.loaded.output.logps(states, targets)
        hidden: Sequence[Any] = [None] * len(batch)
        if "ches" in also:
            lengths = [row.response_tokens for row in batch]
            # Row by row: what a row's sum is must not depend on its neighbours in the batch.
            hidden = [one.float().sum(0).cpu().numpy() for one in torch.split(states, lengths)]
        return [Reading(*one) for one in zip(_sums(per_token, batch), collisions, hidden, strict=True)]

    def _before_targets(self, batch: Sequence[Rendered]) -> tuple[torch.Tensor, torch.Tensor]:
        """Last hidden states [n, width] from which the response's tokens are predicted, and these tokens [n]."""
        wanted = [range(row.start - 1, len(row.ids) - 1) for row in batch]
        states = self.states([row.ids for row in batch], wanted)
        targets = np.array([token for row in batch for token in row.ids[row.start :]], np.int64)
        return states, to_device(targets, self.loaded.device)

    def _from_hidden(self, batch: Sequence[Rendered]) -> list[float]:
        return _sums(self.loaded.output.logps(*self._before_targets(batch)), batch)

    def _from_logits(self, batch: Sequence[Rendered]) -> list[float]:
        import torch

        ids, mask = self.padded([row.ids for row in batch])
        logits = self.loaded.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        pieces = [
            token_logps(logits[i, row.start - 1 : len(row.ids) - 1].float(), ids[i, row.start : len(row.ids)])
            for i, row in enumerate(batch)
        ]
        return _sums(torch.cat(pieces), batch)

    def _self_check(self) -> None:
        rows = [Rendered(ids, len(ids) // 3, "exact") for ids in self.check_rows()]
        counts = [row.response_tokens for row in rows]
        alone = [self.run(lambda row=row: self._from_logits([row]))[0] for row in rows]  # type: ignore[misc]
        if self._whole_logits or self.differs([self.logps([row])[0] for row in rows], alone, counts):
            self._whole_logits = True
            self.batch_tokens = min(self.batch_tokens, max(1, LOGITS_BYTES // (4 * self.loaded.vocabulary)))
            self.notes.append("This architecture processes logits further after its head: all logits are computed.")
        else:
            self.try_packing(lambda: not self.differs(self.logps(rows), alone, counts))
        if not self.packs and self.differs(self.logps(rows), alone, counts):
            self.padding_free = True
            self.notes.append("Padding changes this model's numbers: only rows of equal length share a batch.")


class TorchRewards(TorchModel):
    """Rewards of a sequence-classification model with one output, the head computed in float32."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(load(spec, "reward"))
        self._own_head = self.loaded.has_linear_head
        if not self._own_head and self.loaded.configured_pad_id is None:
            self.padding_free = True
            self.notes.append("The model has no padding token: only rows of equal length share a batch.")
        with small_windows(self.loaded.model):
            self._self_check()

    def rewards(self, batch: Sequence[Ids]) -> list[float]:
        """The raw logit of each row at the last token that is not the model's padding token."""
        work = self._from_hidden if self._own_head else self._from_model
        return self.measure(batch, [len(ids) for ids in batch], work)

    def _last(self, ids: Ids) -> int:
        # transformers reads the head at the rightmost token that differs from pad_token_id, even in a batch of one;
        # models whose padding token also ends their turns were trained that way.
        pad = self.loaded.configured_pad_id
        return next((i for i in range(len(ids) - 1, -1, -1) if ids[i] != pad), 0)

    def _from_hidden(self, batch: Sequence[Ids]) -> list[float]:
        wanted = [range(last, last + 1) for last in map(self._last, batch)]
        scores: list[float] = self.loaded.score(self.states(batch, wanted))[:, 0].tolist()
        return scores

    def _from_model(self, batch: Sequence[Ids]) -> list[float]:
        ids, mask = self.padded(batch)
        scores: list[float] = self.loaded.model(input_ids=ids, attention_mask=mask).logits[:, 0].float().tolist()
        return scores

    def _self_check(self) -> None:
        rows = self.check_rows()
        alone = [self.run(lambda ids=ids: self._from_model([ids]))[0] for ids in rows]  # type: ignore[misc]
        ones = [max(1.0, abs(reward)) for reward in alone]
        if self._own_head and self.differs([self.rewards([ids])[0] for ids in rows], alone, ones):
            self._own_head = False
            self.notes.append("This reward model does more than a linear head: its own forward pass is used.")
        if self._own_head:
            self.try_packing(lambda: not self.differs(self.rewards(rows), alone, ones))
        if not (self.packs or self.padding_free) and self.differs(self.rewards(rows), alone, ones):
            self.padding_free = True
            self.notes.append("Padding changes this model's numbers: only rows of equal length share a batch.")


def token_logps(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log-probability of each target, float32 [n], from float32 logits [n, vocabulary]."""
    picked = logits.gather(1, targets[:, None])[:, 0]
    return picked - logits.logsumexp(dim=-1)


def _sums(per_token: torch.Tensor, batch: Sequence[Rendered]) -> list[float]:
    totals, position = [], 0
    values = per_token.double().cpu()
    for row in batch:
        totals.append(float(values[position : position + row.response_tokens].sum()))
        position += row.response_tokens
    return totals
