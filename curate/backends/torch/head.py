"""The output head over a large vocabulary: log-probabilities of given tokens, never all logits at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.backends.batch_memory import LOGITS_TILE

if TYPE_CHECKING:
    import torch

CPU_TILE = (2048, 512)
"""Rows and vocabulary entries whose logits are held at a time on a CPU: 4 MiB, about the size of caches."""


@dataclass(frozen=True)
class Head:
    """A linear output head.

    Attributes:
        weight: [vocabulary, width].
        bias: [vocabulary], or none.
        cap: logits become cap * tanh(logit / cap); None leaves them unchanged.
        scale: factor applied to the logits first.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    cap: float | None
    scale: float = 1.0

    def logps(self, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Log-probability of each target, float32 [n].

        With t the target's logit it is -log sum_v exp(x_v - t). The sum is at least one, and overflows float32 only if
        the target is less likely than exp(-88); those rows are computed again, shifted by their largest logit.

        Args:
            states: last hidden states [n, width].
            targets: token ids, int64 [n].
        """
        return self._measured(states, targets, None)

    def with_collisions(self, states: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same, and log sum_v pi(v)^2 at each position, the log of the collision probability: both float32 [n].

        The squares overflow earlier: for targets less likely than exp(-44), whose rows are computed again.
        """
        import torch

        squares = torch.zeros(len(targets), device=states.device)
        return self._measured(states, targets, squares), squares

    def _measured(self, states: torch.Tensor, targets: torch.Tensor, squares: torch.Tensor | None) -> torch.Tensor:
        """Log-probabilities; `squares`, zeros at first, become log sum_v pi(v)^2."""
        import torch

        shift = self._of_targets(states, targets)
        sums = self._sums(states, shift, squares)
        logps = -sums.log()
        lost = torch.isinf(logps if squares is None else squares).nonzero()[:, 0]
        if squares is not None:
            squares.log_().sub_(sums.log(), alpha=2)
        if len(lost):
            some, target = states[lost], shift[lost]
            largest = self._largest(some)
            again = None if squares is None else torch.zeros_like(target)
            sums = self._sums(some, largest, again)
            logps[lost] = target - largest - sums.log()
            if squares is not None and again is not None:
                squares[lost] = again.log() - 2 * sums.log()
        return logps

    def _of_targets(self, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        import torch

        pieces = []
        for some, ids in zip(torch.split(states, 4096), torch.split(targets, 4096), strict=True):
            logits = torch.linalg.vecdot(some.float(), self.weight[ids].float())
            if self.bias is not None:
                logits += self.bias[ids].float()
            pieces.append(self.finished(logits))
        return torch.cat(pieces) if pieces else states.new_zeros(0, dtype=torch.float32)

    def _sums(self, states: torch.Tensor, shift: torch.Tensor, squares: torch.Tensor | None = None) -> torch.Tensor:
        """Sums of exp(logit - shift), float32 [n]; those of its square are added to `squares`."""
        import torch

        sums = shift.new_zeros(len(shift))
        for rows, logits in self._tiles(states):
            tile = logits.sub_(shift[rows, None]).exp_()
            sums[rows] += tile.sum(1)
            if squares is not None:
                squares[rows] += torch.linalg.vector_norm(tile, dim=1).square_()
        return sums

    def _largest(self, states: torch.Tensor) -> torch.Tensor:
        import torch

        largest = torch.full((len(states),), -torch.inf, device=states.device)
        for rows, logits in self._tiles(states):
            largest[rows] = torch.maximum(largest[rows], logits.amax(1))
        return largest

    def _tiles(self, states: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
        """Ranges of rows with their float32 logits [rows, part of the vocabulary]; use each tile before the next."""
        import torch

        high, wide = LOGITS_TILE if states.is_cuda else CPU_TILE
        states = states if states.is_cuda else states.float()
        held = states.new_empty(min(high, len(states)) * wide if states.dtype == torch.float32 else 0)
        for first in range(0, len(self.weight), wide):
            columns = slice(first, first + wide)
            weight = self.weight[columns]
            weight = (weight if states.is_cuda else weight.float()).T
            for top in range(0, len(states), high):
                rows = slice(top, top + high)
                some = states[rows]
                with products_as(self.weight.dtype):
                    tile = product(some, weight, held)
                if self.bias is not None:
                    tile += self.bias[columns].float()
                yield rows, self.finished(tile)

    def finished(self, logits: torch.Tensor) -> torch.Tensor:
        """Complete the logits in place from products with the weight, including the bias."""
        logits = logits if self.scale == 1.0 else logits.mul_(self.scale)
        return logits if not self.cap else logits.div_(self.cap).tanh_().mul_(self.cap)


def product(states: torch.Tensor, weight: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """Float32 [n, outputs] of [n, width] and [width, outputs], summed in float32; float32 states write into `held`."""
    import torch

    if states.dtype != torch.float32:
        return torch.mm(states, weight, out_dtype=torch.float32)
    out = held[: len(states) * weight.shape[1]].view(len(states), weight.shape[1])
    return torch.mm(states, weight, out=out)


@contextmanager
def products_as(dtype: torch.dtype) -> Iterator[None]:
    """Multiply float32 numbers that hold bfloat16 values by a CPU's bfloat16 units: exact, summed in float32."""
    import torch

    settings: Any = getattr(torch.backends.mkldnn, "matmul", None)
    if dtype != torch.bfloat16 or not hasattr(settings, "fp32_precision"):
        yield
        return
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before
