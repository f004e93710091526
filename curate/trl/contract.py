"""What we rely on in TRL, checked before a trainer starts: an incompatible release fails instead of mistraining."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import trl
from trl import DPOTrainer
from trl.trainer import utils
from trl.trainer.dpo_trainer import DataCollatorForPreference

from curate.errors import SettingsError

VERSIONS = ((1, 16), (1, 17))
"""From (inclusive) and below: the releases of TRL that were read and tried."""
HOOKS = {
    "_prepare_dataset": ["self", "dataset", "processing_class", "args", "dataset_name"],
    "_precompute_ref_logps": ["self", "dataset", "name", "batch_size"],
    "_set_signature_columns_if_needed": ["self"],
    "compute_ref_log_probs": ["self", "model", "inputs"],
    "compute_loss": ["self", "model", "inputs", "return_outputs", "num_items_in_batch"],
    "_compute_loss": ["self", "model", "inputs", "return_outputs"],
    "evaluate": ["self", "eval_dataset", "ignore_keys", "metric_key_prefix"],
}
"""Methods that are overridden or called, with their arguments."""
NAMES = {
    "__init__": ["_precompute_ref_logps", "precompute_ref_logps", "aux_loss_enabled", "router_aux_loss_coef"],
    "_compute_loss": [
        "fused_lm_head",
        "log_probs",
        "entropy",
        "is_top1",
        "_metrics",
        "_total_train_tokens",
        "_tp_size",
    ],
    "compute_ref_log_probs": ["fused_lm_head", "completion_mask", "accelerator.autocast"],
    "_prepare_dataset": ["common_prefix_length", "< args.max_length"],
}
"""Names that a method's own code must mention."""
HELPERS = ("add_fused_lm_head", "create_model_from_path")


def broken() -> list[str]:
    """What this TRL lacks of what we rely on, one sentence each; empty if nothing changed."""
    found = []
    for name, arguments in HOOKS.items():
        method: Callable[..., Any] | None = getattr(DPOTrainer, name, None)
        if method is None or list(inspect.signature(method).parameters) != arguments:
            found.append(f"DPOTrainer.{name} is not there with the arguments {', '.join(arguments)}")
    for name, words in NAMES.items():
        method = getattr(DPOTrainer, name, None)
        code = inspect.getsource(method) if method is not None else ""
        found += [f"DPOTrainer.{name} does not speak of {word}" for word in words if word not in code]
    found += [f"trl.trainer.utils has no {name}" for name in HELPERS if not hasattr(utils, name)]
    collated = inspect.getsource(DataCollatorForPreference.torch_call)
    keys = ("prompt_ids", "chosen_ids", "rejected_ids", "completion_mask", "ref_chosen_logps", "ref_rejected_logps")
    found += [f"DataCollatorForPreference knows no {key}" for key in keys if f'"{key}"' not in collated]
    return found


def check_trl() -> None:
    """Refuse a TRL that was not tried, or that differs from the one that was.

    Raises:
        SettingsError: lists what differs.
    """
    version = tuple(int(part) for part in trl.__version__.split(".")[:2])
    low, high = VERSIONS
    wrong = [] if low <= version < high else [f"it is version {trl.__version__}"]
    wrong = wrong or broken()
    if wrong:
        raise SettingsError(
            f"CuratedDPOTrainer does not support this version of TRL: {wrong[0]}.",
            f"trl {trl.__version__}",
            "Install it with: pip install 'curate-preferences[trl]'",
        )
