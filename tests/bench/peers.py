"""Ways of reading rows: ours, and those of the scripts and engines that it is measured against.

A function named after its way takes a model's folder and the rows, and returns what a race times: a call without
arguments that gives one number a row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from curate.backends import ModelSpec
from curate.render import Rendered
from curate.scorers.batching import packed_batches
from tests.bench.timing import matrix_rate

Work = Callable[[], list[float]]
AT_ONCE = 8
"""Rows of a padded batch, and pairs of TRL's by default."""


def our_logps(folder: str, rows: Sequence[Rendered], dtype: str = "float32") -> Work:
    """Log-probabilities by the torch backend."""
    from curate.backends.torch.scoring import TorchLogprobs

    backend = TorchLogprobs(ModelSpec.of(folder, device="cpu", dtype=dtype))
    return lambda: read_by(backend, rows)


def our_rewards(folder: str, rows: Sequence[Rendered]) -> Work:
    """Rewards by the torch backend."""
    from curate.backends.torch.scoring import TorchRewards

    backend = TorchRewards(ModelSpec.of(folder, device="cpu", dtype="float32"))
    return lambda: read_by(backend, rows)


def looped_logps(folder: str, rows: Sequence[Rendered], dtype: str = "float32") -> Work:
    """Log-probabilities by transformers, row by row."""
    model = open_model(folder, "CausalLM", dtype)
    return lambda: one_by_one(model, rows)


def padded_logps(folder: str, rows: Sequence[Rendered]) -> Work:
    """Log-probabilities by transformers in padded batches, in the rows' order, as a script with a data loader does."""
    import torch

    model = open_model(folder, "CausalLM")

    def read() -> list[float]:
        values = []
        for first in range(0, len(rows), AT_ONCE):
            some = rows[first : first + AT_ONCE]
            ids, mask = padded(some)
            with torch.inference_mode():
                logps = model(ids, attention_mask=mask).logits.log_softmax(-1)
            for i, row in enumerate(some):
                at = slice(row.start - 1, len(row.ids) - 1)
                values.append(float(logps[i, at].gather(1, ids[i, row.start : len(row.ids), None]).sum()))
        return values

    return read


def looped_rewards(folder: str, rows: Sequence[Rendered]) -> Work:
    """Rewards by transformers, row by row."""
    import torch

    model = open_model(folder, "SequenceClassification")

    def read() -> list[float]:
        with torch.inference_mode():
            return [float(model(torch.tensor([row.ids])).logits[0, 0]) for row in rows]

    return read


def padded_rewards(folder: str, rows: Sequence[Rendered]) -> Work:
    """Rewards by transformers in padded batches, in the rows' order."""
    import torch

    model = open_model(folder, "SequenceClassification")

    def read() -> list[float]:
        values: list[float] = []
        for first in range(0, len(rows), AT_ONCE):
            ids, mask = padded(rows[first : first + AT_ONCE])
            with torch.inference_mode():
                values += model(ids, attention_mask=mask).logits[:, 0].tolist()
        return values

    return read


