"""Which class runs a model: by its engine, and by what it should do."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from importlib import import_module
from typing import Any, Literal, cast

from curate.backends import (
    Backend,
    EmbeddingBackend,
    GenerationBackend,
    LogprobBackend,
    ModelKind,
    ModelSpec,
    OutOfMemory,
    RewardBackend,
)
from curate.backends.adapter_checks import check_adapter
from curate.backends.configs import read_config
from curate.backends.fake import FakeTokenizer
from curate.backends.reward_heads import check_servable, choose_head
from curate.backends.server.vllm import server_facts
from curate.backends.vllm.checks import check_positions, check_sentence_model
from curate.errors import MissingExtra, ModelError, SettingsError, first_line
from curate.model import Model
from curate.tokens import HubTokenizer

Task = Literal["logps", "rewards", "head", "generation", "embeddings"]
CLASSES: Mapping[tuple[str, Task], str] = {
    ("torch", "logps"): "torch.scoring.TorchLogprobs",
    ("torch", "rewards"): "torch.scoring.TorchRewards",
    ("torch", "head"): "torch.reward_heads.TorchHeadRewards",
    ("torch", "generation"): "torch.generation.TorchGeneration",
    ("torch", "embeddings"): "sentence.SentenceEmbedder",
    ("vllm", "logps"): "vllm.models.VllmLogprobs",
    ("vllm", "rewards"): "vllm.models.VllmRewards",
    ("vllm", "generation"): "vllm.models.VllmGeneration",
    ("vllm", "embeddings"): "vllm.models.VllmEmbedder",
    ("server", "logps"): "server.vllm.ServerLogprobs",
    ("server", "rewards"): "server.vllm.ServerRewards",
    ("server", "generation"): "server.vllm.ServerGeneration",
    ("sglang", "logps"): "server.sglang.SglangLogprobs",
    ("sglang", "rewards"): "server.sglang.SglangRewards",
    ("fake", "logps"): "fake.FakeBackend",
    ("fake", "rewards"): "fake.FakeBackend",
    ("fake", "generation"): "fake.FakeBackend",
    ("fake", "embeddings"): "fake.FakeBackend",
}
"""The class in this room that does a task on an engine; imported when it is needed, as engines take seconds."""


def check_backend(name: str, tensor_parallel: int | None = None) -> None:
    """Refuse an unusable backend at plan time.

    Raises:
        MissingExtra: its package is not installed.
        SettingsError: several GPUs share a model, which only vLLM supports.
    """
    if name == "vllm" and importlib.util.find_spec("vllm") is None:
        raise MissingExtra("vllm", "vllm")
    if tensor_parallel is not None and name != "vllm":
        raise SettingsError(
            "Only vLLM shares a model between GPUs.",
            setting="tensor_parallel",
            value=tensor_parallel,
            hint="Add --backend=vllm.",
        )


def resolved(spec: ModelSpec) -> ModelSpec:
    """The spec with `auto` resolved for the machine where it runs; the backend is torch unless vLLM is requested.

    Raises:
        SettingsError: the device does not exist.
    """
    if spec.engine == "fake":
        return spec
    if spec.engine == "server":
        return replace(spec, device="server", dtype="server")
    if spec.elsewhere:
        return replace(spec, backend=spec.engine)
    from curate.backends.torch.loading import choose_device, choose_dtype

    device = choose_device(spec.device)
    if spec.engine == "vllm":
        _check_gpus(spec, device)
    return replace(spec, device=device, dtype=choose_dtype(spec.dtype, device), backend=spec.engine)


def _check_gpus(spec: ModelSpec, device: str) -> None:
    if ":" in device and not device.endswith(":0"):
        number = device.rpartition(":")[2]
        raise SettingsError(
            "vLLM takes the first GPUs that it sees.",
            setting="device",
            value=device,
            hint=f"Use --device=cuda with CUDA_VISIBLE_DEVICES={number}.",
        )
    import torch

    if device != "cpu" and spec.tensor_parallel > torch.cuda.device_count():
        raise SettingsError(
            f"This machine has fewer than {spec.tensor_parallel} GPUs.",
            setting="tensor_parallel",
            value=spec.tensor_parallel,
            hint=f"CUDA devices here: {torch.cuda.device_count()}.",
        )


def backend_facts(spec: ModelSpec) -> dict[str, Any]:
    """Which engine runs a resolved model, to distinguish its numbers from another engine's."""
    if spec.engine == "fake":
        return {}
    if spec.engine == "server":
        facts = server_facts(spec.model)
        return {"backend": "server", "server": f"sglang {facts['version']}" if facts["sglang"] else facts["version"]}
    if spec.engine == "vllm":
        from curate.backends.vllm.engine import vllm_version

        return {"backend": "vllm", "vllm": vllm_version()}
    return {"backend": "torch"}


