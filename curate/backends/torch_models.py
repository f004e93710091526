"""Models in PyTorch and transformers: log-probabilities and rewards, and what every such model shares."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from curate.backends import ModelSpec, OutOfMemory
from curate.backends.torch_loading import LoadedModel, load
from curate.errors import ModelError
from curate.render import Ids, Rendered

if TYPE_CHECKING:
    import torch

Made = TypeVar("Made")
LOGITS_AT_ONCE = 2**23
"""Most logits (positions times vocabulary) held at a time; 32 MiB in float32."""
CHECK_LENGTHS = (23, 9)
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.15, "float16": 0.02}
"""Largest difference, per token or per reward unit, that the self-check lets pass: rounding of the dtype, no more."""


class TorchModel:
    """What the two kinds of model share: padding, freeing, and a self-check against a batch of one."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self.notes: list[str] = []
        self.padding_free = False

    def padded(self, rows: Sequence[Ids], *, left: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows padded on the right, or on the left: ids and attention mask, both [rows, longest]."""
        import torch

        longest, largest = max(len(ids) for ids in rows), max(max(ids) for ids in rows)
        if largest >= self.loaded.vocabulary:
            raise ModelError(
                f"The tokenizer makes the token id {largest}; the model knows {self.loaded.vocabulary}.",
                self.loaded.model.name_or_path,
                "Use the tokenizer that belongs to this model.",
            )
        gaps = [[0] * (longest - len(row)) for row in rows]
        pads = [[self.loaded.pad_id] * len(gap) for gap in gaps]
        both = list(zip(rows, pads, gaps, strict=True))
        ids = torch.tensor([[*pad, *row] if left else [*row, *pad] for row, pad, _ in both])
        mask = torch.tensor([gap + [1] * len(row) if left else [1] * len(row) + gap for row, _, gap in both])
        return ids.to(self.loaded.device), mask.to(self.loaded.device)

    def hidden_states(self, rows: Sequence[Ids]) -> torch.Tensor:
        """Last hidden states [rows, longest, width]; right of a row's end they mean nothing."""
        ids, mask = self.padded(rows)
        inputs = {"input_ids": ids} if bool(mask.all()) else {"input_ids": ids, "attention_mask": mask}
        states: torch.Tensor = self.loaded.body(**inputs, use_cache=False).last_hidden_state
        return states

    def run(self, work: Callable[[], Made]) -> Made:
        """Run without gradients; the device's memory running out becomes an error that a smaller batch mends."""
        import torch

        try:
            with torch.inference_mode():
                return work()
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(str(error)) from error

    def facts(self) -> dict[str, Any]:
        """Device, dtype and engine."""
        return {"backend": "torch", "device": self.loaded.device.split(":")[0], "dtype": self.loaded.dtype}

    def close(self) -> None:
        """Free the model and its memory."""
        import torch

        on_gpu = self.loaded.device.startswith("cuda")
        del self.loaded
        gc.collect()
        if on_gpu:
            torch.cuda.empty_cache()

    def check_rows(self) -> list[Ids]:
        """Two rows of fixed ids and unlike lengths, within the vocabulary."""
        size = self.loaded.vocabulary
        return [[(7919 * (i + 1) + 13 * n) % size for i in range(n)] for n in CHECK_LENGTHS]

    def differs(self, ours: Sequence[float], alone: Sequence[float], per: Sequence[float]) -> bool:
        """Whether any number, over what it sums or scales with, is off by more than the dtype's rounding."""
        tolerance = TOLERANCE[self.loaded.dtype]
        return any(not abs(a - b) <= tolerance * n for a, b, n in zip(ours, alone, per, strict=True))


class TorchLogprobs(TorchModel):
    """Log-probabilities under a causal language model."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(load(spec, "causal"))
        self._whole_logits = not self.loaded.has_linear_head
        self._self_check()

    def logps(self, batch: Sequence[Rendered]) -> list[float]:
        """Per row the log-probability of ids[start:], summed, in nats."""
        work = self._from_logits if self._whole_logits else self._from_hidden
        return self.run(lambda: work(batch))

    def _from_hidden(self, batch: Sequence[Rendered]) -> list[float]:
        import torch

        states = self.hidden_states([row.ids for row in batch])
        at_response = torch.cat([states[i, row.start - 1 : len(row.ids) - 1] for i, row in enumerate(batch)])
        targets = torch.tensor([t for row in batch for t in row.ids[row.start :]], device=at_response.device)
        step = max(1, LOGITS_AT_ONCE // self.loaded.head_rows)
        pieces = [
            token_logps(self.loaded.logits(states), wanted)
            for states, wanted in zip(torch.split(at_response, step), torch.split(targets, step), strict=True)
        ]
        return _sums(torch.cat(pieces), batch)

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
            self.notes.append("This architecture does more to its logits than a head: all logits are computed.")
        if self.differs(self.logps(rows), alone, counts):
            self.padding_free = True
            self.notes.append("Padding changes this model's numbers: only rows of one length share a batch.")


class TorchRewards(TorchModel):
    """Rewards of a sequence-classification model with one output, the head computed in float32."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(load(spec, "reward"))
        self._own_head = self.loaded.has_linear_head
        if not self._own_head and self.loaded.configured_pad_id is None:
            self.padding_free = True
            self.notes.append("The model names no padding token: only rows of one length share a batch.")
        self._self_check()

    def rewards(self, batch: Sequence[Ids]) -> list[float]:
        """Per row the raw logit at the last token that is not the model's padding token."""
        work = self._from_hidden if self._own_head else self._from_model
        return self.run(lambda: work(batch))

    def _last(self, ids: Ids) -> int:
        # transformers reads the head at the rightmost token that differs from pad_token_id, in a batch of one too;
        # models whose padding token also ends their turns were trained that way.
        pad = self.loaded.configured_pad_id
        return next((i for i in range(len(ids) - 1, -1, -1) if ids[i] != pad), 0)

    def _from_hidden(self, batch: Sequence[Ids]) -> list[float]:
        import torch

        states = self.hidden_states(batch)
        rows = torch.arange(len(batch), device=states.device)
        last = torch.tensor([self._last(ids) for ids in batch], device=states.device)
        scores: list[float] = self.loaded.score(states[rows, last])[:, 0].tolist()
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
        if not self.padding_free and self.differs(self.rewards(rows), alone, ones):
            self.padding_free = True
            self.notes.append("Padding changes this model's numbers: only rows of one length share a batch.")


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
