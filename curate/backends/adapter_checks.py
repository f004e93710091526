"""LoRA adapters: small trained differences to a base model that is opened under them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from curate.backends import ModelSpec
from curate.errors import MissingExtra, ModelError, SettingsError
from curate.model import ADAPTER_CONFIG


def check_adapter(spec: ModelSpec) -> None:
    """Refuse at plan time an adapter that could not be opened.

    Raises:
        MissingExtra: peft is not installed.
        ModelError: not a LoRA adapter, or its base model has no safetensors weights.
        SettingsError: a backend other than PyTorch is to run it.
    """
    if spec.model.base is None:
        return
    spec.model.base.check_weights()
    if spec.engine != "torch":
        raise SettingsError(
            "Only the PyTorch backend reads adapters.",
            spec.name,
            "Use --backend=torch, or merge the adapter into its model.",
            setting="backend",
            value=spec.engine,
        )
    if importlib.util.find_spec("peft") is None:
        raise MissingExtra("peft", "lora")
    kind = json.loads((Path(spec.model.path) / ADAPTER_CONFIG).read_text("utf-8")).get("peft_type")
    if kind != "LORA":
        raise ModelError(
            f"The adapter is of type {kind}; only LORA is supported.",
            spec.name,
            "Merge it into its model, and use the merged model.",
        )
