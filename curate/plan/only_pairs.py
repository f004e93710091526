"""What candidates cannot have: settings that mean something only for two responses."""

from __future__ import annotations

from curate.errors import SettingsError
from curate.settings import ScoreSettings

ONLY_PAIRS = {
    "embedder": ("it is not known yet which two to compare", "Give the embedder to `curate pair`."),
    "metrics": ("a metric is a number of two responses", "Give the file to `curate pair`."),
    "match": ("a trainer reads pairs", "Make pairs with `curate pair` first, then score these."),
}
"""Settings that candidates cannot have: why not, and what to do."""


def check_candidates(settings: ScoreSettings) -> None:
    """Refuse for candidates what only pairs support.

    Raises:
        SettingsError: an embedder, metrics, or `--match` with a trainer's way of reading pairs.
    """
    if "ches" in settings.also:
        raise SettingsError(
            "These rows are candidates: ches is a number of two responses.",
            setting="also",
            value=",".join(settings.also),
            hint="Make pairs with `curate pair` first, then score these.",
        )
    for setting, (why, hint) in ONLY_PAIRS.items():
        if value := getattr(settings, setting):
            value = value[0] if isinstance(value, tuple) else value
            raise SettingsError(f"These rows are candidates: {why}.", setting=setting, value=value, hint=hint)
