"""Every column that `curate` writes, once: name, type, unit, meaning; and the record that readers make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Type = Literal["string", "f64", "i32", "bool", "list<string>", "list<f64>", "list<i32>"]
Message = dict[str, str]
"""A role and a content. A turn that calls tools has their JSON in `tool_calls`; a first message of the role `tools` has
the JSON of the tools that the conversation offers."""
TOOLS, TOOL, TOOL_CALLS, CALL_ID = "tools", "tool", "tool_calls", "tool_call_id"


@dataclass(frozen=True)
class Column:
    """One output column."""

    name: str
    type: Type
    unit: str
    meaning: str


@dataclass(frozen=True)
class ResponseField:
    """A number that belongs to one response, and the columns that hold it.

    `chosen` and `rejected` are its columns in a table of pairs, `candidates` its list column in a table with one row
    per prompt.
    """

    name: str
    type: Type
    unit: str
    meaning: str
    chosen: str
    rejected: str
    candidates: str

    def columns(self) -> tuple[Column, Column]:
        """The two columns of this field in a table of pairs."""
        return (
            Column(self.chosen, self.type, self.unit, f"{self.meaning}, of the chosen response"),
            Column(self.rejected, self.type, self.unit, f"{self.meaning}, of the rejected response"),
        )


REWARD = ResponseField(
    "reward", "f64", "reward units", "combined reward", "chosen_reward", "rejected_reward", "rewards"
)
POLICY_LOGPS = ResponseField(
    "policy_logps",
    "f64",
    "nats",
    "log-probability under the policy, summed over the response's tokens, end of turn included",
    "policy_chosen_logps",
    "policy_rejected_logps",
    "policy_logps",
)
REF_LOGPS = ResponseField(
    "ref_logps",
    "f64",
    "nats",
    "log-probability under the reference, summed over the response's tokens, end of turn included",
    "ref_chosen_logps",
    "ref_rejected_logps",
    "ref_logps",
)
TOKENS = ResponseField(
    "tokens",
    "i32",
    "tokens",
    "tokens of a response: those that its log-probabilities are summed over, the template's end of turn included; as "
    "`curate generate` drew them, until a model measures the response again; in pairs without log-probabilities, those "
    "of the text",
    "chosen_tokens",
    "rejected_tokens",
    "tokens",
)
TRUNCATED = ResponseField(
    "truncated", "bool", "", "cut by --max-length", "chosen_truncated", "rejected_truncated", "truncated"
)
ALP_ALONE = ResponseField(
    "policy_alp_alone",
    "f64",
    "nats per token",
    "average log-probability per token under the policy behind the assistant's header alone, without the prompt",
    "policy_chosen_alp_alone",
    "policy_rejected_alp_alone",
    "policy_alp_alone",
)
COLLISION = ResponseField(
    "policy_collision",
    "f64",
    "nats per token",
    "mean over the response's tokens of log sum_v pi(v)^2 under the policy",
    "policy_chosen_collision",
    "policy_rejected_collision",
    "policy_collision",
)
RESPONSE_FIELDS = (REWARD, POLICY_LOGPS, REF_LOGPS, ALP_ALONE, COLLISION, TOKENS, TRUNCATED)


def named_reward(name: str) -> ResponseField:
    """The field of one named reward source, in addition to the combined reward."""
    return ResponseField(
        f"reward_{name}",
        "f64",
        "reward units",
        f"reward from the source {name}",
        f"chosen_reward_{name}",
        f"rejected_reward_{name}",
        f"rewards_{name}",
    )


PAIR_ID = Column("pair_id", "string", "", "hash of prompt, chosen and rejected messages")
EDIT_DISTANCE = Column("edit_distance", "i32", "tokens", "token-level Levenshtein distance of the two responses")
EDIT_DISTANCE_NORM = Column("edit_distance_norm", "f64", "0..1", "edit distance over the longer response's tokens")
EMBEDDING_DISTANCE = Column("embedding_distance", "f64", "0..2", "1 - cosine of the two responses' embeddings")
HIDDEN_PRODUCT = Column("hidden_product", "f64", "", "inner product of both sides' summed last hidden states")
HIDDEN_SQUARE = Column("hidden_square", "f64", "", "squared length of the chosen response's summed last hidden states")
FLAGS = Column("flags", "list<string>", "", "what is peculiar about the pair")
CHOSEN_INDEX = Column("chosen_index", "i32", "", "position of the chosen response among the prompt's responses")
CHOSEN_MODEL = Column("chosen_model", "string", "", "which model wrote the chosen response, where the data says so")
REJECTED_MODEL = Column("rejected_model", "string", "", "which model wrote the rejected response")
REJECTED_INDEX = Column("rejected_index", "i32", "", "position of the rejected response among the prompt's responses")

SAMPLED = (
    Column("responses", "list<string>", "", "text of each response, special tokens left out"),
    Column("finish_reasons", "list<string>", "", "stop: the model ended its turn; length: it was cut at the limit"),
    Column(TOKENS.candidates, "list<i32>", TOKENS.unit, f"{TOKENS.meaning}, one a response"),
    Column(
        "sample_logps",
        "list<f64>",
        "nats",
        "log-probability of the tokens drawn, under the model itself (temperature 1, all tokens), summed",
    ),
    Column("models", "list<string>", "", "which model drew the response"),
    Column("temperatures", "list<f64>", "", "at which temperature it was drawn"),
)
"""What `curate generate` writes next to the prompt: lists with one entry per response."""

OF_WEIGHING = frozenset({"weight", "target_margin", "margin", "chosen_degraded"})
"""Columns that `curate weigh` writes under names that are no method's; trainers read some of them."""

