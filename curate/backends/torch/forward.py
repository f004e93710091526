"""Run a transformers model over rows of token ids: packed if its architecture allows, otherwise padded."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from curate.backends import OutOfMemory
from curate.backends.batch_memory import fitting, held_bytes
from curate.backends.torch.adapters import keep_base
from curate.backends.torch.attention import NAME, CannotPack, has_varlen, reading, register
from curate.backends.torch.loading import LoadedModel
from curate.backends.torch.packing import pack, to_device
from curate.backends.torch.structure import OBSERVED, observing, register_observer
from curate.backends.torch.structure import TOLERANCE as STRUCTURE
from curate.errors import ModelError
from curate.render import Ids

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
Made = TypeVar("Made")
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.15, "float16": 0.02}
"""Maximum difference, per token or per reward unit, that the self-check accepts: rounding of the dtype, no more."""
CPU_TOKENS = 4096
CHECK_LENGTHS = (23, 9, 5)


class TorchModel:
    """What both kinds of model share: packing, padding, freeing, and a self-check against a batch of one.

    Attributes:
        notes: what the user should know about how it runs.
        packs: whether rows are packed: without padding, and with shared prefixes computed once.
        padding_free: whether only rows of equal length may share a batch.
        batch_tokens: tokens per batch that fit.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self.notes: list[str] = []
        self.packs = False
        self.padding_free = False
        self.batch_tokens = fitting_tokens(loaded)
        self._varlen = False
        self._windows: list[int | None] = []

    def check_ids(self, rows: Sequence[Ids]) -> None:
        """Refuse token ids beyond the model's vocabulary.

        Raises:
            ModelError: names the id.
        """
        largest = max(max(ids) for ids in rows)
        if largest >= self.loaded.vocabulary:
            raise ModelError(
                f"The tokenizer gives the token id {largest}, but the model has {self.loaded.vocabulary} tokens.",
                self.loaded.model.name_or_path,
                "Use the tokenizer that belongs to this model.",
            )

    def padded(self, rows: Sequence[Ids], *, left: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows padded on the right, or on the left: ids and attention mask, both [rows, longest]."""
        self.check_ids(rows)
        longest = max(len(ids) for ids in rows)
        ids = np.full((len(rows), longest), self.loaded.pad_id)
        mask = np.zeros((len(rows), longest), np.int64)
        for i, row in enumerate(rows):
            place = slice(longest - len(row), None) if left else slice(0, len(row))
            ids[i, place], mask[i, place] = row, 1
        return to_device(ids, self.loaded.device), to_device(mask, self.loaded.device)

    def hidden_states(self, rows: Sequence[Ids]) -> torch.Tensor:
        """Last hidden states [rows, longest, width] of the padded rows; meaningless after a row's end."""
        ids, mask = self.padded(rows)
        even = len({len(row) for row in rows}) == 1
        inputs = {"input_ids": ids} if even else {"input_ids": ids, "attention_mask": mask}
        states: torch.Tensor = self.loaded.body(**inputs, use_cache=False).last_hidden_state
        return states

    def states(self, rows: Sequence[Ids], wanted: Sequence[range]) -> torch.Tensor:
        """Last hidden states at the requested positions of each row, concatenated: [sum of len(range), width]."""
        import torch

        if self.packs:
            return self._packed_states(rows, wanted)
        states = self.hidden_states(rows)
        return torch.cat([states[i, one.start : one.stop] for i, one in enumerate(wanted)])

    def _packed_states(self, rows: Sequence[Ids], wanted: Sequence[range]) -> torch.Tensor:
        self.check_ids(rows)
        packed, device = pack(rows), self.loaded.device
        ids, positions = to_device(packed.ids, device)[None], to_device(packed.positions, device)[None]
        with reading(packed, device, self._varlen) as now:
            found = self.loaded.body(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state
        self._windows = now.windows
        states: torch.Tensor = found[0].index_select(0, to_device(packed.at(wanted), device))
        return states

    def try_packing(self, agrees: Callable[[], bool]) -> None:
        """Pack from now on if the numbers equal those of a batch of one, and each layer's attention is right.

        Call within `small_windows`, so that rows of the check are longer than any sliding window.

        Args:
            agrees: measures packed rows that share their beginnings, and says whether the numbers are right.
        """
        model = self.loaded.model
        own = model.config._attn_implementation
        register()
        register_observer()
        self.packs = True
        for varlen in [True, False] if has_varlen(self.loaded.device, model.dtype) else [False]:
            self._varlen = varlen
            try:
                model.set_attn_implementation(NAME)
                agreed = agrees() and self._windows == expected_windows(self.loaded.config)
                if agreed and self._attends_as_own():
                    return
            except OutOfMemory:
                raise
            except Exception:
                # An architecture that does not support packing may raise anything; it is then padded, as the note says.
                continue
        self.packs = False
        model.set_attn_implementation(own)
        self.notes.append("This architecture cannot be packed: rows are padded to batches of similar length.")

    def _attends_as_own(self) -> bool:
        """Whether packed tokens see what the model's own masks show, and attention over it is right."""
        model, device, rows = self.loaded.model, self.loaded.device, self.check_rows()
        packed = pack(rows)
        ids, positions = to_device(packed.ids, device)[None], to_device(packed.positions, device)[None]
        wanted = expected_windows(self.loaded.config)
        with reading(packed, device, self._varlen, checked=True) as now:
            self.run(lambda: self.loaded.body(input_ids=ids, position_ids=positions, use_cache=False))
        model.set_attn_implementation(OBSERVED)
        with observing() as seen:
            self.run(lambda: self.hidden_states(rows[:1]))
        model.set_attn_implementation(NAME)
        return seen.as_asked and now.windows == seen.windows == wanted and now.off <= STRUCTURE[self.loaded.dtype]

    def measure(self, rows: Sequence[T], lengths: Sequence[int], work: Callable[[list[T]], list[Made]]) -> list[Made]:
        """The rows' numbers; rows beyond a length that would change the others' positions are run separately."""
        border = longrope_border(self.loaded.config)
        sides = [border is not None and length > border for length in lengths]
        found = {
            side: iter(self.run(lambda some=side: work([r for r, its in zip(rows, sides, strict=True) if its == some])))  # type: ignore[misc]
            for side in set(sides)
        }
        return [next(found[side]) for side in sides]

    def run(self, work: Callable[[], Made]) -> Made:
        """Run without gradients; out of memory becomes an error that a smaller batch may avoid."""
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
        model = weakref.ref(self.loaded.model)
        if self.loaded.adapter is not None:
            keep_base(self.loaded.adapter)
        del self.loaded
        if model() is not None:
            # Part of a cycle. Collecting cycles takes longer than measuring a small table, so only then.
            gc.collect()
        if on_gpu:
            torch.cuda.empty_cache()

    def check_rows(self) -> list[Ids]:
        """Rows of fixed ids and different lengths, within the vocabulary; three of them share a prefix."""
        size = self.loaded.vocabulary
        rows = [[(7919 * (i + 1) + 13 * n) % size for i in range(n)] for n in CHECK_LENGTHS]
        return [*rows, rows[0][:14] + rows[1], rows[0][:17] + rows[2]]

    def differs(self, ours: Sequence[float], alone: Sequence[float], per: Sequence[float]) -> bool:
        """Whether any number, divided by what it scales with, is off by more than the dtype's rounding."""
        tolerance = TOLERANCE[self.loaded.dtype]
        return any(not abs(a - b) <= tolerance * n for a, b, n in zip(ours, alone, per, strict=True))


def fitting_tokens(loaded: LoadedModel) -> int:
    """Tokens per batch that fit in the device's memory and are enough to be fast.

    Few suffice on a CPU: a layer's data then stays in the caches. On a GPU the number follows from its whole memory,
    not from what is free now: other batches round differently, and the same command must give the same bytes.
    """
    if not loaded.device.startswith("cuda"):
        return CPU_TOKENS
    config, model = loaded.config, loaded.model
    wide = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    wide = max(wide) if isinstance(wide, list | tuple) else wide  # Gemma 3n: one per layer
    return fitting(beside_weights(loaded), held_bytes(config.hidden_size, wide, model.dtype.itemsize))


def beside_weights(loaded: LoadedModel) -> int:
    """Bytes of a GPU's memory not taken by the model's weights."""
    import torch

    weights = sum(one.numel() * one.element_size() for one in loaded.model.parameters())
    return int(torch.cuda.get_device_properties(loaded.device).total_memory - weights)


def expected_windows(config: Any) -> list[int | None]:
    """The sliding window of each layer according to the model's configuration, in tokens; None for none.

    Raises:
        CannotPack: some layers mix tokens in other ways.
    """
    window = getattr(config, "sliding_window", None)
    types = getattr(config, "layer_types", None)
    if types is None:
        return [window] * config.num_hidden_layers
    if unknown := set(types) - {"full_attention", "sliding_attention"}:
        raise CannotPack(", ".join(sorted(unknown)))
    return [window if one == "sliding_attention" else None for one in types]


def longrope_border(config: Any) -> int | None:
    """The length beyond which this model uses other rotary angles, for every row of a batch with such a row."""
    rope = getattr(config, "rope_parameters", None) or {}
    settings = rope if "rope_type" in rope else next((one for one in rope.values() if isinstance(one, dict)), {})
    if settings.get("rope_type") not in ("longrope", "dynamic"):
        return None
    border = settings.get("original_max_position_embeddings") or getattr(
        config, "original_max_position_embeddings", config.max_position_embeddings
    )
    return int(border)
