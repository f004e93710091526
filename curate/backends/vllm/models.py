"""Models in vLLM: log-probabilities, rewards, embeddings and responses.

The numbers mean the same as in `backends/torch`: the sums run over the same tokens, and a reward is the raw logit at
the same token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import fsum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from curate.backends import ModelSpec, Sample, Sampling
from curate.backends.configs import read_config
from curate.backends.torch.forward import TOLERANCE
from curate.backends.torch.generation import end_ids
from curate.backends.vllm.checks import check_positions, check_sentence_model
from curate.backends.vllm.engine import STEP_TOKENS, VllmModel
from curate.errors import SettingsError
from curate.hub import hub_access
from curate.render import Ids, Rendered

LOGITS_AT_ONCE = 2**28
"""Maximum logits (tokens of a step times vocabulary) at a time; vLLM holds them up to three times, 3 GiB in float32."""
LEAST_TEMPERATURE = 0.01
"""Below this, vLLM would sample at this temperature, and only log it."""
CHECK_LENGTHS = (23, 9)
CHECK_TOKENS = 5
LEAST_ROOM = 32
"""Tokens of a row that every engine accepts: those of the self-check, which may be longer than --max-length."""


class VllmLogprobs(VllmModel):
    """Log-probabilities under a causal language model."""

    def __init__(self, spec: ModelSpec) -> None:
        room = max(spec.max_length + 1, LEAST_ROOM) if spec.max_length else None
        check_positions(spec)
        vocabulary = int(read_config(spec).get_text_config().vocab_size)
        step = min(STEP_TOKENS, max(256, LOGITS_AT_ONCE // vocabulary))
        super().__init__(
            spec,
            max_model_len=room,
            max_num_batched_tokens=step,
            enable_chunked_prefill=True,
            skip_tokenizer_init=True,
            generation_config="vllm",
            logprobs_mode="raw_logprobs",
        )
        self.start_with(self._self_check)

    def logps(self, batch: Sequence[Rendered]) -> list[float]:
        """The log-probability of each row's ids[start:], summed, in nats."""
        from vllm import SamplingParams

        params = SamplingParams(temperature=0, max_tokens=1, prompt_logprobs=0, flat_logprobs=True, detokenize=False)
        prompts = self.prompts([row.ids for row in batch])
        outputs = self.run(lambda: self.llm.generate(prompts, params, use_tqdm=False))
        return [self._sum(row, one.prompt_logprobs) for row, one in zip(batch, outputs, strict=True)]

    def _self_check(self) -> None:
        rows = [Rendered(ids, len(ids) // 3, "exact") for ids in check_rows(self)]
        alone = [self.logps([row])[0] for row in rows]
        close = agree(self.logps(rows), alone, [row.response_tokens for row in rows], self.spec.dtype)
        self.require(close, "a row's neighbours change its log-probability")

    def _sum(self, row: Rendered, found: Any) -> float:
        # One entry per token except the first, which has no context.
        counted = len(found.logprobs) if found is not None else 0
        told = f"{counted} log-probabilities came back for {len(row.ids)} tokens"
        self.require(counted == len(row.ids) - 1 and list(found.token_ids) == list(row.ids[1:]), told)
        return self.finite(fsum(found.logprobs[row.start - 1 :]))


class VllmRewards(VllmModel):
    """Rewards of a sequence-classification model with one output, the head computed in float32."""

    def __init__(self, spec: ModelSpec) -> None:
        check_positions(spec)
        room = max(spec.max_length, LEAST_ROOM) if spec.max_length else None
        super().__init__(spec, runner="pooling", max_model_len=room)
        config = self.config.hf_config.get_text_config()
        self._pad = config.pad_token_id if self.config.pooler_config.seq_pooling_type == "LAST" else None
        self.start_with(self._self_check)

    def rewards(self, batch: Sequence[Ids]) -> list[float]:
        """The raw logit of each row at the last token that is not the model's padding token."""
        from vllm import PoolingParams

        # By default vLLM would apply a sigmoid.
        params = PoolingParams(use_activation=False)
        prompts = self.prompts([self._read(ids) for ids in batch])
        outputs = self.run(lambda: self.llm.classify(prompts, pooling_params=params, use_tqdm=False))
        found = [one.outputs.probs for one in outputs]
        self.require(all(len(values) == 1 for values in found), f"it gives {len(found[0])} outputs, not one")
        return [self.finite(values[0]) for values in found]

    def _self_check(self) -> None:
        rows = check_rows(self)
        alone = [self.rewards([ids])[0] for ids in rows]
        close = agree(self.rewards(rows), alone, [max(1.0, abs(reward)) for reward in alone], self.spec.dtype)
        self.require(close, "a row's neighbours change its reward")

    def _read(self, ids: Ids) -> Ids:
        # transformers reads at the rightmost token that differs from pad_token_id, vLLM at the last one. Tokens to the
        # right of a token do not affect it, so they can be left out.
        end = next((i for i in range(len(ids), 0, -1) if ids[i - 1] != self._pad), 1)
        return ids[:end]


class VllmGeneration(VllmModel):
    """Responses sampled from a causal language model."""

    def __init__(self, spec: ModelSpec) -> None:
        check_positions(spec)
        room = max(spec.max_length or STEP_TOKENS, LEAST_ROOM)
        # A prompt read in pieces would disturb its row's random numbers, and on a CPU stop the engine.
        super().__init__(
            spec,
            max_model_len=room,
            max_num_batched_tokens=max(STEP_TOKENS, room),
            enable_chunked_prefill=False,
            enable_prefix_caching=True,
            enforce_eager=False,
            skip_tokenizer_init=True,
            generation_config="vllm",
            logprobs_mode="raw_logprobs",
        )
        if not spec.max_length:
            self.notes.append(f"The model names no limit: prompt and response may have {room} tokens.")
        self._ends = end_ids(SimpleNamespace(config=self.config.hf_config, generation_config=_generation_config(spec)))
        self.start_with(self._self_check)

    def generate(self, prompts: Sequence[Ids], seeds: Sequence[int], sampling: Sampling) -> list[Sample]:
        """One response to each prompt, sampled with its own seed.

        Other rows can change a draw only through rounding: when two tokens are nearly as likely after the noise.

        Raises:
            SettingsError: a temperature that vLLM would raise.
        """
        if 0 < sampling.temperature < LEAST_TEMPERATURE:
            raise SettingsError(
                f"vLLM samples at temperatures of {LEAST_TEMPERATURE} or more.",
                setting="temperature",
                value=sampling.temperature,
                hint="Use 0 for greedy decoding.",
            )
        outputs = self.run(lambda: self._draw(prompts, seeds, sampling))
        return [self._sample(one.outputs[0]) for one in outputs]

    def _draw(self, prompts: Sequence[Ids], seeds: Sequence[int], sampling: Sampling) -> list[Any]:
        from vllm import SamplingParams

        params = [
            SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                seed=seed % 2**63,
                stop_token_ids=sorted(self._ends | set(sampling.stop_ids)),
                logprobs=0,
                flat_logprobs=True,
                detokenize=False,
            )
            for seed in seeds
        ]
        outputs: list[Any] = self.llm.generate(self.prompts(prompts), params, use_tqdm=False)
        # Equal prompts in one call are read once; nothing is kept for the next call, whose numbers must not depend on
        # it.
        self.llm.reset_prefix_cache()
        return outputs

    def _sample(self, found: Any) -> Sample:
        ids, logps = list(found.token_ids), found.logprobs
        told = f"{len(logps.logprobs)} log-probabilities came back for {len(ids)} tokens"
        self.require(list(logps.token_ids) == ids and found.finish_reason in ("stop", "length"), told)
        return Sample(ids, found.finish_reason, self.finite(fsum(logps.logprobs)))

    def _self_check(self) -> None:
        """Check that responses have the same log-probabilities when generated and when read."""
        from vllm import SamplingParams

        prompts = check_rows(self)
        made = self.generate(prompts, range(len(prompts)), Sampling(temperature=0.7, max_tokens=CHECK_TOKENS))
        whole = self.prompts([[*prompt, *one.ids] for prompt, one in zip(prompts, made, strict=True)])
        params = SamplingParams(max_tokens=1, prompt_logprobs=0, flat_logprobs=True, detokenize=False)
        read = self.run(lambda: self.llm.generate(whole, params, use_tqdm=False))
        sums = [fsum(output.prompt_logprobs.logprobs[-len(one.ids) :]) for output, one in zip(read, made, strict=True)]
        self.llm.reset_prefix_cache()
        close = agree([one.logps for one in made], sums, [len(one.ids) for one in made], self.spec.dtype)
        self.require(close, "a response has other log-probabilities when it is written than when it is read")


class VllmEmbedder(VllmModel):
    """A sentence-transformers model, in float32."""

    def __init__(self, spec: ModelSpec) -> None:
        from transformers import AutoTokenizer

        path = spec.model.path
        check_sentence_model(path)
        super().__init__(replace(spec, dtype="float32"), runner="pooling")
        with hub_access(path):
            self._tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=spec.trust_remote_code)
        self.notes.append(f"{Path(path).name} reads at most {self.config.max_model_len} tokens of each response.")

    def embed(self, texts: Sequence[str]) -> Any:
        """Unit vectors [len(texts), dimensions], float32; longer inputs are truncated at the model's own limit."""
        limit = self.config.max_model_len
        prompts = self.prompts(self._tokenizer(list(texts), truncation=True, max_length=limit)["input_ids"])
        outputs = self.run(lambda: self.llm.embed(prompts, use_tqdm=False))
        vectors = np.array([one.outputs.embedding for one in outputs], dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def facts(self) -> dict[str, Any]:
        """Engine, device, and the length at which texts are truncated."""
        return {**super().facts(), "max_tokens": self.config.max_model_len}


def _generation_config(spec: ModelSpec) -> Any:
    from transformers import GenerationConfig

    try:
        with hub_access(spec.model.path):
            return GenerationConfig.from_pretrained(spec.model.path)
    except OSError:
        return None  # the model has none; its own configuration then names the tokens that end a text


def check_rows(model: VllmModel) -> list[Ids]:
    """Two rows of fixed ids and different lengths, within the vocabulary."""
    return [[(7919 * (i + 1) + 13 * n) % model.vocabulary for i in range(n)] for n in CHECK_LENGTHS]


def agree(ours: Sequence[float], alone: Sequence[float], per: Sequence[float], dtype: str) -> bool:
    """Whether every number, divided by what it scales with, is within the dtype's rounding."""
    return all(abs(a - b) <= TOLERANCE[dtype] * n for a, b, n in zip(ours, alone, per, strict=True))
