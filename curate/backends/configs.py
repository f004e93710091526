"""A model's configuration, read without its weights."""

from __future__ import annotations

from typing import Any

from curate.backends import ModelSpec
from curate.hub import check_found, hub_access, not_loaded


def read_config(spec: ModelSpec) -> Any:
    """Return the configuration; for an adapter, that of its base model.

    Raises:
        ModelError: there is no such model.
    """
    name = spec.model.weights
    check_found(name)
    from transformers import AutoConfig

    try:
        with hub_access(name):
            return AutoConfig.from_pretrained(name, trust_remote_code=spec.trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        own_code = "trust_remote_code" in str(error)
        hint = "If you trust its code, add --trust-remote-code." if own_code else "Check the path or the hub id."
        raise not_loaded("The model's configuration cannot be read.", name, error, hint) from error
