"""Which file serves a model, chosen by its name and by --backend."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import wraps
from typing import Any, TypeVar, cast

from curate.backends import (
    BackendName,
    EmbeddingBackend,
    GenerationBackend,
    LogprobBackend,
    ModelKind,
    ModelSpec,
    OutOfMemory,
    RewardBackend,
)
from curate.backends.adapters import check_adapter
from curate.backends.configs import read_config
from curate.backends.fake import FakeBackend, FakeTokenizer, is_fake
from curate.backends.reward_heads import check_servable, choose_head
from curate.backends.sentence import embedder_path
from curate.backends.server.sglang import SglangLogprobs, SglangRewards
from curate.backends.server.vllm import ServerGeneration, ServerLogprobs, ServerRewards, server_facts
from curate.backends.vllm.checks import check_positions, check_sentence_model
from curate.errors import MissingExtra, ModelError, SettingsError, first_line
from curate.model import served_model
from curate.tokens import HubTokenizer

Opened = TypeVar("Opened")


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
    """The spec with `auto` resolved for this machine; the backend is torch unless vLLM is requested.

    Raises:
        SettingsError: the device does not exist.
    """
    if is_fake(spec.name):
        return spec
    if served_model(spec.name):
        return replace(spec, device="server", dtype="server", backend="server")
    from curate.backends.torch.loading import choose_device, choose_dtype

    device = choose_device(spec.device)
    if spec.backend == "vllm":
        _check_gpus(spec, device)
    backend: BackendName = "vllm" if spec.backend == "vllm" else "torch"
    return replace(spec, device=device, dtype=choose_dtype(spec.dtype, device), backend=backend)


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
    if is_fake(spec.name):
        return {}
    if spec.backend == "server":
        facts = server_facts(spec.name)
        return {"backend": "server", "server": f"sglang {facts['version']}" if facts["sglang"] else facts["version"]}
    if spec.backend == "vllm":
        from curate.backends.vllm.engine import vllm_version

        return {"backend": "vllm", "vllm": vllm_version()}
    return {"backend": "torch"}


def check_model(spec: ModelSpec, kind: ModelKind) -> ModelSpec:
    """The spec with a reward model's head; refuses at plan time what would fail or give another number.

    Raises:
        ModelError: a reward model that cannot be run here, or a model that vLLM would get wrong.
    """
    if is_fake(spec.name):
        return spec
    if spec.backend == "server":
        return _check_served(spec, kind)
    check_adapter(spec)
    head = choose_head(spec, read_config(spec)) if kind == "reward" else None
    if spec.backend == "vllm" and kind == "embedding":
        check_sentence_model(embedder_path(spec.name))
    elif spec.backend == "vllm":
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
    server_facts(spec.name)
    return spec


def gpus_named(wanted: str) -> tuple[str, ...]:
    """The devices named by `--gpus`, such as `cuda:0` and `cuda:1`.

    Raises:
        SettingsError: they do not exist, or are of different kinds.
    """
    from curate.backends.torch.loading import cuda_devices

    return cuda_devices(wanted)


def _must_fit(open_model: Callable[[ModelSpec], Opened]) -> Callable[[ModelSpec], Opened]:
    """Turn a model too large for the device's memory into an error that the user can fix."""

    @wraps(open_model)
    def open_it(spec: ModelSpec) -> Opened:
        try:
            return open_model(spec)
        except OutOfMemory as error:
            raise ModelError(
                "The model does not fit in the device's memory.",
                f"{spec.name} on {spec.device}: {first_line(error)}",
                "Is something else running there? Try --dtype=bfloat16, or --backend=vllm with --tensor-parallel.",
            ) from error

    return open_it


