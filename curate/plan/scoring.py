"""What to measure, with what and in which order. Whatever can fail without a model fails here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from curate.backends.open import check_backend
from curate.backends.reward_heads import model_notes
from curate.engines.local import Devices
from curate.errors import RowError, SettingsError
from curate.hashing import versions
from curate.metrics.catalogue import in_force
from curate.metrics.registry import check_options, columns_read, missing_column
from curate.model import Model
from curate.plan.also import also_of, check_also
from curate.plan.caching import Cache, cache_of
from curate.plan.columns import computable, fields_after, measurements
from curate.plan.models import (
    ALONE,
    ResponseScorer,
    embedding_scorer,
    logprob_scorers,
    reward_scorers,
)
from curate.plan.places import check_places, devices_of
from curate.plan.rewards import RewardSource, named_columns, parse_reward, plan_rewards
from curate.plan.template_date import date_notes, dated
from curate.readers import Layout, Row, Source, detect, first_rows, open_source, source_notes
from curate.readers.detect import without_tools
from curate.readers.parts.messages import tools_in
from curate.readers.reading import Reading, what_is_read
from curate.schema import (
    ALP_ALONE,
    COLLISION,
    POLICY_LOGPS,
    REF_LOGPS,
    Record,
)
from curate.scorers.edit_distance import EditDistance
from curate.scorers.embedding_distance import EmbeddingDistance
from curate.scorers.function_reward import FunctionReward
from curate.scorers.judging import OPTIONS as JUDGE_OPTIONS
from curate.scorers.judging import judge_options
from curate.scorers.model_scorers import ModelScorer
from curate.settings import MeasureSettings, for_manifest
from curate.tokens import WORDS, open_text_tokenizer


@dataclass
class Plan:
    """A planned run: everything but the numbers.

    Attributes:
        sample: the first rows that the layout could read.
        rewards: the reward sources, in the user's order; empty if responses have no rewards.
        scorers: measure responses, one after another; first the rewards, in the order of `rewards`.
        edit: measures the edit distance of pairs.
        reading: which of the data's columns are read.
        embedding: measures the embedding distance of pairs, if an embedder is given.
        devices: where there is a copy of the models each; empty to run in this process.
        notes: what the user should know before the run.
        cache: where earlier runs kept their numbers, if it is to be used.
    """

    settings: MeasureSettings
    source: Source
    layout: Layout
    as_pairs: bool
    sample: list[Record]
    edit: EditDistance
    rewards: list[RewardSource] = field(default_factory=list)
    scorers: list[ResponseScorer] = field(default_factory=list)
    reading: Reading = field(default_factory=Reading)
    embedding: EmbeddingDistance | None = None
    devices: Devices = ()
    notes: list[str] = field(default_factory=list)
    cache: Cache | None = None

    def measures(self, role: str) -> bool:
        """Whether a model in this role (`policy`, `reference`) measures the responses."""
        return self._logprobs(role) is not None

    @property
    def reference_is_policy(self) -> bool:
        """Whether policy and reference are the same model and read the same tokens in the same way."""
        policy, reference = self._logprobs("policy"), self._logprobs("reference")
        if policy is None or reference is None:
            return False
        one, other = policy.facts(), reference.facts()
        if "hash" not in one:
            return policy.spec.model == reference.spec.model
        differing = {"model": None, "also": None}
        return {**one, **differing} == {**other, **differing}

    def _logprobs(self, role: str) -> ModelScorer | None:
        found = (s for s in self.scorers if isinstance(s, ModelScorer) and s.kind == "logps" and s.name == role)
        return next(found, None)

    def pair_columns(self) -> frozenset[str]:
        """The measurement columns that the pairs will have."""
        roles = {"policy": POLICY_LOGPS, "reference": REF_LOGPS, ALONE: ALP_ALONE}
        fields = fields_after(
            {name for record in self.sample for name in record.measured},
            rewards=[(one.name, one.named) for one in self.rewards],
            models={field.name for role, field in roles.items() if self.measures(role)}
            | ({COLLISION.name} if "wpo" in also_of(self.settings) else set()),
            cuts=any(isinstance(one, ModelScorer) and one.name != ALONE for one in self.scorers),
            pairs=True,
        )
        hidden = "ches" in also_of(self.settings)
        return measurements(fields, embedded=self.embedding is not None, hidden=hidden)

    def require(self, metric: str) -> None:
        """Refuse a metric that needs measurements this run will not have.

        Raises:
            SettingsError: names the missing column and how to measure it.
        """
        present = self.pair_columns()
        for column in columns_read(metric, self.settings.options, present):
            if column not in present:
                raise missing_column(metric, column, sorted(present))

    def identity(self) -> dict[str, Any]:
        """Everything that decides the result, for the manifest and for recognising unfinished work."""
        settings = for_manifest(self.settings) | in_force().facts()
        # The judges' options are part of what they measure with; their template counts by hash, not by path.
        settings.get("options", {}).pop(JUDGE_OPTIONS, None)
        return {
            "settings": {key: value for key, value in settings.items() if value != {}},
            "staged_from": {
                "inputs": self.source.fingerprints(),
                "layout": self.layout.name,
                "as_pairs": self.as_pairs,
                **({"match": match} if (match := getattr(self.settings, "match", None)) else {}),
                **({"ties": self.settings.ties} if self.settings.ties != "drop" else {}),
                "columns": [one.target for one in self.rewards if one.kind == "columns"],
            },
            "rewards": [one.facts() for one in self.rewards],
            "versions": versions(["torch", "transformers"] if self.scorers or self.embedding else [])
            | in_force().versions(),
            "measured_with": {s.name: s.facts() for s in (*self.scorers, *self.pair_scorers)},
        }

    @property
    def pair_scorers(self) -> list[EditDistance | EmbeddingDistance]:
        """What measures pairs of texts, in order."""
        return [self.edit, *([self.embedding] if self.embedding else [])]


def check_settings(settings: MeasureSettings) -> None:
    """Refuse what no data and no model could make valid.

    Raises:
        SettingsError: an unknown metric or parameter, judge parameters without a judge, or models that cannot run
            where they should.
        MissingExtra: the backend or the engine is not installed.
    """
    check_options({name: given for name, given in settings.options.items() if name != JUDGE_OPTIONS})
    if JUDGE_OPTIONS in settings.options:
        judge_options(settings.options[JUDGE_OPTIONS])
        if not any(parse_reward(spec).kind == "judge" for spec in settings.reward):
            raise SettingsError(
                "No reward comes from a judge.", setting="options", value="judge.*", hint="Add --reward=judge:MODEL."
            )
    check_backend(settings.backend, settings.tensor_parallel)
    check_also(settings)
    check_places(settings)


def make_plan(settings: MeasureSettings, prefer: Literal["pairs", "candidates"] | None) -> Plan:
    """Check the settings against the data and the models, and decide what to run.

    Raises:
        CurateError: anything that would stop the run later and can be known now.
    """
    check_settings(settings)
    settings = dated(settings)
    source = open_source(settings.data, settings.columns, settings.limit)
    rows = first_rows(source)
    layout = detect(rows, settings.rows_as or prefer, settings.ties, tools=True)
    sample = list(records(layout, rows))
    as_pairs = layout.kind == "pairs" if prefer == "pairs" and not settings.rows_as else settings.rows_as == "pairs"
    counted_in = Model.of(settings.tokenizer or settings.policy or settings.reference or WORDS).tokenizer
    edit = EditDistance(open_text_tokenizer(counted_in, trust_remote_code=settings.trust_remote_code))
    plan = Plan(settings, source, layout, as_pairs, sample, edit)
    plan.rewards = plan_rewards(settings.reward, rows, sample)
    plan.reading = what_is_read(layout, rows, named_columns(plan.rewards))
    plan.notes += [*source_notes(source), *plan.reading.notes()]
    plan.scorers = reward_scorers(settings, plan.rewards, plan.notes, as_pairs)
    plan.scorers += logprob_scorers(settings, plan.notes)
    plan.notes += [note for one in plan.rewards if one.kind == "model" for note in model_notes(one.model, sample)]
    plan.notes += [_same_model_note(plan)] if plan.reference_is_policy else []
    plan.embedding = embedding_scorer(settings, settings.embedder) if settings.embedder else None
    plan.notes += date_notes({one.name: one.facts() for one in plan.scorers}, getattr(settings, "match", None))
    plan.devices = devices_of(settings, [one.spec for one in plan.scorers if not isinstance(one, FunctionReward)])
    plan.notes += [
        *_not_computed(plan),
        *_check_tools(plan, needs_model=prefer == "pairs"),
    ]
    plan.cache = cache_of(settings, plan.notes)
    for name in settings.options:
        if name != JUDGE_OPTIONS:
            plan.require(name)
    if settings.chat_template and not any(isinstance(one, ModelScorer) for one in plan.scorers):
        raise SettingsError(
            "None of the models reads a chat template.", setting="chat_template", hint="Leave it out, or give a model."
        )
    return plan


def _check_tools(plan: Plan, *, needs_model: bool) -> Iterator[str]:
    """A note if rows have tools; such rows become bad if a scorer cannot read them, or none does and one is needed."""
    why = _why_no_tools(plan.scorers, needs_model)
    if why is not None:
        plan.layout = without_tools(plan.layout, why)
        plan.sample = [record for record in plan.sample if tools_in(record) is None]
    elif plan.scorers and any(tools_in(record) for record in plan.sample):
        yield "rows have tools, or calls of them, which each model reads through its chat template."


def _why_no_tools(scorers: Sequence[ResponseScorer], needs_model: bool) -> str | None:
    """Why tools would be lost; None if they would not."""
    for one in scorers:
        if not isinstance(one, ModelScorer):
            return f"which {one.title} does not get"
        if not one.takes_tools:
            return f"which the chat template of {one.title} does not write out"
    return "and no model is given whose chat template writes them out" if needs_model and not scorers else None


def _not_computed(plan: Plan) -> Iterator[str]:
    """A note for each metric of the user's own files that this run cannot compute."""
    present = plan.pair_columns()
    for name in in_force().given:
        lacking = [one for one in columns_read(name, plan.settings.options, present) if one not in present]
        if lacking:
            yield f"{name} is not computed: it reads {', '.join(lacking)}, which this run does not measure."


