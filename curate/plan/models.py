"""Builds the scorers that open a model: which model, which texts it reads, and their maximum length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from curate.backends import ModelSpec, Sampling
from curate.backends.fake import FakeTokenizer
from curate.backends.open import backend_facts, check_model, model_limit, open_chat_tokenizer, resolved
from curate.backends.reward_heads import known_model
from curate.errors import SettingsError, did_you_mean
from curate.model import Model
from curate.plan.also import reading_also
from curate.plan.places import model_spec
from curate.plan.rewards import RewardSource
from curate.plan.template_date import DATE
from curate.render import AloneRenderer, Match, Renderer
from curate.scorers.embedding_distance import EmbeddingDistance
from curate.scorers.function_reward import FunctionReward
from curate.scorers.judge import Judge
from curate.scorers.judging import OPTIONS as JUDGE_OPTIONS
from curate.scorers.judging import PAIRWISE, POINTWISE, Question, judge_options
from curate.scorers.model_scorers import ModelScorer
from curate.settings import MeasureSettings, ModelSettings
from curate.text_file import read_text
from curate.tokens import HubTokenizer

ResponseScorer = ModelScorer | FunctionReward | Judge
ALONE = "policy_alone"
"""Name of the policy's pass over responses without their prompts."""
READ_ALONE = {"read": "behind the assistant's header, without the prompt"}
TRL_MAX_LENGTH = 1024
"""The default of DPOConfig."""


def embedding_scorer(settings: MeasureSettings, name: str) -> EmbeddingDistance:
    """Return the scorer of embedding distances.

    Raises:
        ModelError: the embedder does not exist.
    """
    model = Model.of_embedder(name)
    spec = check_model(resolved(model_spec(settings, model, here=True)), "embedding")
    # Reading the configuration fetches a hub model's; its commit is known only afterwards.
    model_limit(spec)
    return EmbeddingDistance(spec, model.identity() | backend_facts(spec))


def template_text(settings: ModelSettings) -> str | None:
    """The user's chat template, if any.

    Raises:
        SettingsError: the file cannot be read.
    """
    path = settings.chat_template
    try:
        return None if path is None else read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        what = f"The chat template cannot be read: {error}."
        raise SettingsError(what, setting="chat_template", value=path, hint="Give a Jinja file.") from error


def reward_scorers(
    settings: MeasureSettings, sources: Sequence[RewardSource], notes: list[str], as_pairs: bool
) -> list[ResponseScorer]:
    """Return the scorers of reward sources that are Python functions, reward models or judges.

    Raises:
        SettingsError: a `--reward-head` that matches no reward model.
    """
    heads = _heads(settings, [source.name for source in sources if source.kind == "model"])
    scorers: list[ResponseScorer] = []
    for source in sources:
        if source.kind == "function":
            scorers.append(FunctionReward(f"reward.{source.name}", source.target))
        elif source.kind == "judge":
            scorers.append(_judge(settings, source, as_pairs))
        elif source.kind == "model":
            name, head = f"reward.{source.name}", heads.get(source.name)
            scorers.append(_model_scorer(settings, "reward", name, source.model, [source.model], notes, head))
    return scorers


def _heads(settings: MeasureSettings, models: list[str]) -> dict[str, str]:
    """The head of each reward model, as the user sets it for one or for all."""
    found: dict[str, str] = {}
    for given in settings.reward_head:
        name, equals, head = given.rpartition("=")
        if (equals and name not in models) or not models:
            raise SettingsError(
                f"There is no reward model {name}." if equals else "There is no reward model.",
                setting="reward_head",
                value=given,
                hint=did_you_mean(name, models) if models else "Give one with --reward.",
            )
        found |= dict.fromkeys([name] if equals else models, head)
    return found


def _judge(settings: MeasureSettings, source: RewardSource, as_pairs: bool) -> Judge:
    """A judge; it keeps its own chat template, and compares pairs only if the rows are pairs."""
    options = judge_options(settings.options.get(JUDGE_OPTIONS, {}))
    if options.mode == "pairwise" and not as_pairs:
        raise SettingsError(
            "A judge of pairs needs pairs.", setting="options", value="judge.mode=pairwise", hint="Use mode=pointwise."
        )
    pairwise = as_pairs and options.mode != "pointwise"
    question = Question(options.source(PAIRWISE if pairwise else POINTWISE), pairwise)
    model = source.model
    tokenizer = open_chat_tokenizer(
        model,
        template=template_text(settings),
        keep_own=True,
        day=settings.template_date,
        trust_remote_code=settings.trust_remote_code,
    )
    limit = model_limit(model_spec(settings, model))
    if limit is not None and limit <= options.max_tokens:
        raise SettingsError(
            f"The judge reads at most {limit} tokens; {options.max_tokens} for its answer leave none for the question.",
            setting="options",
            value=f"judge.max_tokens={options.max_tokens}",
            hint="Lower it.",
        )
    model.check_weights()
    spec = check_model(resolved(replace(model_spec(settings, model), max_length=limit)), "causal")
    return Judge(
        f"reward.{source.name}",
        spec,
        tokenizer,
        question,
        Sampling(temperature=0.0, max_tokens=options.max_tokens, stop_ids=tokenizer.turn_ends()),
        limit - options.max_tokens if limit is not None else None,
        settings.batch_tokens,
        model_facts(spec, tokenizer),
    )


