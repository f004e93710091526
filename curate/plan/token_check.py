"""Whether data that was scored before counted its edit distances in the same tokens."""

from __future__ import annotations

from curate.errors import SettingsError
from curate.plan.scoring import Plan
from curate.progress import Reporter
from curate.readers import first_rows
from curate.readers.files.table import open_table
from curate.schema import EDIT_DISTANCE
from curate.writers.history import manifests_of, recorded


def check_tokens(plan: Plan, reporter: Reporter) -> None:
    """Refuse to count words by default when the data's edit distance counts a tokenizer's tokens.

    Raises:
        SettingsError: it would, and no tokenizer or model is given.
    """
    settings = plan.settings
    if not plan.as_pairs or EDIT_DISTANCE.name not in next(iter(first_rows(plan.source)), {}):
        return
    before = recorded(manifests_of(open_table(settings.data, settings.out)), "measured_with", plan.edit.name)
    now = plan.edit.facts()
    if before is None or before["tokenizer_hash"] == now["tokenizer_hash"]:
        return
    change = f"edit distance counted tokens of {before['tokenizer']!r} in the data; now it counts {now['tokenizer']!r}."
    if not (settings.tokenizer or settings.policy or settings.reference):
        raise SettingsError(
            change[0].upper() + change[1:],
            f"{EDIT_DISTANCE.name}, and dcrm with it",
            f"Give the folder of {before['tokenizer']} as --tokenizer, or use --tokenizer={now['tokenizer']}.",
        )
    reporter.note(change)
