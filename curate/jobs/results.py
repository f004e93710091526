"""What the results of all commands share: how they are shown, and the table that was written."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


class Shown:
    """A result that a notebook shows as a table, and a prompt as lines."""

    def __repr__(self) -> str:
        lines = [f"  {name}: {text}" for name, text in self._facts()]
        return "\n".join([type(self).__name__, *lines])

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values: numbers, texts, lists and mappings."""
        found = as_plain(self)
        assert isinstance(found, dict)
        return found

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in self._facts()
        ]
        return f"<table><caption>{type(self).__name__}</caption>{''.join(rows)}</table>"

    def _facts(self) -> Iterator[tuple[str, str]]:
        """The fields that say something, as text."""
        assert is_dataclass(self)
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not (hasattr(value, "__len__") and not len(value)):
                yield field.name, _text(value)


class Written(Shown):
    """A result whose output is one table."""

    out: Path

    @property
    def frame(self) -> pl.DataFrame:
        """The table that was written."""
        import polars as pl

        from curate.jobs.finished import output_files

        return pl.concat([pl.read_parquet(path) for path in output_files(self.out)], how="diagonal_relaxed")


def as_plain(value: Any) -> Any:
    """The value in lists, mappings, texts and numbers, as JSON has them; what JSON cannot say is null or text."""
    if is_dataclass(value):
        held = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: as_plain(one) for name, one in held.items() if not callable(one)}
    if isinstance(value, Mapping):
        return {str(name): as_plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(one) for one in value)
    if is_dataclass(value):
        known = {field.name: getattr(value, field.name) for field in fields(value)}
        name = known.pop("name", type(value).__name__)
        return f"{name} ({', '.join(f'{key} {_text(one)}' for key, one in known.items() if one is not None)})"
    return "none" if value is None else str(value)
