"""Models behind an SGLang server: log-probabilities and rewards through its own HTTP interface.

Its OpenAI-compatible interface takes log-probabilities of responses after the temperature, and honours seeds only if
the server was started for that, so responses are not sampled there. No such server was available for tests: only one
written after SGLang's documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import Any

from curate.backends.server.vllm import RewardRows, ServerModel, entries
from curate.render import Ids, Rendered

SERVER = "SGLang"


class SglangLogprobs(ServerModel):
    """Log-probabilities under a causal language model."""

    kind = SERVER

    def logps(self, batch: Sequence[Rendered]) -> list[float]:
        """The log-probability of each row's ids[start:], summed, in nats."""
        # The first position requested has none, because nothing is computed before it.
        asked = [
            {
                "input_ids": row.ids,
                "sampling_params": {"max_new_tokens": 1, "temperature": 0},
                "return_logprob": True,
                "logprob_start_len": row.start - 1,
            }
            for row in batch
        ]
        answers = self._server.post_all("/generate", asked)
        return [self._sum(row, answer) for row, answer in zip(batch, answers, strict=True)]

    def _sum(self, row: Rendered, answer: Any) -> float:
        found = entries(_only(answer), "meta_info", "input_token_logprobs")
        counted = [one for one in found if isinstance(one, list) and len(one) > 1][-row.response_tokens :]
        same = [one[1] for one in counted] == row.ids[row.start :]
        self.require(same, f"{len(found)} input_token_logprobs came back, of other tokens than were sent")
        return fsum(self.logp(one[0]) for one in counted)


class SglangRewards(RewardRows):
    """Rewards of a sequence-classification model with one output; its own interface gives the raw logit."""

    kind = SERVER

    def rewards(self, batch: Sequence[Ids]) -> list[float]:
        """The raw logit of each row at the last token that is not the model's padding token."""
        answers = self._server.post_all("/classify", [{"input_ids": ids} for ids in self.unpadded(batch)])
        return [self._logit(answer) for answer in answers]

    def _logit(self, answer: Any) -> float:
        values = entries(_only(answer), "embedding")
        self.require(len(values) == 1, f"{len(values)} outputs came back, not one")
        return self.finite(values[0])


def _only(answer: Any) -> Any:
    """The answer to one question, which may come as a list with one element."""
    return answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
