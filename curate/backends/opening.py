"""Which file serves a model: chosen by its name and by --backend."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import cast

from curate.backends import EmbeddingBackend, GenerationBackend, LogprobBackend, ModelSpec, RewardBackend
from curate.backends.fake import FakeBackend, FakeTokenizer, is_fake
from curate.errors import MissingExtra, ModelError, SettingsError, first_line
from curate.tokens import HubTokenizer, check_model_name


def check_backend(name: str) -> None:
    """Refuse at plan time a backend that cannot be used.

    Raises:
        MissingExtra: its package is not installed.
        SettingsError: this version does not have it.
    """
    if name == "vllm":
        if importlib.util.find_spec("vllm") is None:
            raise MissingExtra("vllm", "vllm")
        raise SettingsError(
            "Scoring with vLLM is not part of this version.",
            "--backend vllm",
            "Use --backend torch.",
        )


def resolved(spec: ModelSpec) -> ModelSpec:
    """The same with `auto` decided for this machine.

    Raises:
        SettingsError: the device is not there.
    """
    if is_fake(spec.name):
        return spec
    from curate.backends.torch_loading import choose_device, choose_dtype

    device = choose_device(spec.device)
    return replace(spec, device=device, dtype=choose_dtype(spec.dtype, device))


def gpus_named(wanted: str) -> tuple[str, ...]:
    """The devices that `--gpus` names, such as `cuda:0` and `cuda:1`.

    Raises:
        SettingsError: they are not there, or of several kinds.
    """
    from curate.backends.torch_loading import cuda_devices

    return cuda_devices(wanted)


def open_logprobs(spec: ModelSpec) -> LogprobBackend:
    """Open a causal language model."""
    if is_fake(spec.name):
        return FakeBackend(spec)
    from curate.backends.torch_models import TorchLogprobs

    return TorchLogprobs(spec)


def open_rewards(spec: ModelSpec) -> RewardBackend:
    """Open a reward model."""
    if is_fake(spec.name):
        return FakeBackend(spec)
    from curate.backends.torch_models import TorchRewards

    return TorchRewards(spec)


def open_generation(spec: ModelSpec) -> GenerationBackend:
    """Open a causal language model that writes."""
    if is_fake(spec.name):
        return FakeBackend(spec)
    from curate.backends.torch_generation import TorchGeneration

    return TorchGeneration(spec)


def open_embeddings(spec: ModelSpec) -> EmbeddingBackend:
    """Open a sentence embedder."""
    if is_fake(spec.name):
        return FakeBackend(spec)
    from curate.backends.embedding_models import SentenceEmbedder

    return SentenceEmbedder(spec)


def open_chat_tokenizer(
    name: str, *, template: str | None = None, keep_own: bool = False, trust_remote_code: bool = False
) -> HubTokenizer | FakeTokenizer:
    """The tokenizer of a model, which must know a chat template.

    Args:
        name: the model.
        template: a Jinja template to use in place of its own.
        keep_own: use `template` only where the tokenizer has none. So for reward models: their numbers mean nothing
            in another template than that of their training, least of all in one given for the policy.
        trust_remote_code: let the tokenizer run its own code.

    Raises:
        ModelError: it cannot be loaded, or has no chat template and none is given.
    """
    if is_fake(name):
        return cast(HubTokenizer | FakeTokenizer, FakeTokenizer())
    tokenizer = HubTokenizer(name, trust_remote_code=trust_remote_code)
    if template is not None and not (keep_own and tokenizer.chat_template):
        tokenizer.use_template(template)
    if not tokenizer.chat_template:
        raise ModelError(
            "The tokenizer has no chat template, so nothing says how a conversation is written.",
            name,
            "Give one with --chat-template FILE.",
        )
    return tokenizer


def model_limit(spec: ModelSpec) -> int | None:
    """Most tokens that the model can read, from its configuration; None where it names none.

    Raises:
        ModelError: there is no such model.
    """
    if is_fake(spec.name):
        return None
    from transformers import AutoConfig

    check_model_name(spec.name)
    try:
        config = AutoConfig.from_pretrained(spec.name, trust_remote_code=spec.trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            "The model's configuration cannot be read.",
            f"{spec.name}: {first_line(error)}",
            "Check the path or the hub id.",
        ) from error
    limit = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(limit) if limit else None
