"""Checks the settings of a selection without its data, and settles which end to keep and how much."""

from __future__ import annotations

from curate.errors import SettingsError
from curate.metrics.registry import check_options
from curate.selection.pick import Amount, End, parse_amount
from curate.selection.presets import with_preset
from curate.settings import SelectSettings


def check_select(settings: SelectSettings) -> tuple[SelectSettings, End, Amount | None]:
    """Check the settings, resolve their preset, and settle which end and how much to keep.

    Raises:
        SettingsError: settings that contradict each other or have no effect, an unknown preset, metric or parameter, or
            a condition that does not apply to single rows.
    """
    resolved = with_preset(settings)
    end, amount = _amount(resolved)
    check_options(resolved.options)
    if resolved.where is not None:
        from curate.selection.where import condition

        condition(resolved.where)
    if resolved.per_weights:
        _check_weights(resolved, amount)
    return resolved, end, amount


def _check_weights(settings: SelectSettings, amount: Amount | None) -> None:
    """Refuse weights of groups that decide nothing.

    Raises:
        SettingsError: nothing says what the groups are, or how many rows are to be divided.
    """
    shown = ",".join(f"{name}={weight:g}" for name, weight in settings.per_weights.items())
    if settings.per is None:
        raise SettingsError(
            "Weights are of groups, and nothing says which column names the groups.",
            setting="per_weights",
            value=shown,
            hint="For example: --per=source.",
        )
    if amount is None:
        raise SettingsError(
            "Weights divide a number of rows, and nothing says how many.",
            setting="per_weights",
            value=shown,
            hint="For example: --top=10% or --top=5000, of all groups together.",
        )


def _amount(settings: SelectSettings) -> tuple[End, Amount | None]:
    ends: dict[End, str | None] = {"top": settings.top, "bottom": settings.bottom, "middle": settings.middle}
    given = [(end, text) for end, text in ends.items() if text is not None]
    if len(given) > 1:
        raise SettingsError(
            f"--{given[0][0]} and --{given[1][0]} exclude each other.",
            setting=given[1][0],
            value=given[1][1],
            hint="To combine them, select twice.",
        )
    ranked = given or settings.above is not None or settings.below is not None
    if ranked and settings.by is None:
        raise SettingsError(
            "Nothing says how to rank the rows.", setting="by", hint="For example: --by=dcrm, --top=10%"
        )
    if not (ranked or settings.filters):
        raise SettingsError("Nothing says which rows to keep.", "curate select", "For example: --by=dcrm, --top=10%")
    return (given[0][0], parse_amount(given[0][1], given[0][0])) if given else ("top", None)