@_must_fit
def open_logprobs(spec: ModelSpec) -> LogprobBackend:
    """Open a causal language model."""
    if is_fake(spec.name):
        return FakeBackend(spec)
    if spec.backend == "vllm":
        from curate.backends.vllm.models import VllmLogprobs

        return VllmLogprobs(spec)
    if spec.backend == "server":
        return SglangLogprobs(spec) if server_facts(spec.name)["sglang"] else ServerLogprobs(spec)
    from curate.backends.torch.scoring import TorchLogprobs

    return TorchLogprobs(spec)


@_must_fit
def open_rewards(spec: ModelSpec) -> RewardBackend:
    """Open a reward model."""
    if is_fake(spec.name):
        return FakeBackend(spec)
    if spec.backend == "server":
        return SglangRewards(spec) if server_facts(spec.name)["sglang"] else ServerRewards(spec)
    head = check_model(spec, "reward").reward_head
    if spec.backend == "vllm":
        from curate.backends.vllm.models import VllmRewards

        return VllmRewards(spec)
    if head is not None:
        from curate.backends.torch.reward_heads import TorchHeadRewards

        return TorchHeadRewards(spec, head)
    from curate.backends.torch.scoring import TorchRewards

    return TorchRewards(spec)


@_must_fit
def open_generation(spec: ModelSpec) -> GenerationBackend:
    """Open a causal language model that generates."""
    if is_fake(spec.name):
        return FakeBackend(spec)
    if spec.backend == "vllm":
        from curate.backends.vllm.models import VllmGeneration

        return VllmGeneration(spec)
    if spec.backend == "server":
        if server_facts(spec.name)["sglang"]:
            raise SettingsError(
                "An SGLang server may draw another response for the same seed.",
                spec.name,
                "Generate with a vLLM server, or with a model in a folder.",
            )
        return ServerGeneration(spec)
    from curate.backends.torch.generation import TorchGeneration

    return TorchGeneration(spec)


@_must_fit
def open_embeddings(spec: ModelSpec) -> EmbeddingBackend:
    """Open a sentence embedder."""
    if is_fake(spec.name):
        return FakeBackend(spec)
    if spec.backend == "vllm":
        from curate.backends.vllm.models import VllmEmbedder

        return VllmEmbedder(spec)
    from curate.backends.sentence import SentenceEmbedder

    return SentenceEmbedder(spec)


def open_chat_tokenizer(
    name: str,
    *,
    template: str | None = None,
    keep_own: bool = False,
    day: date | None = None,
    trust_remote_code: bool = False,
) -> HubTokenizer | FakeTokenizer:
    """The tokenizer of a model; it must have a chat template.

    Args:
        name: the model.
        template: a Jinja template that replaces its own.
        keep_own: use `template` only if the tokenizer has none. For reward models: their numbers mean nothing in
            another template than that of their training, least of all in one given for the policy.
        day: the current date that the template prints; today's by default.
        trust_remote_code: let the tokenizer run its own code.

    Raises:
        ModelError: it cannot be loaded, or has no chat template and none is given.
    """
    if is_fake(name):
        return cast(HubTokenizer | FakeTokenizer, FakeTokenizer())
    tokenizer = HubTokenizer(name, trust_remote_code=trust_remote_code)
    if template is not None and not (keep_own and tokenizer.chat_template):
        tokenizer.use_template(template)
    if day is not None:
        tokenizer.fix_day(day)
    if not tokenizer.chat_template:
        raise ModelError(
            "The tokenizer has no chat template, so a conversation cannot be rendered.",
            name,
            "Give one with --chat-template=FILE.",
        )
    return tokenizer


def model_limit(spec: ModelSpec) -> int | None:
    """Maximum tokens that the model can read, from its configuration; None if it names no limit.

    Raises:
        ModelError: the model does not exist.
    """
    if is_fake(spec.name):
        return None
    if served_model(spec.name):
        # A server needs room for one generated token, even if it should only read.
        served = server_facts(spec.name)["limit"]
        return served - 1 if served else None
    limit = getattr(read_config(spec).get_text_config(), "max_position_embeddings", None)
    return int(limit) if limit else None
