"""Models behind a server: what all of them share, and vLLM's OpenAI-compatible interface, which can do everything.

The server decides device, dtype and batches; its numbers may differ in the last digits from one run to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import fsum, isfinite, nan
from typing import Any, Literal

from curate.backends import ModelSpec, Sample, Sampling
from curate.backends.server.http import SHOWN, Server
from curate.errors import ModelError
from curate.model import Model
from curate.render import Ids, Rendered

HANDED_TOKENS = 262_144
ROUNDING = 1e-3
"""How far above 0 rounding may push a log-probability."""
SHOWN_VALUE = 40


@lru_cache
def server_facts(model: Model) -> dict[str, Any]:
    """What a server says about itself and this model: its kind, its version, and the longest row it reads.

    Raises:
        ModelError: it does not answer, or does not have the model.
    """
    server = Server(model.url, patient=False)
    try:
        listed = entries(server.get("/v1/models"), "data")
        found = {str(at(one, "id")): one for one in listed}
        if model.path not in found:
            raise ModelError(
                f"The server has no model called {model.path}.",
                model.name,
                server.redacted(f"It has: {', '.join(found) or 'none'}."),
            )
        sglang = at(found[model.path], "owned_by") == "sglang"
        version = _version(server, "/get_server_info" if sglang else "/version")
        limit = at(found[model.path], "max_model_len")
        return {"limit": limit if isinstance(limit, int) else None, "version": version, "sglang": sglang}
    finally:
        server.close()


def at(answer: Any, *place: str | int) -> Any:
    """The value at a path in an answer, key by key; None if there is nothing."""
    for key in place:
        if isinstance(key, str):
            answer = answer.get(key) if isinstance(answer, dict) else None
        else:
            answer = answer[key] if isinstance(answer, list) and -len(answer) <= key < len(answer) else None
    return answer


def entries(answer: Any, *place: str | int) -> list[Any]:
    """The list at a path in an answer; empty if there is none."""
    found = at(answer, *place)
    return found if isinstance(found, list) else []


def _version(server: Server, path: str) -> str | None:
    try:
        said = server.get(path)
    except ModelError:
        return None  # not every server says
    version = at(said, "version")
    return server.redacted(str(version)) if version is not None else None


class ServerModel:
    """What all kinds of served models share."""

    kind = "vLLM"
    packs = False
    padding_free = False
    cached_tokens: int | None = None
    batch_tokens = HANDED_TOKENS

    def __init__(self, spec: ModelSpec) -> None:
        self.notes = ["What a server answers may differ in the last digits from run to run."]
        self.name = spec.name
        self._model = spec.model
        self._server = Server(spec.model.url, seconds=spec.server_seconds)

    def ask(self, path: str, bodies: Sequence[dict[str, Any]]) -> list[Any]:
        """The server's answers to these requests for this model, in order."""
        return self._server.post_all(path, [{"model": self._model.path, **body} for body in bodies])

    def require(self, holds: bool, what: str) -> None:
        """Refuse an answer that is not what was requested.

        Raises:
            ModelError: `holds` is false; `what` says what is wrong.
        """
        if not holds:
            said = self._server.redacted(what)[:SHOWN]
            raise ModelError(f"The server's answer cannot be used: {said}.", self.name, f"Is it {self.kind}'s server?")

    def finite(self, number: Any) -> float:
        """The number, if it is a finite number.

        Raises:
            ModelError: it is not.
        """
        try:
            found = float(number) if isinstance(number, int | float) and not isinstance(number, bool) else nan
        except OverflowError:
            found = nan
        self.require(isfinite(found), f"{self._shown(number)} is not a number")
        return found

    def logp(self, number: Any) -> float:
        """The number, if it can be a log-probability.

        Raises:
            ModelError: it is not a number, or positive beyond what rounding explains.
        """
        found = self.finite(number)
        self.require(found <= ROUNDING, f"a log-probability of {self._shown(number)}, which is positive")
        return found

    def _shown(self, value: Any) -> str:
        return self._server.redacted(str(value))[:SHOWN_VALUE]

    def facts(self) -> dict[str, Any]:
        """That it is a server; `server_facts` says which."""
        return {"backend": "server", "device": "server"}

    def close(self) -> None:
        """Close the connections."""
        self._server.close()


