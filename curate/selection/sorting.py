"""The order in which kept rows are written, for training from easy to hard or the other way round."""

from __future__ import annotations

import numpy as np

from curate.errors import SettingsError
from curate.readers.files.table import Table
from curate.selection.values import high_first, ranking_values
from curate.settings import SelectSettings

DIRECTIONS = ("highest", "lowest")


def sorted_rows(table: Table, settings: SelectSettings, kept: np.ndarray) -> np.ndarray | None:
    """The numbers of the kept rows in the order to write them; None for the input's order.

    Rows without a value come last; equal values keep the input's order.

    Args:
        table: the rows.
        settings: complete, its preset resolved.
        kept: bool [rows].

    Raises:
        SettingsError: there is no such column or metric, or another direction than `highest` or `lowest`.
    """
    if settings.sort is None:
        return None
    name, colon, direction = settings.sort.partition(":")
    if colon and direction not in DIRECTIONS:
        raise SettingsError(
            f"Rows cannot be sorted by the {direction!r} value first.",
            setting="sort",
            value=settings.sort,
            hint=f"Write {name}:highest or {name}:lowest.",
        )
    options = settings.options if name == settings.by else {}
    by = settings.model_copy(update={"by": name, "order": direction or None, "options": options})
    try:
        values = ranking_values(table, by).values
    except SettingsError as error:
        if error.setting == "by":  # what was wrongly given is this one
            error.setting, error.value = "sort", settings.sort
        raise
    assert values is not None
    rows = np.flatnonzero(kept)
    keys = values[rows]
    # A stable sort; NaN sorts last.
    return rows[np.argsort(-keys if high_first(by) else keys, kind="stable")]