FLAG_MEANINGS: dict[str, str] = {
    "identical": "chosen and rejected are the same text",
    "tie": "both rewards are equal, or the data says that neither response is better",
    "empty": "a response has no text",
    "truncated": "a response was cut by --max-length",
    "rm_disagrees": "the rejected response has the larger reward",
    "refusal": "a response opens with a refusal",
    "not_after_user": "the prompt ends neither with the user's turn nor with a tool's result",
    "user_twice": "two turns of the user follow each other in the prompt",
    "repeats_prompt": "a response begins with the text of the prompt's last turn",
    "template_markup": "a text holds markers of a chat template, such as <|im_start|> or [INST]",
    "length_outlier": "a response's token count lies far outside the data set's",
    "no_reward": "a reward is missing though the run measured rewards",
    "duplicate": "an earlier row has the same prompt and responses, apart from case and spacing",
    "duplicate_prompt": "an earlier row has the same prompt, apart from case and spacing",
    "repeated_response": "a response, of 5 words or more, first answered another prompt",
    "contradiction": "another row prefers the other of the same two responses to the same prompt",
    "near_duplicate": "an earlier row is nearly the same in prompt and responses (80% of three-word runs each)",
    "near_duplicate_prompt": "an earlier row has nearly the same prompt (80% of three-word runs)",
    "near_duplicate_response": "a response, of 5 words or more, is nearly an earlier one to another prompt",
    "language_mismatch": "prompt and responses are not all in one language",
    "other_language": "the prompt is not in the language of most rows",
    "self_identification": "a response says which model, or that a model, wrote it",
    "knowledge_cutoff": "a response says when its knowledge ends",
    "identical_truncated": "chosen and rejected differ only beyond --max-length",
    "leaked": "the prompt holds a prompt of an evaluation given with --decontaminate",
}

FINISH_REASON, MODEL = "finish_reason", "model"
"""Text entries of a record's `measured`: how the response ended (`stop`, `length`), and which model wrote it."""


@dataclass(frozen=True)
class Record:
    """One row of any layout in one standard form.

    Attributes:
        prompt: the messages before the response, oldest first; never empty.
        responses: the texts of the responses to it.
        pair: positions of chosen and rejected in `responses`, if the data names them.
        measured: one value per response by field name (`reward`, `policy_logps`, ..., `finish_reason`, `model`); null
            where the data has none.
        tie: whether the data says that neither response of the pair is better; it is then in the data's own order.
        calls: for each response the JSON of the tools it calls, which its text ends with; empty for one that calls
            none. An empty tuple if no response calls a tool.
    """

    prompt: tuple[Message, ...]
    responses: tuple[str, ...]
    pair: tuple[int, int] | None = None
    measured: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    tie: bool = False
    calls: tuple[str, ...] = ()

    def calls_of(self, place: int) -> str:
        """The JSON of the tools that this response calls; empty for none."""
        return self.calls[place] if self.calls else ""


def table_columns() -> tuple[Column, ...]:
    """Every column of a table of pairs that is not a metric."""
    alone = (PAIR_ID, EDIT_DISTANCE, EDIT_DISTANCE_NORM, EMBEDDING_DISTANCE, HIDDEN_PRODUCT, HIDDEN_SQUARE, FLAGS)
    of_pairing = (CHOSEN_INDEX, REJECTED_INDEX, CHOSEN_MODEL, REJECTED_MODEL)
    return (*alone, *of_pairing, *(column for each in RESPONSE_FIELDS for column in each.columns()))