def _same_model_note(plan: Plan) -> str:
    """Explain what it means that the implicit margin is 0 in every row."""
    both, columns = {POLICY_LOGPS.chosen, REF_LOGPS.chosen}, plan.pair_columns()
    names = computable(columns, plan.settings)
    empty = [name for name in names if both <= set(columns_read(name, plan.settings.options, columns))]
    return (
        "policy and reference are the same model, measured once: every implicit margin is 0, "
        f"so these metrics carry no information: {', '.join(empty)}."
    )


def records(layout: Layout, rows: Sequence[Row]) -> Iterator[Record]:
    """The rows that this layout can read, as records."""
    for row in rows:
        try:
            yield layout.parse(row)
        except RowError:
            continue


def measured_with(settings: MeasureSettings, *, as_pairs: bool) -> dict[str, Any]:
    """The models, and what else decides the numbers, known without data.

    Raises:
        CurateError: a model does not exist, or cannot do what is asked of it.
    """
    sources = [parse_reward(spec) for spec in settings.reward]
    notes: list[str] = []
    scorers = reward_scorers(settings, sources, notes, as_pairs)
    scorers += logprob_scorers(settings, notes)
    facts: dict[str, Any] = {scorer.name: scorer.facts() for scorer in scorers}
    if settings.embedder:
        facts["embedder"] = embedding_scorer(settings, settings.embedder).facts()
    if settings.tokenizer:
        counted_in = Model.of(settings.tokenizer)
        opened = open_text_tokenizer(counted_in.tokenizer, trust_remote_code=settings.trust_remote_code)
        facts["tokenizer"] = {"name": counted_in.short, "hash": opened.fingerprint()}
    return {
        "rewards": [one.facts() for one in sources],
        "measured_with": facts,
        "versions": versions(["torch", "transformers"] if facts else []),
    }