def trl_precompute(folder: str, rows: Sequence[Rendered], bf16: bool) -> Work:
    """TRL's own reference pass over these very tokens, without its tokenising: chosen and rejected in turn."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
    from trl import DPOConfig, DPOTrainer

    def text(ids: Sequence[int]) -> str:
        return " ".join(f"t{i}" for i in ids)

    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    table = {
        "prompt": [text(one.ids[: one.start]) for one, _ in pairs],
        # TRL appends the end-of-text token itself; white space keeps the words apart
        "chosen": [" " + text(one.ids[one.start : -1]) + " " for one, _ in pairs],
        "rejected": [" " + text(other.ids[other.start : -1]) + " " for _, other in pairs],
    }
    arguments = DPOConfig(
        tempfile.mkdtemp(),
        per_device_train_batch_size=AT_ONCE,
        use_cpu=True,
        bf16=bf16,
        report_to=[],
        disable_tqdm=True,
        max_length=None,
    )
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    trainer = DPOTrainer(model, args=arguments, train_dataset=Dataset.from_dict(table), processing_class=tokenizer)
    calls = iter(range(10**6))

    def read() -> list[float]:
        trainer._precompute_model_hash = str(next(calls))  # else the first round's result would be read again
        made: Any = trainer._precompute_ref_logps(trainer.train_dataset, "train", AT_ONCE)
        both = zip(made["ref_chosen_logps"], made["ref_rejected_logps"], strict=True)
        return [value for pair in both for value in pair]

    return read


def vllm_logps(folder: str, rows: Sequence[Rendered]) -> Work:
    """vLLM's prompt log-probabilities, of which the responses' are summed."""
    from vllm import SamplingParams

    engine, prompts = open_vllm(folder, rows)
    params = SamplingParams(temperature=0, max_tokens=1, prompt_logprobs=0, detokenize=False)

    def read() -> list[float]:
        outputs = engine.generate(prompts, params, use_tqdm=False)
        return [
            sum(one.prompt_logprobs[at][row.ids[at]].logprob for at in range(row.start, len(row.ids)))
            for row, one in zip(rows, outputs, strict=True)
        ]

    return read


def vllm_rewards(folder: str, rows: Sequence[Rendered]) -> Work:
    """vLLM's classify, without its sigmoid."""
    from vllm import PoolingParams

    engine, prompts = open_vllm(folder, rows, runner="pooling")
    params = PoolingParams(use_activation=False)
    return lambda: [one.outputs.probs[0] for one in engine.classify(prompts, pooling_params=params, use_tqdm=False)]


def matrices() -> Work:
    """Ten products of square float32 matrices; the numbers are their FLOPs."""
    multiply = matrix_rate()
    return lambda: [multiply() for _ in range(10)]


def read_by(backend: Any, rows: Sequence[Rendered]) -> list[float]:
    """The rows' log-probabilities, or rewards, in the scorer's own batches."""
    values = [0.0] * len(rows)
    for batch in packed_batches([row.ids for row in rows], backend.batch_tokens):
        some = [rows[i] for i in batch]
        found = backend.logps(some) if hasattr(backend, "logps") else backend.rewards([row.ids for row in some])
        for position, value in zip(batch, found, strict=True):
            values[position] = value
    return values


def one_by_one(model: Any, rows: Sequence[Rendered]) -> list[float]:
    """The whole log-softmax of each row, of which the response's tokens are picked."""
    import torch

    values = []
    with torch.inference_mode():
        for row in rows:
            ids = torch.tensor([row.ids], device=model.device)
            logps = model(ids).logits[0].log_softmax(-1)
            values.append(float(logps[row.start - 1 : -1].gather(1, ids[0, row.start :, None]).float().sum()))
    return values


def open_model(folder: str, kind: str, dtype: str = "float32") -> Any:
    """Transformers' own model."""
    import torch
    import transformers

    return getattr(transformers, "AutoModelFor" + kind).from_pretrained(folder, dtype=getattr(torch, dtype)).eval()


def padded(rows: Sequence[Rendered]) -> tuple[Any, Any]:
    """Ids and attention mask, padded on the right."""
    import torch

    longest = max(len(row.ids) for row in rows)
    ids = torch.tensor([row.ids + [0] * (longest - len(row.ids)) for row in rows])
    mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows])
    return ids, mask


def open_vllm(folder: str, rows: Sequence[Rendered], **more: Any) -> tuple[Any, list[Any]]:
    """An engine, and the rows as prompts. Nothing is compiled or cached, as in a script that scores once."""
    import os

    os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
    from vllm import LLM
    from vllm.inputs import TokensPrompt

    engine = LLM(
        folder,
        dtype="float32",
        enforce_eager=True,
        max_model_len=2048,
        kv_cache_memory_bytes=2**30,
        enable_prefix_caching=False,
        **more,
    )
    return engine, [TokensPrompt(prompt_token_ids=row.ids) for row in rows]
