"""Sampling in PyTorch and transformers: left-padded batches, a key-value cache, one random generator per row."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.backends import ModelSpec, Sample, Sampling
from curate.backends.batch_memory import cacheable, cached_bytes
from curate.backends.torch.forward import TorchModel, beside_weights, longrope_border
from curate.backends.torch.loading import LoadedModel, load
from curate.backends.torch.scoring import token_logps
from curate.backends.torch.structure import small_windows
from curate.errors import ModelError
from curate.render import Ids

if TYPE_CHECKING:
    import torch

CHECK_TOKENS = 5


def cached_tokens(loaded: LoadedModel) -> int | None:
    """Tokens whose keys and values fill half of the GPU memory left by the weights; None on a CPU, or if unknown.

    Measured against the whole memory, as in `fitting_tokens`, so that the same command always draws the same batches.
    """
    if not loaded.device.startswith("cuda"):
        return None
    config = loaded.config
    layers, heads, shared, wide, width = (
        _said(config, name)
        for name in ("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "hidden_size", "head_dim")
    )
    if not (layers and heads and wide):
        return None
    a_token = cached_bytes(layers, (shared or heads) * (width or wide // heads), loaded.model.dtype.itemsize)
    return cacheable(beside_weights(loaded), a_token)


def _said(config: Any, name: str) -> int | None:
    """What the configuration says, if it is one number for all layers; some raise if it is not."""
    try:
        found = getattr(config, name, None)
    except RuntimeError:
        return None
    return found if isinstance(found, int) else None


@dataclass
class Draft:
    """A response in progress; its random numbers come from its own generator."""

    noise: np.random.Generator
    ids: Ids = field(default_factory=list)
    logps: float = 0.0
    ended: bool = False


class TorchGeneration(TorchModel):
    """Responses sampled from a causal language model."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(load(spec, "causal"))
        self.ends = frozenset(end_ids(self.loaded.model))
        self.whole_logits = not self.loaded.has_linear_head
        self.cached = True
        self.cached_tokens = cached_tokens(self.loaded)
        with small_windows(self.loaded.model):
            self._self_check()
        border = longrope_border(self.loaded.config)
        if border is not None:
            # Beyond the border all positions use other rotary angles, so a cache or a shorter neighbour's states are
            # void.
            self.cached, self.padding_free = False, True
            self.notes.append(
                f"Beyond {border} tokens this model uses other rotary angles: each token reads the whole text "
                "again (slow), and only prompts of equal length share a batch."
            )

    def generate(self, prompts: Sequence[Ids], seeds: Sequence[int], sampling: Sampling) -> list[Sample]:
        """One response to each prompt, sampled with its own seed: other rows of the batch change nothing.

        The random numbers of a row come from a counter-based generator (Philox) keyed by its seed. Other rows can
        change a draw only through rounding: when a number falls exactly on the border between two tokens.
        """
        return self.run(lambda: self._generate(prompts, seeds, sampling, self.ends | set(sampling.stop_ids)))

    def logits(self, **inputs: Any) -> tuple[torch.Tensor, Any]:
        """Float32 logits [rows, vocabulary] after the last position, and the cache of what was read (None: none)."""
        inputs = {"use_cache": self.cached, **_known(self.loaded, inputs, whole=self.whole_logits)}
        made = (self.loaded.model if self.whole_logits else self.loaded.body)(**inputs)
        cache = getattr(made, "past_key_values", None) if self.cached else None
        if self.whole_logits:
            return made.logits[:, -1].float(), cache
        return self.loaded.logits(made.last_hidden_state[:, -1]), cache

    def _generate(
        self, prompts: Sequence[Ids], seeds: Sequence[int], sampling: Sampling, ends: frozenset[int]
    ) -> list[Sample]:
        drafts = [Draft(np.random.Generator(np.random.Philox(key=seed))) for seed in seeds]
        reading, live = Reading(self), list(drafts)
        logits = reading.begin(prompts)
        while True:
            tokens = pick(logits, [draft.noise.random() for draft in live], sampling)
            values = token_logps(logits, tokens).double().cpu().tolist()
            for draft, token, logp in zip(live, tokens.tolist(), values, strict=True):
                draft.ids.append(token)
                draft.logps += self._finite(logp)
                draft.ended = token in ends
            going = [i for i, d in enumerate(live) if not d.ended and len(d.ids) < sampling.max_tokens]
            if not going:
                return [Sample(d.ids, "stop" if d.ended else "length", d.logps) for d in drafts]
            live = [live[i] for i in going]
            logits = reading.proceed(going, tokens)

    def _finite(self, logp: float) -> float:
        if not np.isfinite(logp):
            raise ModelError(
                "The model's output is not a finite number.",
                self.loaded.model.name_or_path,
                "Try --dtype=float32; check that the checkpoint is complete.",
            )
        return logp

    def _self_check(self) -> None:
        """Find out by trial what this architecture supports; each fallback costs speed and changes no number."""
        rows = self.check_rows()
        if self.whole_logits or any(self._strays([row]) for row in rows):
            self.whole_logits = True
            self.notes.append("This architecture processes logits further after its head: all logits are computed.")
        self.cached = self.cached and not any(self._strays([row]) for row in rows)
        if not self.cached:
            self.notes.append("This model's cache cannot be used: each token reads the whole text again (slow).")
        if self._strays([rows[0], rows[1], rows[1]]):
            self.padding_free = True
            self.notes.append("Padding changes this model's numbers: only prompts of one length share a batch.")

    def _strays(self, prompts: Sequence[Ids]) -> bool:
        """Whether what is drawn for these prompts has other log-probabilities than one pass over each row alone."""
        sampling = Sampling(max_tokens=CHECK_TOKENS)
        made = self.run(lambda: self._generate(prompts, range(len(prompts)), sampling, frozenset()))
        alone = [
            self.run(lambda p=p, s=s: self._in_one_pass(p, s.ids))  # type: ignore[misc]
            for p, s in zip(prompts, made, strict=True)
        ]
        return self.differs([sample.logps for sample in made], alone, [len(sample.ids) for sample in made])

    def _in_one_pass(self, prompt: Ids, ids: Ids) -> float:
        import torch

        whole = torch.tensor([prompt + ids], device=self.loaded.device)
        logits = self.loaded.model(input_ids=whole, use_cache=False).logits[0, len(prompt) - 1 : -1]
        return float(token_logps(logits.float(), whole[0, len(prompt) :]).double().sum())


