"""Tokenizers read from their own file, without transformers, which takes seconds to import."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

HARMLESS_KEYS = {
    "backend",
    "chat_template",
    "clean_up_tokenization_spaces",
    "extra_special_tokens",
    "is_local",
    "local_files_only",
    "model_input_names",
    "model_max_length",
    "name_or_path",
    "padding_side",
    "tokenizer_class",
    "truncation_side",
}
GENERIC_CLASSES = {"TokenizersBackend", "PreTrainedTokenizerFast"}
LLAMA = "llama"


def plain_tokenizer(folder: Path) -> Any:
    """The tokenizer that transformers would build from this folder, if it would only read the file.

    This holds if the class is the generic one and every special token is already in the file. Otherwise None:
    transformers must be used.
    """
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
        model = folder / "config.json"
        kind = json.loads(model.read_text("utf-8")).get("model_type") if model.exists() else LLAMA
    except (OSError, ValueError, AttributeError):
        return None
    other_files = ("special_tokens_map.json", "added_tokens.json", "tokenizer.model")
    if not isinstance(settings, dict) or kind != LLAMA or any((folder / name).exists() for name in other_files):
        return None
    return _read_plain(folder / "tokenizer.json", settings)


def _read_plain(path: Path, settings: dict[str, Any]) -> Any:
    named = {key: value for key, value in settings.items() if key.endswith("_token") and value is not None}
    extra = settings.get("extra_special_tokens") or []
    if settings.get("tokenizer_class") not in GENERIC_CLASSES or not isinstance(extra, list):
        return None
    if settings.keys() - named.keys() - HARMLESS_KEYS or settings.get("backend", "tokenizers") != "tokenizers":
        return None
    from tokenizers import Tokenizer

    try:
        backend = Tokenizer.from_file(str(path))
    # The library raises nothing narrower; transformers then reports what is wrong.
    except Exception:
        return None
    added = {token.content for token in backend.get_added_tokens_decoder().values()}
    tokens = [*named.values(), *extra]
    if backend.post_processor is None or backend.truncation or backend.padding:
        return None
    if not all(isinstance(token, str) and token in added for token in tokens):
        return None
    return backend


def rust_fingerprint(backend: Any) -> str:
    """Hash of everything that decides the ids."""
    return hashlib.blake2b(backend.to_str().encode(), digest_size=16).hexdigest()
