"""Load models with transformers: device, dtype, the parts that scoring needs, and what must be refused."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from curate.backends import ModelSpec, OutOfMemory
from curate.backends.reward_heads import check_unused
from curate.backends.torch.adapters import Open, adapted, take_kept
from curate.backends.torch.head import Head
from curate.backends.torch.pieces import read_in_pieces
from curate.errors import ModelError, SettingsError
from curate.hub import check_place, hub_access, not_loaded

if TYPE_CHECKING:
    import torch

BF16_CAPABILITY = (8, 0)
"""Ampere's compute capability."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""As in glibc's malloc.h."""


@dataclass(frozen=True)
class LoadedModel:
    """A model and its parts.

    Attributes:
        model: the whole model, in evaluation mode.
        body: the part that ends with the last hidden states.
        device: its device, such as `cuda:0`.
        dtype: the name of its dtype.
        pad_id: an id to pad with; masked, so any will do.
        configured_pad_id: the padding id of the model's own configuration.
        head: the output projection, if the model has a plain linear one.
        adapter: its active adapter, if the adapter's base is kept when it is closed.
    """

    model: Any
    body: Any
    device: str
    dtype: str
    pad_id: int
    configured_pad_id: int | None
    head: Any
    adapter: Open | None = None

    @property
    def config(self) -> Any:
        """The text part of the configuration."""
        return self.model.config.get_text_config()

    @property
    def vocabulary(self) -> int:
        """The number of token ids that the model knows."""
        return int(self.config.vocab_size)

    @property
    def head_rows(self) -> int:
        """Logits per position."""
        return int(self.head.weight.shape[0]) if self.head is not None else self.vocabulary

    @property
    def has_linear_head(self) -> bool:
        """Whether the output is a plain linear map of the body's last hidden states."""
        return self.head is not None and self.body is not self.model

    @property
    def output(self) -> Head:
        """The head, if linear. Granite divides its logits by a number, Cohere multiplies them by one."""
        cap = getattr(self.config, "final_logit_softcapping", None)
        divisor, factor = (getattr(self.config, name, None) for name in ("logits_scaling", "logit_scale"))
        return Head(self.head.weight, self.head.bias, cap or None, 1 / divisor if divisor else factor or 1.0)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """Float32 logits [n, vocabulary] of hidden states [n, width]: for a few positions only."""
        return self.output.finished(self.score(states))

    def score(self, states: torch.Tensor) -> torch.Tensor:
        """The head applied in float32, [n, outputs]."""
        import torch

        weight, bias = self.head.weight, self.head.bias
        if states.dtype == torch.float32:
            product: torch.Tensor = states @ weight.T
        elif states.is_cuda:
            product = torch.mm(states, weight.T, out_dtype=torch.float32)
        else:
            product = states.float() @ weight.float().T
        return product if bias is None else product + bias.float()


def load(spec: ModelSpec, kind: Literal["causal", "reward"]) -> LoadedModel:
    """Open a model for scoring.

    Raises:
        ModelError: it cannot be found or loaded, is not a safetensors checkpoint, has a randomly initialised head, or
            (for a reward model) more than one output.
        SettingsError: the device does not exist.
        OutOfMemory: the model does not fit in the device's memory.
    """
    import torch

    device = choose_device(spec.device)
    if device.startswith("cuda:"):
        # Without a named device, allocations such as pinned memory would take up some of the first GPU in every
        # process.
        torch.cuda.set_device(device)
    else:
        keep_freed_memory()
    dtype = choose_dtype(spec.dtype, device)
    if spec.threads:
        torch.set_num_threads(min(spec.threads, torch.get_num_threads()))
    quiet_loading()
    weights = spec.model.weights
    key = (weights, kind, device, dtype)
    model = take_kept(key)
    if model is None:
        model = _read(spec, weights, kind, dtype)
        if getattr(model.config.get_text_config(), "attn_logit_softcapping", None):
            # transformers' default attention leaves out the soft cap that the model was trained with.
            model.set_attn_implementation("eager")
        try:
            model = model.eval().to(device)
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(str(error)) from error
    adapter = None
    if spec.model.base:
        model, adapter = adapted(model, spec, key)
    read_in_pieces(model, model.config.get_text_config().hidden_size, getattr(torch, dtype))
    body = getattr(model, model.base_model_prefix, getattr(model, "model", model))
    head = model.get_output_embeddings() if kind == "causal" else getattr(model, "score", None)
    head = head if isinstance(head, torch.nn.Linear) else None
    configured = model.config.get_text_config().pad_token_id
    usable = configured is not None and 0 <= configured < model.config.get_text_config().vocab_size
    return LoadedModel(model, body, device, dtype, configured if usable else 0, configured, head, adapter)


