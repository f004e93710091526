"""Adapters opened on their base models with peft, and a base kept in memory for the reference that follows."""

from __future__ import annotations

import gc
import warnings
from dataclasses import dataclass, fields
from typing import Any

from curate.backends import ModelSpec, OutOfMemory
from curate.errors import MissingExtra, ModelError, first_line

Key = tuple[str, str, str, str]
"""A model's name, kind, device and dtype."""
LACKS = "missing adapter keys"
ONLY_ADDING = {
    *("task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision"),
    *("inference_mode", "runtime_config", "init_lora_weights", "fan_in_fan_out"),
    *("r", "lora_alpha", "lora_dropout", "lora_bias", "use_rslora", "use_dora", "rank_pattern", "alpha_pattern"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
}
"""peft settings of an adapter that leave the base model's weights alone, whatever their value."""


@dataclass
class Open:
    """An adapter opened on a base model.

    Attributes:
        key: the base model.
        adapter: peft's model around it.
        attention: the base model's own attention implementation.
    """

    key: Key
    adapter: Any
    attention: str


_kept: list[Open] = []


def adapted(model: Any, spec: ModelSpec, key: Key) -> tuple[Any, Open | None]:
    """The model with the adapter active in its layers; and what `keep_base` takes, if the base is to be kept.

    The adapter is not merged into the weights: rounded to bfloat16, the sum would be another model.

    Raises:
        MissingExtra: peft is not installed.
        ModelError: the adapter does not fit the model, or lacks weights.
        OutOfMemory: it does not fit in the device's memory.
    """
    import torch

    try:
        import peft
    except ImportError as error:
        raise MissingExtra("peft", "lora") from error
    attention = model.config._attn_implementation
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            where = spec.model.path
            adapter = peft.PeftModel.from_pretrained(model, where, is_trainable=False, torch_device=str(model.device))
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(str(error)) from error
        except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
            raise ModelError(
                "The adapter cannot be loaded.", f"{spec.name}: {first_line(error)}", f"Does it fit {key[0]}?"
            ) from error
    if any(LACKS in str(one.message) for one in said):
        raise ModelError("The adapter lacks some of its weights.", spec.name, f"Does it fit {key[0]}?")
    inner = adapter.get_base_model().eval()
    keeps = spec.keep_base and only_adds(adapter.active_peft_config)
    return inner, Open(key, adapter, attention) if keeps else None


def only_adds(config: Any) -> bool:
    """Whether removing the adapter restores the base model.

    Not if layers of the base were trained and saved with the adapter, or if loading the adapter changes the base
    weights (as PiSSA does). Unknown settings count as changing them.
    """
    settings = {one.name: getattr(config, one.name) for one in fields(config) if one.name not in ONLY_ADDING}
    plain = type(config)()
    usual = all(not value or value == getattr(plain, name) for name, value in settings.items())
    return usual and config.init_lora_weights in (True, False, "gaussian")


def keep_base(opened: Open) -> None:
    """Called when a model is closed: keeps its adapter's base, to be opened next."""
    _kept.append(opened)


def take_kept(key: Key) -> Any:
    """The base model without its adapter, if it was kept; any other kept model is freed."""
    held, _kept[:] = _kept[:], []
    found = [one for one in held if one.key == key]
    if not found:
        if held:
            del held
            gc.collect()
        return None
    model = found[0].adapter.unload()
    model.set_attn_implementation(found[0].attention)
    return model
