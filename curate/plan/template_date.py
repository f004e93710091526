"""One date per run for chat templates that print it; a resumed run keeps the date on which it began."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, TypeVar

from curate.settings import ModelSettings
from curate.storage.workspace import held_identity

DATE = "template_date"
"""Key of the date among the facts of whatever is rendered with it."""
S = TypeVar("S", bound=ModelSettings)


def dated(settings: S) -> S:
    """The same settings with this run's date: the one given, that of unfinished work, or today."""
    if settings.template_date is not None:
        return settings
    held = None if settings.fresh else held_date(held_identity(settings.out))
    return settings.model_copy(update={DATE: held or today()})


def today() -> date:
    """The date on which a run begins."""
    return date.today()


def held_date(facts: Any) -> date | None:
    """The date in the facts of an earlier run; None if nothing there was rendered with one."""
    found = next(_dates(facts), None)
    return date.fromisoformat(found) if found is not None else None


def _dates(facts: Any) -> Iterator[str]:
    if isinstance(facts, Mapping):
        if isinstance(facts.get(DATE), str):
            yield facts[DATE]
        facts = list(facts.values())
    if isinstance(facts, list):
        for one in facts:
            yield from _dates(one)


def undated(facts: Any) -> Any:
    """The same facts without any date."""
    if isinstance(facts, Mapping):
        return {name: undated(one) for name, one in facts.items() if name != DATE}
    return [undated(one) for one in facts] if isinstance(facts, list) else facts


def date_notes(measured_with: Mapping[str, Mapping[str, Any]], trainer: str | None = None) -> list[str]:
    """Notes for the case that chat templates print the date.

    Args:
        measured_with: what decides the numbers, by scorer.
        trainer: the trainer whose tokenisation is followed.
    """
    found = {name: facts[DATE] for name, facts in measured_with.items() if DATE in facts}
    if not found:
        return []
    notes = [
        f"{', '.join(found)}: the chat template prints the date. This run uses {next(iter(found.values()))} "
        "throughout, also when resumed; --template-date sets another."
    ]
    if trainer is not None:
        notes.append(
            f"{trainer.upper()} renders the chat template at training time, with the date of that day: "
            "its prompts will differ in the date from those measured here."
        )
    return notes
