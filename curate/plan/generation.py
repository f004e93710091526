"""The plan of `curate generate`, made before any model loads: which models generate, how often, which prompts fit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from jinja2 import TemplateError

from curate.backends import Sampling
from curate.backends.open import check_backend, check_model, model_limit, open_chat_tokenizer, resolved
from curate.engines.local import Devices
from curate.errors import RowError, SettingsError, first_line
from curate.hashing import text_hash, versions
from curate.model import Model
from curate.plan.models import model_facts, template_text
from curate.plan.places import check_places, devices_of, model_spec
from curate.plan.template_date import DATE, date_notes, dated
from curate.readers import Layout, Row, Source, first_rows, open_source, prompts_layout, source_notes
from curate.readers.reading import Reading, what_is_read
from curate.render import render_prompts
from curate.schema import Record
from curate.scorers.generation import Generation
from curate.settings import GenerateSettings, for_manifest
from curate.tokens import WritingTokenizer

MODEL_NAME = re.compile(r"^([A-Za-z][\w.-]*)=(.+)$", re.DOTALL)
SEED_BITS = 63


@dataclass(frozen=True)
class Draws:
    """The draws of one prompt by one model: each temperature's samples in turn."""

    temperatures: tuple[float, ...]
    samples: int
    seed: int

    @property
    def each(self) -> list[tuple[float, int]]:
        """(temperature, sample number); temperature 0 has one sample, because all would be equal."""
        return [(t, i) for t in self.temperatures for i in range(self.samples if t else 1)]

    def seed_of(self, model: str, prompt: str, occurrence: int, temperature: float, sample: int) -> int:
        """The seed of one draw, below 2**63. It depends on nothing else, so more samples do not change earlier ones.

        Args:
            model: its name in this run.
            prompt: the messages in canonical spelling.
            occurrence: how many earlier rows with the same prompt were sampled separately.
            temperature: the draw's temperature.
            sample: the sample's number.
        """
        parts = (str(self.seed), model, prompt, str(occurrence), repr(temperature), str(sample))
        return int.from_bytes(text_hash(*parts)[:8], "big") >> (64 - SEED_BITS)


@dataclass
class GenerationPlan:
    """A planned run.

    Attributes:
        layout: reads the prompts; refuses prompts that are too long for a model.
        limits: maximum prompt tokens by model; None for no limit.
        writers: one per model.
        devices: where there is a copy of the models each; empty to run in this process.
        notes: what the user should know before the run.
        reading: which of the data's columns are read.
    """

    settings: GenerateSettings
    source: Source
    layout: Layout
    draws: Draws
    limits: dict[str, int | None] = field(default_factory=dict)
    writers: list[Generation] = field(default_factory=list)
    devices: Devices = ()
    notes: list[str] = field(default_factory=list)
    reading: Reading = field(default_factory=Reading)

    def identity(self) -> dict[str, Any]:
        """Everything that decides the result, for the manifest and for recognising unfinished work."""
        rendering = ("tokenizer_hash", "template_hash", DATE)
        rendered_by = [[w.identity[key] for key in rendering if key in w.identity] for w in self.writers]
        return {
            "settings": for_manifest(self.settings),
            "staged_from": {
                "inputs": self.source.fingerprints(),
                "layout": self.layout.name,
                "prompt_limits": list(self.limits.values()),
                "rendered_by": rendered_by,
            },
            "models": [writer.model for writer in self.writers],
            "versions": versions(["torch", "transformers"]),
            "measured_with": {writer.name: writer.facts() for writer in self.writers},
        }


def plan_generation(settings: GenerateSettings) -> GenerationPlan:
    """Check the settings against the data and the models.

    Raises:
        CurateError: anything that would stop the run later and can be known now.
    """
    check_generate(settings)
    settings = dated(settings)
    source = open_source(settings.data, settings.columns, settings.limit)
    rows = first_rows(source)
    layout = prompts_layout(rows)
    plan = GenerationPlan(settings, source, layout, Draws(settings.temperature, settings.samples, settings.seed))
    plan.reading = what_is_read(layout, rows)
    plan.notes += [*source_notes(source), *plan.reading.notes()]
    if 0 in settings.temperature and settings.samples > 1:
        plan.notes.append("temperature 0 always gives the same response, so it is drawn once.")
    for name, model in named_models(settings.policy).items():
        shards = f"responses-{len(plan.writers)}"
        plan.writers.append(make_writer(settings, name, model, shards))
        plan.limits[name] = _prompt_limit(settings, name, model, plan.notes)
    plan.notes += date_notes({writer.model: writer.facts() for writer in plan.writers})
    plan.devices = devices_of(settings, [writer.spec for writer in plan.writers])
    plan.layout = replace(layout, parse=lambda row: _fitting(plan, layout, row))
    return plan


