"""The page on a whole run: that of its last step that selects or pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.errors import SettingsError
from curate.jobs.report import page_of_result, page_places
from curate.metrics.catalogue import using
from curate.progress import Reporter
from curate.recipes.resolve import Step
from curate.settings import PairSettings, SelectSettings
from curate.storage.places import check_place
from curate.storage.placing import claimed


@dataclass(frozen=True)
class ShownStep:
    """A step, and its settings with the page's place."""

    step: Step
    settings: SelectSettings | PairSettings


def shown_in(page: Path, steps: Sequence[Step]) -> ShownStep:
    """The step that the page shows.

    Raises:
        SettingsError: no step selects or pairs.
        StoreError: the page cannot be written there.
    """
    found = [step for step in steps if isinstance(step.settings, SelectSettings | PairSettings)]
    if not found:
        raise SettingsError(
            "No step of the recipe selects or pairs, so there is nothing that the page could show.",
            setting="report",
            value=page,
            hint="Run `curate report` on a scored table.",
        )
    shown = ShownStep(found[-1], found[-1].settings.model_copy(update={"report": page}))
    for place in page_places(shown.settings):
        check_place(place)
    return shown


def write_page_of(shown: ShownStep, reporter: Reporter) -> Path | None:
    """Write the page, also where the step was finished before; None if it could not be written, which a note says.

    Raises:
        StoreError: another run is writing there.
    """
    with claimed(page_places(shown.settings), []), using(shown.step.catalogue):
        return page_of_result(shown.settings, reporter)
