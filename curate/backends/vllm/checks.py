"""What vLLM would silently get wrong, found in a model's files before it is opened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curate.backends import ModelSpec
from curate.backends.configs import read_config
from curate.errors import ModelError
from curate.hub import hub_access

SENTENCE_PARTS = {"Transformer", "Pooling", "Normalize", "Dense"}
POOLING = {"cls", "mean", "lasttoken"}
"""Modules and poolings of sentence-transformers that vLLM takes from its files."""


def check_positions(spec: ModelSpec) -> None:
    """Refuse a model whose position scaling depends on the length of each text: vLLM fixes it once for all texts.

    `dynamic` scaling begins beyond the model's own length; `longrope` has one set of factors for short texts and one
    for long ones, and vLLM chooses by the longest text that may come.

    Raises:
        ModelError: see above.
    """
    config = read_config(spec).get_text_config()
    for rope in _ropes(getattr(config, "rope_parameters", None)):
        kind = rope.get("rope_type", "default")
        short = rope.get("original_max_position_embeddings") or getattr(
            config, "original_max_position_embeddings", None
        )
        fits = kind == "longrope" and short and spec.max_length and spec.max_length < short
        if kind in {"dynamic", "longrope"} and not fits:
            hint = f"Use --backend=torch, or --max-length={short - 1}." if kind == "longrope" and short else ""
            raise ModelError(
                f"The model scales positions by a text's length ({kind}), which vLLM does once for all texts.",
                spec.name,
                hint or "Use --backend=torch.",
            )


def _ropes(parameters: Any) -> Iterator[dict[str, Any]]:
    """The scaling of a model; models with several kinds of layers have one per kind."""
    if isinstance(parameters, dict):
        nested = [one for one in parameters.values() if isinstance(one, dict)]
        yield from nested or [parameters]


def check_sentence_model(path: str) -> None:
    """Refuse an embedder that does more to a text than vLLM takes from its files.

    Raises:
        ModelError: see above.
    """
    modules = _json(path, "modules.json")
    if modules is None:
        raise _refused(path, "it names no pooling (modules.json)")
    for module in modules:
        part = str(module["type"]).rpartition(".")[2]
        if part not in SENTENCE_PARTS:
            raise _refused(path, f"it has a {part} part")
        if part == "Pooling":
            chosen = _poolings(_json(path, f"{module['path']}/config.json") or {})
            if len(chosen) != 1 or not set(chosen) <= POOLING:
                raise _refused(path, f"its pooling is {', '.join(chosen) or 'unknown'}")
    if (_json(path, "config_sentence_transformers.json") or {}).get("default_prompt_name"):
        raise _refused(path, "it puts a prompt in front of every text")


def _poolings(settings: dict[str, Any]) -> list[str]:
    """The poolings of a text's vectors: one named, or several switched on."""
    if isinstance(settings.get("pooling_mode"), str):
        return [settings["pooling_mode"]]
    on = [name for name, value in settings.items() if name.startswith("pooling_mode_") and value is True]
    return [name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token") for name in on]


def _refused(path: str, why: str) -> ModelError:
    return ModelError(f"vLLM cannot run this embedder: {why}.", path, "Use --backend=torch.")


def _json(path: str, name: str) -> Any:
    from transformers.utils import cached_file

    with hub_access(path):
        found = cached_file(
            path, name, _raise_exceptions_for_missing_entries=False, _raise_exceptions_for_connection_errors=False
        )
    return json.loads(Path(found).read_text("utf-8")) if found else None