def check_model(spec: ModelSpec, kind: ModelKind) -> ModelSpec:
    """The spec with a reward model's head; refuses at plan time what would fail or give another number.

    Raises:
        ModelError: a reward model that cannot be run here, or a model that vLLM would get wrong.
    """
    if spec.engine == "fake":
        return spec
    if spec.engine == "server":
        return _check_served(spec, kind)
    check_adapter(spec)
    head = choose_head(spec, read_config(spec)) if kind == "reward" else None
    if spec.engine == "vllm" and kind == "embedding":
        check_sentence_model(spec.model.path)
    elif spec.engine == "vllm":
        check_positions(spec)
        check_servable(spec, head)
    return replace(spec, reward_head=head)


def _check_served(spec: ModelSpec, kind: ModelKind) -> ModelSpec:
    if kind == "embedding" or spec.reward_head is not None:
        raise SettingsError(
            "A server gives only log-probabilities, plain rewards and responses.",
            spec.name,
            "Give the embedder, or the reward model with --reward-head, as a folder or a hub id.",
        )
    server_facts(spec.model)
    return spec


def auto_dtype(device: str) -> str:
    """What `--dtype auto` means on this machine's device."""
    from curate.backends.torch.loading import choose_dtype

    return choose_dtype("auto", device)


def gpu_name() -> str:
    """The kind of the first GPU that this process sees; empty if it sees none."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""


def gpus_named(wanted: str) -> tuple[str, ...]:
    """The devices named by `--gpus`, such as `cuda:0` and `cuda:1`.

    Raises:
        SettingsError: they do not exist, or are of different kinds.
    """
    from curate.backends.torch.loading import cuda_devices

    return cuda_devices(wanted)


def open_logprobs(spec: ModelSpec) -> LogprobBackend:
    """Open a causal language model."""
    return cast(LogprobBackend, _open(spec, "logps"))


def open_rewards(spec: ModelSpec) -> RewardBackend:
    """Open a reward model."""
    if spec.engine in ("torch", "vllm"):
        spec = check_model(spec, "reward")
    apart = spec.engine == "torch" and spec.reward_head is not None
    return cast(RewardBackend, _open(spec, "head" if apart else "rewards"))


def open_generation(spec: ModelSpec) -> GenerationBackend:
    """Open a causal language model that generates."""
    return cast(GenerationBackend, _open(spec, "generation"))


def open_embeddings(spec: ModelSpec) -> EmbeddingBackend:
    """Open a sentence embedder."""
    return cast(EmbeddingBackend, _open(spec, "embeddings"))


def _open(spec: ModelSpec, task: Task) -> Backend:
    engine: str = spec.engine
    if engine == "server" and server_facts(spec.model)["sglang"]:
        engine = "sglang"
    if (engine, task) == ("sglang", "generation"):
        raise SettingsError(
            "An SGLang server may draw another response for the same seed.",
            spec.name,
            "Generate with a vLLM server, or with a model in a folder.",
        )
    module, _, name = CLASSES[engine, task].rpartition(".")
    try:
        opened: Backend = getattr(import_module(f"{__package__}.{module}"), name)(spec)
    except OutOfMemory as error:
        raise ModelError(
            "The model does not fit in the device's memory.",
            f"{spec.name} on {spec.device}: {first_line(error)}",
            "Is something else running there? Try --dtype=bfloat16, or --backend=vllm with --tensor-parallel.",
        ) from error
    return opened


def open_chat_tokenizer(
    model: Model,
    *,
    template: str | None = None,
    keep_own: bool = False,
    day: date | None = None,
    trust_remote_code: bool = False,
) -> HubTokenizer | FakeTokenizer:
    """The tokenizer of a model; it must have a chat template.

    Args:
        model: whose tokenizer.
        template: a Jinja template that replaces its own.
        keep_own: use `template` only if the tokenizer has none. For reward models: their numbers mean nothing in
            another template than that of their training, least of all in one given for the policy.
        day: the current date that the template prints; today's by default.
        trust_remote_code: let the tokenizer run its own code.

    Raises:
        ModelError: it cannot be loaded, or has no chat template and none is given.
    """
    if model.kind == "fake":
        return FakeTokenizer()
    tokenizer = HubTokenizer(model.tokenizer, trust_remote_code=trust_remote_code)
    if template is not None and not (keep_own and tokenizer.chat_template):
        tokenizer.use_template(template)
    if day is not None:
        tokenizer.fix_day(day)
    if not tokenizer.chat_template:
        raise ModelError(
            "The tokenizer has no chat template, so a conversation cannot be rendered.",
            model.name,
            "Give one with --chat-template=FILE.",
        )
    return tokenizer


def model_limit(spec: ModelSpec) -> int | None:
    """Maximum tokens that the model can read, from its configuration; None if it names no limit.

    Raises:
        ModelError: the model does not exist.
    """
    if spec.engine == "fake":
        return None
    if spec.engine == "server":
        # A server needs room for one generated token, even if it should only read.
        served = server_facts(spec.model)["limit"]
        return served - 1 if served else None
    limit = getattr(read_config(spec).get_text_config(), "max_position_embeddings", None)
    return int(limit) if limit else None