class Reading:
    """What the model has read of some rows, and how it continues.

    Equal prompts are read once. Finished rows leave the batch, so that it shrinks as responses end.
    """

    def __init__(self, owner: TorchGeneration) -> None:
        self._owner = owner
        self._cache: Any = None
        self._ids: torch.Tensor | None = None  # (rows, read so far)
        self._mask: torch.Tensor | None = None  # the same shape; None if no row is padded

    def begin(self, prompts: Sequence[Ids]) -> torch.Tensor:
        """Read the prompts; returns logits [prompts, vocabulary] after them."""
        import torch

        places: dict[tuple[int, ...], int] = {}
        rows = torch.tensor([places.setdefault(tuple(ids), len(places)) for ids in prompts])
        self._ids, mask = self._owner.padded([list(ids) for ids in places], left=True)
        self._mask = None if bool(mask.all()) else mask
        logits, self._cache = self._owner.logits(**self._inputs(whole=True))
        if not hasattr(self._cache, "reorder_cache"):
            self._cache, self._owner.cached = None, False
        rows = rows.to(logits.device)
        if len(places) < len(prompts):
            self._keep(rows)
        return logits[rows]

    def proceed(self, going: Sequence[int], tokens: torch.Tensor) -> torch.Tensor:
        """Read one more token of the unfinished rows; returns logits [unfinished rows, vocabulary] after it."""
        import torch

        kept = torch.tensor(going, device=tokens.device)
        if len(going) < len(tokens):
            self._keep(kept)
        assert self._ids is not None
        self._ids = torch.cat([self._ids, tokens[kept, None]], dim=1)
        if self._mask is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(going), 1)], dim=1)
        logits, self._cache = self._owner.logits(**self._inputs(whole=self._cache is None))
        return logits

    def _inputs(self, whole: bool) -> dict[str, Any]:
        assert self._ids is not None
        last = slice(None) if whole else slice(-1, None)
        inputs: dict[str, Any] = {"input_ids": self._ids[:, last]}
        if self._mask is not None:
            positions = (self._mask.cumsum(dim=1) - 1).clamp(min=0)
            inputs |= {"attention_mask": self._mask, "position_ids": positions[:, last]}
        return inputs if self._cache is None else {**inputs, "past_key_values": self._cache}

    def _keep(self, rows: torch.Tensor) -> None:
        assert self._ids is not None
        self._ids = self._ids[rows]
        self._mask = self._mask[rows] if self._mask is not None else None
        if self._cache is not None:
            self._cache.reorder_cache(rows)


def pick(logits: torch.Tensor, uniforms: Sequence[float], sampling: Sampling) -> torch.Tensor:
    """The token of each row, int64 [rows], at which its random number falls in the cumulative probabilities.

    In float64, by inversion: tokens in id order, or most likely first under top_p.

    Args:
        logits: float32 [rows, vocabulary].
        uniforms: one number in [0, 1) per row.
        sampling: temperature and top_p.
    """
    import torch

    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    weights = (logits.double() / sampling.temperature).softmax(dim=-1)
    order = None
    if sampling.top_p < 1:
        weights, order = weights.sort(dim=-1, descending=True, stable=True)
        weights = weights.where(weights.cumsum(dim=-1) - weights < sampling.top_p, 0.0)
    cumulated = weights.cumsum(dim=-1)
    total = cumulated[:, -1:]
    wanted = torch.tensor(uniforms, dtype=torch.float64, device=logits.device)[:, None] * total
    # Strictly below the total, so that the token found has some probability.
    wanted = torch.minimum(wanted, torch.nextafter(total, torch.zeros_like(total)))
    # If the logits are NaN nothing is found; the log-probability of any token will reveal that.
    found = torch.searchsorted(cumulated, wanted, right=True).clamp(max=logits.shape[1] - 1)
    return (found if order is None else order.gather(1, found))[:, 0]


def end_ids(model: Any) -> set[int]:
    """The tokens that end a text according to the model's own configurations."""
    configs = (getattr(model, "generation_config", None), model.config.get_text_config())
    named = [getattr(config, "eos_token_id", None) for config in configs]
    return {int(one) for ids in named if ids is not None for one in (ids if isinstance(ids, list | tuple) else [ids])}


def _known(loaded: LoadedModel, inputs: dict[str, Any], whole: bool) -> dict[str, Any]:
    """The inputs without positions if the model computes them itself; only the last logits if it supports that."""
    known = inspect.signature(loaded.model.forward).parameters
    if "position_ids" not in known:
        inputs = {name: value for name, value in inputs.items() if name != "position_ids"}
    return {**inputs, "logits_to_keep": 1} if whole and "logits_to_keep" in known else inputs
