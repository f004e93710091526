"""The flags that `curate score` adds on request: planned before anything is measured, found when everything is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.backends.open import open_chat_tokenizer
from curate.errors import SettingsError
from curate.hashing import versions
from curate.hygiene import Again, Check, Found, Rows
from curate.hygiene.flags import ALL, IDENTICAL_TRUNCATED, LEAKED, ONLY_PAIRS, PACKAGES, find, text_checks, wanted_flags
from curate.hygiene.leaks import Leaks, evaluation_prompts
from curate.hygiene.within_limit import WithinLimit
from curate.lines import counted
from curate.model import Model
from curate.plan.models import template_text
from curate.plan.scoring import Plan
from curate.progress import Reporter
from curate.readers import Source, open_source
from curate.render import Renderer
from curate.responses.table import Staged, calls_in, messages_of
from curate.schema import FLAGS, PAIR_ID, TRUNCATED
from curate.scorers.model_scorers import ModelScorer
from curate.settings import FlagSettings
from curate.tokens import WORDS

NO_LIMIT = "nothing says where a trainer cuts texts"
LIMIT_HINT = "Give --policy or --reference, or --tokenizer=PATH with --max-length=N."


@dataclass(frozen=True)
class Limit:
    """Where texts are cut.

    Attributes:
        renderer: cuts them.
        facts: what decides that, for the manifest.
        measured: whether models of this run cut the same way, so that their numbers say which pairs were cut.
    """

    renderer: Renderer
    facts: dict[str, Any]
    measured: bool


@dataclass(frozen=True)
class Flagging:
    """Which flags to find, and how.

    Attributes:
        wanted: the flags, in the order in which they are written.
        checks: those that read the texts alone.
        limit: where the trainer will cut texts; None if no flag needs it.
        facts: what decides the flags, for the manifest.
        notes: what the user should know before the run.
    """

    wanted: tuple[str, ...] = ()
    checks: Sequence[Check] = ()
    limit: Limit | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def identity(self) -> dict[str, Any]:
        """The entry of the manifest, none where no flag was asked for."""
        return {"flags_from": self.facts} if self.wanted else {}

    def find(self, again: Again, frame: pl.DataFrame, reporter: Reporter) -> Found:
        """Read all rows once, or twice where some are nearly alike.

        Args:
            again: reads the rows.
            frame: a row for each; the measurements of pairs.
            reporter: shown the progress.
        """
        if not self.wanted:
            return {}
        checks = list(self.checks)
        if self.limit is not None:
            checks.append(WithinLimit(self.limit.renderer, _cut(frame) if self.limit.measured else None))
        with reporter.step("flagging", frame.height) as step:
            found = find(checks, again, step.advance, self.wanted)
        for check in checks:
            if isinstance(check, Leaks):
                for name, rows in check.by_name.most_common():
                    reporter.note(f"{LEAKED}: {counted(rows, 'row')} with a prompt of {name}.")
        return found

    def find_staged(self, staged: Staged, frame: pl.DataFrame, reporter: Reporter) -> Found:
        """The same over all staged rows."""
        return self.find(lambda: _rows_of(staged), frame, reporter)


def plan_flags(plan: Plan, settings: FlagSettings, *, pairs: bool = True) -> Flagging:
    """What to flag, with everything that can fail done: packages found, evaluations read, the limit known.

    Args:
        plan: of the run.
        settings: the flags asked for.
        pairs: whether the rows are pairs, rather than prompts with candidates.

    Raises:
        SettingsError: a flag that nothing finds, or that needs what is not given.
        InputError: an evaluation cannot be read.
        MissingExtra: the package of a check is not installed.
    """
    wanted = wanted_flags(settings.add_flags)
    if not pairs:
        check_flags_of_candidates(settings.add_flags)
        wanted = tuple(flag for flag in wanted if flag not in ONLY_PAIRS)
    notes: tuple[str, ...] = ()
    limit = _limit(plan) if IDENTICAL_TRUNCATED in wanted else None
    if IDENTICAL_TRUNCATED in wanted and limit is None:
        if ALL not in settings.add_flags:
            raise SettingsError(
                f"{IDENTICAL_TRUNCATED} cannot be found: {NO_LIMIT}.",
                setting="add_flags",
                value=IDENTICAL_TRUNCATED,
                hint=LIMIT_HINT,
            )
        wanted = tuple(flag for flag in wanted if flag != IDENTICAL_TRUNCATED)
        notes = (f"{IDENTICAL_TRUNCATED} is not looked for: {NO_LIMIT}. {LIMIT_HINT}",)
    checks, sources = text_checks(wanted, pairs=pairs), evaluations(settings.decontaminate)
    if sources:
        wanted = (*wanted, LEAKED)
        checks.append(Leaks((one.name, evaluation_prompts(one)) for one in sources))
    return Flagging(wanted, checks, limit, _facts(wanted, sources, limit), notes)


def check_flags_of_candidates(asked: Sequence[str]) -> None:
    """Refuse flags that only pairs can have.

    Raises:
        SettingsError: one of them was asked for by name.
    """
    for flag in asked:
        if flag in ONLY_PAIRS:
            raise SettingsError(
                f"These rows are candidates: {flag} compares a chosen with a rejected response.",
                setting="add_flags",
                value=flag,
                hint="Give it to `curate pair`.",
            )


def _facts(wanted: Sequence[str], sources: Sequence[Source], limit: Limit | None) -> dict[str, Any]:
    packages = versions(sorted({PACKAGES[flag] for flag in wanted if flag in PACKAGES}))
    prompts = [one for source in sources for one in source.fingerprints()]
    facts = {"flags": list(wanted), "versions": packages, "decontaminate": prompts, "limit": limit and limit.facts}
    return {name: value for name, value in facts.items() if value}


def evaluations(files: Sequence[Path]) -> list[Source]:
    """The evaluations that the pairs are compared with."""
    return [open_source((str(file),)) for file in files]


def with_flags(flags: pl.Series, found: Found) -> pl.Series:
    """Lists of flags with those found behind them."""
    if not found:
        return flags
    columns = [pl.when(pl.Series(rows)).then(pl.lit(flag)) for flag, rows in found.items()]
    added = pl.select(pl.concat_list(columns).list.drop_nulls()).to_series()
    return pl.select(flags.list.concat(added).alias(FLAGS.name)).to_series()


def _limit(plan: Plan) -> Limit | None:
    """Where the models of this run cut texts; without one, the tokenizer and limit that the user named."""
    for one in plan.scorers:
        if isinstance(one, ModelScorer) and one.name in ("policy", "reference"):
            return Limit(one.renderer, {"as": one.name}, measured=True) if one.renderer.max_length else None
    settings = plan.settings
    if settings.tokenizer in (None, WORDS) or settings.max_length is None:
        return None
    tokenizer = open_chat_tokenizer(
        Model.of(settings.tokenizer),
        template=template_text(settings),
        day=settings.template_date,
        trust_remote_code=settings.trust_remote_code,
    )
    facts: dict[str, Any] = {"max_length": settings.max_length, "truncation": settings.truncation}
    facts |= {"tokenizer_hash": tokenizer.fingerprint(), "template_hash": tokenizer.template_fingerprint()}
    return Limit(Renderer(tokenizer, settings.max_length, settings.truncation), facts, measured=False)


def _cut(frame: pl.DataFrame) -> np.ndarray | None:
    """The pairs with a side that was cut, where models measured that."""
    if TRUNCATED.chosen not in frame.columns:
        return None
    sides = [frame[name].fill_null(True) for name in (TRUNCATED.chosen, TRUNCATED.rejected)]
    return (sides[0] | sides[1]).to_numpy()


def staged_flags(staged: Staged) -> pl.DataFrame:
    """The id of each staged row, null for candidates, and the flags of its texts."""
    wanted = pa.schema([(PAIR_ID.name, pa.string()), (FLAGS.name, pa.list_(pa.string()))])
    return pl.DataFrame(staged.records.read(wanted, wanted.names))


def _rows_of(staged: Staged) -> Iterator[Rows]:
    """All staged rows, a shard at a time."""
    first = 0
    for table in map(staged.texts, staged.records.paths()):
        prompts = [messages_of(text) for text in table["prompt"].to_pylist()]
        yield Rows(first, prompts, table["responses"].to_pylist(), list(calls_in(table)))
        first += table.num_rows
