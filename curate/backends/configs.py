"""A model's configuration, read without its weights."""

from __future__ import annotations

from typing import Any

from curate.backends import ModelSpec
from curate.errors import ModelError, first_line
from curate.identity import adapter_base
from curate.tokens import check_model_name


def read_config(spec: ModelSpec) -> Any:
    """The configuration; an adapter's is that of the model that it adapts.

    Raises:
        ModelError: there is no such model.
    """
    from transformers import AutoConfig

    name = adapter_base(spec.name) or spec.name
    check_model_name(name)
    try:
        return AutoConfig.from_pretrained(name, trust_remote_code=spec.trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        own_code = "trust_remote_code" in str(error)
        raise ModelError(
            "The model's configuration cannot be read.",
            f"{name}: {first_line(error)}",
            "If you trust its code, add --trust-remote-code." if own_code else "Check the path or the hub id.",
        ) from error
