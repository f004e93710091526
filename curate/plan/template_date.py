"""One date for a whole run, where chat templates print it; a resumed run keeps the date of the day it began."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, TypeVar

from curate.settings import ModelSettings
from curate.storage.workspace import held_identity

DATE = "template_date"
"""Names the date among the facts of what is rendered with it."""
S = TypeVar("S", bound=ModelSettings)


def dated(settings: S) -> S:
    """The same with the date of this run: the one given, that of unfinished work, or today's."""
    if settings.template_date is not None:
        return settings
    held = None if settings.fresh else held_date(held_identity(settings.out))
    return settings.model_copy(update={DATE: held or today()})


def today() -> date:
    """The day on which a run begins."""
    return date.today()


def held_date(facts: Any) -> date | None:
    """The date in facts of an earlier run; None where nothing there was rendered with one."""
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
    """What to say where chat templates print the date.

    Args:
        measured_with: per scorer what decides its numbers.
        trainer: the one whose tokenisation is followed.
    """
    found = {name: facts[DATE] for name, facts in measured_with.items() if DATE in facts}
    if not found:
        return []
    notes = [
        f"{', '.join(found)}: the chat template prints the date, which is {next(iter(found.values()))} throughout this "
        "run, also when it is resumed; --template-date sets another."
    ]
    if trainer is not None:
        notes.append(
            f"{trainer.upper()} renders the chat template when it trains, with that day's date: "
            "its prompts will differ from those measured here by the date."
        )
    return notes
