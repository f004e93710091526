"""The cost of a step: its models' passes over the data, and roughly how many tokens. Fetches and opens nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from curate.backends import ModelSpec
from curate.backends.open import model_limit, open_chat_tokenizer
from curate.errors import CurateError
from curate.model import Model
from curate.plan.generation import draws_of, named_models
from curate.plan.rewards import parse_reward
from curate.plan.shape import RowKind
from curate.plan.volume import Volume
from curate.render import AloneRenderer, Renderer
from curate.schema import Message
from curate.scorers.judging import OPTIONS as JUDGE_OPTIONS
from curate.scorers.judging import PAIRWISE, POINTWISE, Question, judge_options
from curate.settings import GenerateSettings, MeasureSettings
from curate.tokens import WordsTokenizer, open_text_tokenizer

Conversation = tuple[Sequence[Message], str]
ONCE = ("policy", "reference")
"""Roles whose models read a prompt once for all of a row's responses."""


@dataclass(frozen=True)
class ModelSize:
    """What decides how much memory a token takes.

    Attributes:
        hidden: width of the hidden states.
        wide: width inside the feed-forward layers.
        layers: number of layers.
        keys: width of the keys of one layer.
    """

    hidden: int
    wide: int
    layers: int
    keys: int


@dataclass(frozen=True)
class ModelCost:
    """One model in one step.

    Attributes:
        role: `policy`, `reference`, `reward` or `embedder`, which read responses; `policy alone`, without the prompts;
            `judge`, which reads them in a question and answers it; or `draws`, which generates them.
        sequences: responses that it reads, each after its prompt (an embedder: alone); None if not known.
        tokens: tokens in all of these; for drawn responses, without their prompts; None if not known.
        unit: what was counted: the model's own tokens in its chat template, or words and punctuation marks if its
            tokenizer is not on this machine (a tokenizer counts more).
        at_most: whether there may be fewer.
        parameters: the model's parameters, if its weights are on this machine.
        size: its widths, if its configuration is on this machine.
        batch_tokens: the batch that the step asks for; None for the default.
    """

    role: str
    model: str
    sequences: int | None = None
    tokens: int | None = None
    unit: Literal["tokens", "words"] = "tokens"
    at_most: bool = False
    parameters: int | None = None
    size: ModelSize | None = None
    batch_tokens: int | None = None

    @property
    def flops(self) -> float | None:
        """2 x parameters x tokens: a forward pass without attention."""
        if self.parameters is None or self.tokens is None or self.unit == "words":
            return None
        return 2.0 * self.parameters * self.tokens


def drawing_costs(settings: GenerateSettings, volume: Volume) -> list[ModelCost]:
    """What each model of a step writes.

    Args:
        settings: of the step.
        volume: the prompts.
    """
    return [_drawing_cost(model, settings, volume) for model in named_models(settings.policy).values()]


def measuring_costs(
    settings: MeasureSettings, volume: Volume, kind: RowKind | None = None, *, compares: bool
) -> list[ModelCost]:
    """What each model of a step reads.

    Args:
        settings: of the step.
        volume: the rows whose responses it measures.
        kind: what a row is.
        compares: whether a judge may be asked which response of a pair is better.
    """
    volume = replace(volume, pairs=volume.pairs or kind == "pairs")
    sources = [parse_reward(spec) for spec in settings.reward]
    policy, reference = (Model.of(name) if name else None for name in (settings.policy, settings.reference))
    named = [("reward", one.model, one.model) for one in sources if one.kind == "model"]
    named += [("policy", policy, policy)] if policy else []
    if reference and not (policy and policy.is_same(reference)):
        named.append(("reference", reference, policy or reference))
    found = [_cost(role, model, reader, settings, volume) for role, model, reader in named]
    if settings.unconditional and policy:
        found.append(_cost("policy alone", policy, policy, settings, volume))
    found += [_judge_cost(one.model, settings, volume, compares) for one in sources if one.kind == "judge"]
    return found + ([_embedder_cost(settings.embedder, volume)] if settings.embedder else [])


def _drawing_cost(model: Model, settings: GenerateSettings, volume: Volume) -> ModelCost:
    """At most prompts x samples x max_tokens tokens are drawn; reading the prompts is not counted."""
    responses = None if volume.rows is None else volume.rows * draws_of(settings) // len(settings.policy)
    drawn = None if responses is None else responses * settings.max_tokens
    about = count_parameters(model), read_size(model), settings.batch_tokens
    return ModelCost("draws", model.name, responses, drawn, "tokens", True, *about)


def _cost(role: str, model: Model, reader: Model, settings: MeasureSettings, volume: Volume) -> ModelCost:
    about = count_parameters(model), read_size(model), settings.batch_tokens
    if volume.sequences is None or not volume.sample:
        return ModelCost(role, model.name, None, None, "tokens", False, *about)
    conversations = _conversations(volume)
    lengths, unit = _lengths(conversations, reader, settings, alone=role == "policy alone", once=role in ONCE)
    longest = volume.drawn[1] if volume.drawn else 0
    tokens = round(volume.sequences * (sum(lengths) / max(1, len(lengths)) + longest))
    at_most = volume.at_most or volume.drawn is not None
    return ModelCost(role, model.name, volume.sequences, tokens, unit, at_most, *about)