def check_generate(settings: GenerateSettings) -> None:
    """Check what can be checked without data.

    Raises:
        SettingsError: bad parameters, a repeated temperature, two models of one name, or an unknown backend.
        MissingExtra: the backend is not installed.
    """
    check_backend(settings.backend, settings.tensor_parallel)
    check_places(settings)
    if len(set(settings.temperature)) < len(settings.temperature):
        raise SettingsError(
            "A temperature is given twice.", setting="temperature", hint="Raise --samples for more responses."
        )
    named_models(settings.policy)


def named_models(policies: tuple[str, ...]) -> dict[str, Model]:
    """Models by name: the name the user gives, or the model's own.

    Raises:
        SettingsError: two models have the same name.
    """
    found: dict[str, Model] = {}
    for spec in policies:
        match = MODEL_NAME.match(spec)
        model = Model.of(match[2] if match else spec)
        name = match[1] if match else model.short
        if name in found:
            raise SettingsError(
                f"Two models are called {name}.", setting="policy", value=spec, hint="Name each: --policy=NAME=MODEL."
            )
        found[name] = model
    return found


def draws_of(settings: GenerateSettings) -> int:
    """The number of responses per prompt, over all models and temperatures; temperature 0 draws one."""
    return len(settings.policy) * sum(settings.samples if t else 1 for t in settings.temperature)


def drawn_with(settings: GenerateSettings) -> dict[str, Any]:
    """The models, and what else decides what they write, known without data."""
    named = named_models(settings.policy)
    facts = {name: make_writer(settings, name, model, name).facts() for name, model in named.items()}
    return {"measured_with": facts, "versions": versions(["torch", "transformers"])}


def make_writer(settings: GenerateSettings, name: str, model: Model, shards: str) -> Generation:
    """What samples one model's responses and stores them in these shards; no weights are loaded yet.

    Raises:
        ModelError: the model does not exist, or has no chat template.
    """
    tokenizer = open_chat_tokenizer(
        model,
        template=template_text(settings),
        day=settings.template_date,
        trust_remote_code=settings.trust_remote_code,
    )
    model.check_weights()
    spec = check_model(resolved(replace(model_spec(settings, model), max_length=_longest(settings, model))), "causal")
    identity = model_facts(spec, tokenizer) | {"name": name, "seed": settings.seed, "samples": settings.samples}
    identity |= {"temperatures": list(settings.temperature), "every_row": settings.every_row}
    sampling = Sampling(top_p=settings.top_p, max_tokens=settings.max_tokens, stop_ids=tokenizer.turn_ends())
    return Generation(shards, name, spec, tokenizer, sampling, identity, settings.batch_tokens)


def _longest(settings: GenerateSettings, model: Model) -> int | None:
    """Maximum tokens of prompt and response together."""
    wanted = settings.max_length + settings.max_tokens if settings.max_length else None
    return min((one for one in (wanted, model_limit(model_spec(settings, model))) if one), default=None)


def _prompt_limit(settings: GenerateSettings, name: str, model: Model, notes: list[str]) -> int | None:
    limit = model_limit(model_spec(settings, model))
    if limit is None:
        return settings.max_length
    room = limit - settings.max_tokens
    if room < 1:
        raise SettingsError(
            f"{name} reads at most {limit} tokens; {settings.max_tokens} for the response leave none for a prompt.",
            setting="max_tokens",
            value=settings.max_tokens,
            hint="Lower it.",
        )
    if settings.max_length and settings.max_length > room:
        notes.append(f"{name}: --max-tokens leaves room for {room} prompt tokens, fewer than --max-length.")
    return min(room, settings.max_length or room)


def _fitting(plan: GenerationPlan, layout: Layout, row: Row) -> Record:
    record = layout.parse(row)
    for writer in plan.writers:
        ids = _rendered(writer.tokenizer, record)
        limit = plan.limits[writer.model]
        if limit is not None and len(ids) > limit:
            raise RowError(f"the prompt is longer than the {limit} tokens that {writer.model} has for it")
    return record


def _rendered(tokenizer: WritingTokenizer, record: Record) -> list[int]:
    try:
        ids = render_prompts(tokenizer, [record.prompt])[0]
    except (TemplateError, ValueError, TypeError) as error:
        raise RowError(f"the chat template refuses the prompt: {first_line(error)[:80]}") from error
    if not ids:
        raise RowError("the prompt has no tokens")
    return ids