def _read(spec: ModelSpec, name: str, kind: Literal["causal", "reward"], dtype: str) -> Any:
    import torch
    import transformers
    from safetensors import SafetensorError

    check_place(name)
    kinds = {
        "causal": transformers.AutoModelForCausalLM,
        "reward": transformers.AutoModelForSequenceClassification,
    }
    try:
        with hub_access(name):
            model, report = kinds[kind].from_pretrained(
                name,
                dtype=getattr(torch, dtype),
                use_safetensors=True,
                trust_remote_code=spec.trust_remote_code,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise not_loaded("The model cannot be loaded.", name, error, _hint(str(error))) from error
    check_loaded(name, model, report, kind, reduced=spec.reward_head is not None)
    return model


def keep_freed_memory() -> None:
    """Let glibc keep what tensors of up to 32 MiB free, at most 256 MiB, for later ones.

    Otherwise the kernel clears each layer's memory again: 5 to 10% of the time of a small model. Other C libraries are
    left alone.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
        library.mallopt(M_TRIM_THRESHOLD, 256 * 2**20)


def quiet_loading() -> None:
    """Silence transformers while loading: its progress bar disturbs ours, and its report is turned into errors."""
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()
    set_verbosity_error()


def check_loaded(name: str, model: Any, report: dict[str, Any], kind: str, *, reduced: bool = False) -> None:
    """Refuse weights that were newly initialised on loading, and reward models of another shape.

    Args:
        name: the model.
        model: as it was loaded.
        report: transformers' report on loading.
        kind: `causal` or `reward`.
        reduced: whether it is known how a reward model's outputs become one.

    Raises:
        ModelError: see above.
    """
    missing = sorted(report.get("missing_keys", ()))
    if missing:
        raise ModelError(
            f"The checkpoint lacks weights, which would be random: {', '.join(missing[:3])}.",
            name,
            "A reward model needs its trained head (score.weight); is this a base model?"
            if kind == "reward"
            else "Is this a complete causal language model?",
        )
    if kind == "reward":
        check_unused(name, model, sorted(report.get("unexpected_keys", ())))
    if kind == "reward" and not reduced and model.config.num_labels != 1:
        raise ModelError(
            f"The reward model has {model.config.num_labels} outputs, not one.",
            name,
            "Say which counts: --reward-head=logits:0 or --reward-head=logits:mean; or use a model with one output.",
        )


def choose_device(wanted: str) -> str:
    """The device to use: a CUDA device if there is one, else the CPU.

    Raises:
        SettingsError: the requested device does not exist.
    """
    import torch

    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise SettingsError(
            f"There is no device {wanted}.", setting="device", value=wanted, hint="Use auto, cpu, cuda or cuda:N."
        ) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"There is no device {wanted}.",
            setting="device",
            value=wanted,
            hint=f"CUDA devices here: {torch.cuda.device_count()}.",
        )
    return wanted


def cuda_devices(wanted: str) -> tuple[str, ...]:
    """The GPUs named by `--gpus`: `all`, how many, or which.

    Raises:
        SettingsError: they do not exist, or are of different kinds, whose numbers would differ.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        raise _no_gpus("This machine has no CUDA device.", wanted, "Leave it out, or use --workers=N on the CPU.")
    listed = "," in wanted
    numbers = [int(n) for n in wanted.split(",")] if listed else range(count if wanted == "all" else int(wanted))
    if missing := [n for n in numbers if n >= count]:
        what = f"There is no GPU {missing[0]}." if listed else f"There are not {wanted} GPUs here."
        raise _no_gpus(what, wanted, f"CUDA devices here: {count}, numbered from 0.")
    kinds = {torch.cuda.get_device_name(n): n for n in numbers}
    if len(kinds) > 1:
        what = f"These GPUs are of different kinds, which round differently: {', '.join(sorted(kinds))}."
        raise _no_gpus(what, wanted, "Name GPUs of one kind, such as --gpus=0,1.")
    return tuple(f"cuda:{n}" for n in numbers)


def _no_gpus(what: str, wanted: str, hint: str) -> SettingsError:
    return SettingsError(what, setting="gpus", value=wanted, hint=hint)


def choose_dtype(wanted: str, device: str) -> str:
    """The dtype to use: float32 on a CPU, bfloat16 on a GPU that supports it, float16 on an older one."""
    import torch

    if wanted != "auto":
        return wanted
    if not device.startswith("cuda"):
        return "float32"
    # Older GPUs emulate bfloat16, slowly, which PyTorch reports as support.
    return "bfloat16" if torch.cuda.get_device_capability(device) >= BF16_CAPABILITY else "float16"


def _hint(message: str) -> str:
    if "safetensors" in message:
        return "Only safetensors checkpoints are loaded, because others can run code; convert the model first."
    if "trust_remote_code" in message:
        return "If you trust its code, add --trust-remote-code."
    return "Check the path or the hub id; offline, a hub model must be in the cache."
