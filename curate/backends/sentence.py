"""Embeddings from sentence-transformers. The only file that imports it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curate.backends import ModelSpec, OutOfMemory
from curate.backends.torch.loading import choose_device, quiet_loading
from curate.errors import ModelError, first_line
from curate.hub import check_place, hub_access, not_loaded

TEXTS_AT_ONCE = 64


class SentenceEmbedder:
    """A sentence-transformers model, in float32."""

    _at_once = TEXTS_AT_ONCE

    def __init__(self, spec: ModelSpec) -> None:
        import torch
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer

        quiet_loading()
        path = spec.model.path
        check_place(path)
        self.device = choose_device(spec.device)
        try:
            with hub_access(path):
                self._model = SentenceTransformer(
                    path,
                    device=self.device,
                    trust_remote_code=spec.trust_remote_code,
                    model_kwargs={"use_safetensors": True, "dtype": torch.float32},
                )
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(str(error)) from error
        except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
            hint = "Give a sentence-transformers model: a folder, a hub id, or minilm."
            raise not_loaded("The embedder cannot be loaded.", path, error, hint) from error
        limit = self._model.max_seq_length
        self.notes = [f"{Path(path).name} reads at most {limit} tokens of each response."] if limit else []

    def embed(self, texts: Sequence[str]) -> Any:
        """Unit vectors [len(texts), dimensions], float32; the model truncates longer inputs.

        Raises:
            ModelError: not even one text fits in the device's memory.
        """
        while (vectors := self._try(list(texts), self._at_once)) is None:
            self._at_once //= 2
        return vectors

    def _try(self, texts: list[str], at_once: int) -> Any:
        """The vectors; None if this many texts at once do not fit in the device's memory."""
        import torch

        try:
            return self._model.encode(
                texts, batch_size=at_once, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
            )
        except torch.OutOfMemoryError as error:
            if at_once == 1:
                raise ModelError(
                    "One text alone does not fit in the device's memory.", first_line(error), "Try --device=cpu."
                ) from error
        return None

    def facts(self) -> dict[str, Any]:
        """Device, and the length at which texts are truncated."""
        return {
            "backend": "sentence-transformers",
            "device": self.device.split(":")[0],
            "max_tokens": self._model.max_seq_length,
        }

    def close(self) -> None:
        """Free the model."""
        model = weakref.ref(self._model)
        del self._model
        if model() is not None:
            gc.collect()