def logprob_scorers(settings: MeasureSettings, notes: list[str]) -> list[ResponseScorer]:
    """Return the scorers of policy and reference; both read the token ids of the first.

    Raises:
        SettingsError: responses are to be measured alone, without a policy.
    """
    if settings.unconditional and not settings.policy:
        raise SettingsError("No model measures the responses alone.", setting="unconditional", hint="Give --policy.")
    models = {"policy": settings.policy, "reference": settings.reference}
    given = {role: Model.of(name) for role, name in models.items() if name}
    if settings.unconditional:
        given = {"policy": given["policy"], ALONE: given["policy"], **given}
    family = list(dict.fromkeys(given.values()))
    scorers = [_model_scorer(settings, "logps", role, model, family, notes) for role, model in given.items()]
    return [*reading_also(settings, scorers)]


def _model_scorer(
    settings: MeasureSettings,
    kind: Literal["logps", "reward"],
    name: str,
    model: Model,
    family: list[Model],
    notes: list[str],
    head: str | None = None,
) -> ModelScorer:
    """A scorer whose texts are rendered by the first model of the family, and fit every model in it."""
    tokenizer = open_chat_tokenizer(
        family[0],
        template=template_text(settings),
        keep_own=kind == "reward",
        day=settings.template_date,
        trust_remote_code=settings.trust_remote_code,
    )
    match: Match | None = getattr(settings, "match", None) if kind == "logps" else None
    max_length = settings.max_length or (TRL_MAX_LENGTH if match else None)
    limits = [limit for limit in (model_limit(model_spec(settings, one)) for one in family) if limit]
    known = known_model(model) if kind == "reward" else None
    limits += [known.max_length] if known and known.max_length else []
    if max_length:
        if limits and min(limits) < max_length:
            notes.append(_short(name, min(limits), match))
        limits.append(max_length)
    if model != family[0]:
        check_same_tokens(family[0], tokenizer, model, settings)
    model.check_weights()
    longest = min(limits, default=None)
    spec = resolved(replace(model_spec(settings, model), max_length=longest, reward_head=head))
    # The reference comes last in the family and is opened after the policy.
    beneath = family[-1].base or family[-1]
    kept = model.base is not None and model != family[-1] and model.base.is_same(beneath)
    spec = replace(spec, keep_base=kept)
    spec = check_model(spec, "reward" if kind == "reward" else "causal")
    identity = model_facts(spec, tokenizer) | (READ_ALONE if name == ALONE else {})
    kind_of = AloneRenderer if name == ALONE else Renderer
    renderer = kind_of(tokenizer, longest, settings.truncation, match)
    return ModelScorer(kind, name, spec, renderer, settings.batch_tokens, identity)


def model_facts(spec: ModelSpec, tokenizer: HubTokenizer | FakeTokenizer) -> dict[str, Any]:
    """What decides the numbers of a model: its weights, device, dtype, tokens and chat template."""
    facts = spec.model.identity()
    facts |= {"device": spec.device.split(":")[0], "dtype": spec.dtype, **backend_facts(spec)}
    facts |= {"head": spec.reward_head} if spec.reward_head else {}
    facts |= {DATE: tokenizer.day.isoformat()} if tokenizer.day else {}
    return facts | {"tokenizer_hash": tokenizer.fingerprint(), "template_hash": tokenizer.template_fingerprint()}


def _short(name: str, limit: int, match: str | None) -> str:
    if match:
        raise SettingsError(
            f"The model reads at most {limit} tokens; {match.upper()} would give it more.",
            f"{name} model",
            f"Give --max-length={limit} here, and max_length={limit} to the trainer.",
            setting="match",
            value=match,
        )
    return f"{name}: the model reads at most {limit} tokens, fewer than --max-length."


def check_same_tokens(policy: Model, tokenizer: Any, reference: Model, settings: MeasureSettings) -> None:
    """Refuse a reference whose token ids mean other tokens than the policy's: its input would be garbage.

    Raises:
        SettingsError: the vocabularies differ.
    """
    both = f"{policy.name} and {reference.name}"
    fakes = [one.kind == "fake" for one in (policy, reference)]
    if all(fakes):
        return
    if any(fakes):
        raise SettingsError("A fake model and a real one share no tokens.", both, "Fake both.")
    ours = tokenizer.vocabulary()
    theirs = HubTokenizer(reference.tokenizer, trust_remote_code=settings.trust_remote_code).vocabulary()
    differing = [token for token, number in ours.items() if theirs.get(token, number) != number]
    if differing or len(ours.keys() & theirs.keys()) < 0.99 * len(ours):
        raise SettingsError(
            "Policy and reference do not share their tokenizer.",
            both + (f": for example {differing[0]!r}" if differing else ""),
            "Implicit margins compare the same tokens under both; use a reference of the policy's family.",
        )