def _conversations(volume: Volume) -> list[Conversation]:
    if volume.drawn is not None:
        return [(record.prompt, "") for record in volume.sample]
    return [(record.prompt, text) for record in volume.sample for text in volume.texts(record)]


def _judge_cost(model: Model, settings: MeasureSettings, volume: Volume, compares: bool) -> ModelCost:
    """A judge sees a pair in both orders, or each response once; it reads the question and writes an answer."""
    about = count_parameters(model), read_size(model), settings.batch_tokens
    if volume.rows is None or volume.sequences is None or not volume.sample:
        return ModelCost("judge", model.name, None, None, "tokens", False, *about)
    options = judge_options(settings.options.get(JUDGE_OPTIONS, {}))
    pairwise = compares and volume.pairs and options.mode != "pointwise"
    question = Question(options.source(PAIRWISE if pairwise else POINTWISE), pairwise)
    texts = [(record.prompt, volume.texts(record) if not volume.drawn else ("", "")) for record in volume.sample]
    told = [(prompt, told) for prompt, both in texts for told in ([both] if pairwise else [(one,) for one in both])]
    asked: list[Conversation] = [([{"role": "user", "content": question.ask(*one)}], "") for one in told]
    lengths, unit = _lengths(asked, model, settings.model_copy(update={"max_length": None}))
    asks = 2 * volume.rows if pairwise else volume.sequences
    longest = options.max_tokens + (volume.drawn[1] if volume.drawn else 0) * (2 if pairwise else 1)
    tokens = round(asks * (sum(lengths) / max(1, len(lengths)) + longest))
    return ModelCost("judge", model.name, volume.sequences, tokens, unit, True, *about)


def _lengths(
    conversations: Sequence[Conversation],
    model: Model,
    settings: MeasureSettings,
    *,
    alone: bool = False,
    once: bool = False,
) -> tuple[list[int], Literal["tokens", "words"]]:
    """The number of tokens that the model reads of every conversation; words if its tokenizer is not here.

    Args:
        conversations: prompts and responses.
        model: the model whose tokenizer counts.
        settings: may bound the length.
        alone: whether the responses are read without their prompts.
        once: whether a prompt is read once for the responses that follow each other.
    """
    after = [once and i > 0 and conversations[i - 1][0] is prompt for i, (prompt, _) in enumerate(conversations)]
    if model.kind == "fake" or model.here:
        here = Model.of(str(model.here)) if model.here else model
        try:
            tokenizer = open_chat_tokenizer(here, trust_remote_code=settings.trust_remote_code)
            limits = [limit for limit in (settings.max_length, model_limit(ModelSpec(here))) if limit]
            kind = AloneRenderer if alone else Renderer
            renderer = kind(tokenizer, min(limits, default=None), settings.truncation)
            rows = zip(renderer.render(conversations), after, strict=True)
            return [len(row.ids) - min(row.start, len(row.ids)) * shared for row, shared in rows], "tokens"
        except CurateError:
            pass
    unread = [alone or shared for shared in after]
    before = [
        [] if left_out else [message["content"] for message in prompt]
        for (prompt, _), left_out in zip(conversations, unread, strict=True)
    ]
    texts = ["\n".join([*said, text]) for said, (_, text) in zip(before, conversations, strict=True)]
    return [len(ids) for ids in WordsTokenizer().encode(texts)], "words"


def _embedder_cost(name: str, volume: Volume) -> ModelCost:
    if volume.sequences is None or not volume.sample or volume.drawn is not None:
        return ModelCost("embedder", name, volume.sequences)
    texts = [text for record in volume.sample for text in volume.texts(record)]
    unit: Literal["tokens", "words"] = "words"
    lengths = [len(ids) for ids in WordsTokenizer().encode(texts)]
    parameters = None
    try:
        model = Model.of_embedder(name)
        if model.here is not None:
            lengths = [len(ids) for ids in open_text_tokenizer(str(model.here)).encode(texts)]
            unit, parameters = "tokens", count_parameters(model)
    except CurateError:
        pass
    tokens = round(volume.sequences * sum(lengths) / max(1, len(lengths)))
    return ModelCost("embedder", name, volume.sequences, tokens, unit, volume.at_most, parameters)


def count_parameters(model: Model) -> int | None:
    """The number of values in a model's safetensors files, from their headers; None if they are not on this machine."""
    files = sorted(model.here.glob("*.safetensors")) if model.here else []
    try:
        return sum(map(_in_file, files)) if files else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_size(model: Model) -> ModelSize | None:
    """A decoder's widths by its configuration; None if it is not on this machine, or does not say them."""
    try:
        config = json.loads((model.here / "config.json").read_text("utf-8")) if model.here else {}
    except (OSError, ValueError):
        return None
    config = config.get("text_config", config)
    hidden, layers, heads = (
        config.get(f"{name}") for name in ("hidden_size", "num_hidden_layers", "num_attention_heads")
    )
    if not all(isinstance(one, int) and one > 0 for one in (hidden, layers, heads)):
        return None
    wide, shared, width = (config.get(name) for name in ("intermediate_size", "num_key_value_heads", "head_dim"))
    wide = max(wide) if isinstance(wide, list) else wide
    return ModelSize(hidden, wide or 4 * hidden, layers, (shared or heads) * (width or hidden // heads))


def _in_file(path: Path) -> int:
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        if size >= path.stat().st_size:
            raise ValueError("no safetensors file")
        header = json.loads(stream.read(size))
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