class ServerLogprobs(ServerModel):
    """Log-probabilities under a causal language model."""

    def logps(self, batch: Sequence[Rendered]) -> list[float]:
        """The log-probability of each row's ids[start:], summed, in nats."""
        asked = [
            {"prompt": row.ids, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0, "add_special_tokens": False}
            for row in batch
        ]
        answers = self.ask("/v1/completions", asked)
        return [self._sum(row, answer) for row, answer in zip(batch, answers, strict=True)]

    def _sum(self, row: Rendered, answer: Any) -> float:
        found = entries(answer, "choices", 0, "prompt_logprobs")
        told = f"{len(found)} prompt_logprobs came back for {len(row.ids)} tokens"
        self.require(len(found) == len(row.ids), told)
        values = [at(found[i], str(row.ids[i]), "logprob") for i in range(row.start, len(row.ids))]
        return fsum(self.logp(value) for value in values)


class RewardRows(ServerModel):
    """What rewards of all servers share: rows end where transformers reads the reward."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self._pad = _pad_id(self._model.tokenizer, spec)

    def unpadded(self, batch: Sequence[Ids]) -> list[Ids]:
        """The rows up to their last token that is not the model's padding token."""
        return [ids[: next((i for i in range(len(ids), 0, -1) if ids[i - 1] != self._pad), 1)] for ids in batch]


class ServerRewards(RewardRows):
    """Rewards of a sequence-classification model with one output."""

    def rewards(self, batch: Sequence[Ids]) -> list[float]:
        """The raw logit of each row at the last token that is not the model's padding token."""
        how = {"use_activation": False, "add_special_tokens": False}
        answers = self.ask("/classify", [{"input": ids, **how} for ids in self.unpadded(batch)])
        return [self._logit(answer) for answer in answers]

    def _logit(self, answer: Any) -> float:
        values = entries(answer, "data", 0, "probs")
        rows = len(entries(answer, "data"))
        self.require(rows <= 1 and len(values) == 1, f"{len(values)} outputs came back, not one")
        return self.finite(values[0])


class ServerGeneration(ServerModel):
    """Responses sampled from a causal language model; the server also knows which tokens end a turn."""

    def generate(self, prompts: Sequence[Ids], seeds: Sequence[int], sampling: Sampling) -> list[Sample]:
        """One response to each prompt, sampled with its own seed.

        Other rows can change a draw only through rounding: when two tokens are nearly as likely after the noise.
        """
        how = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "stop_token_ids": sorted(sampling.stop_ids),
            # A server takes whatever is missing from the model's own generation settings.
            **{"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0},
            **{"logprobs": 0, "return_token_ids": True, "add_special_tokens": False, "skip_special_tokens": False},
        }
        asked = [{**how, "prompt": ids, "seed": seed % 2**63} for ids, seed in zip(prompts, seeds, strict=True)]
        return [self._sample(answer) for answer in self.ask("/v1/completions", asked)]

    def _sample(self, answer: Any) -> Sample:
        choice = at(answer, "choices", 0)
        ids, reason = entries(choice, "token_ids"), at(choice, "finish_reason")
        logps = entries(choice, "logprobs", "token_logprobs")
        told = f"{len(logps)} log-probabilities came back for {len(ids)} tokens"
        self.require(len(logps) == len(ids) > 0, told)
        self.require(reason in ("stop", "length"), f"finish_reason is {reason}")
        self.require(all(type(one) is int and one >= 0 for one in ids), "its token_ids are not token ids")
        ended: Literal["stop", "length"] = "stop" if reason == "stop" else "length"
        return Sample(list(ids), ended, fsum(map(self.logp, logps)))


def _pad_id(tokenizer: str, spec: ModelSpec) -> int | None:
    from curate.backends.configs import read_config

    config = read_config(ModelSpec.of(tokenizer, trust_remote_code=spec.trust_remote_code))
    found: int | None = config.get_text_config().pad_token_id
    return found
