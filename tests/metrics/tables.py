"""Tables of measurements for the tests of this room, the catalogue's cases, and short ways to compute over them."""

import itertools
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union

import numpy as np
import polars as pl
from hypothesis import HealthCheck
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from curate.errors import SettingsError
from curate.metrics import registry
from curate.schema import table_columns
from tests.examples import examples

NO_COLUMNS: frozenset[str] = frozenset()
# a slow machine is no fault of a formula
few = examples(0.25, suppress_health_check=[HealthCheck.too_slow])
SIDES = ("chosen", "rejected")
OTHER_VALUES: dict[str, Any] = {
    "f64": lambda rng, rows: rng.normal(0, 1, rows),
    "i32": lambda rng, rows: rng.integers(1, 50, rows),
    "bool": lambda rng, rows: rng.random(rows) < 0.3,
}
"""What a measurement holds that a later version may add."""


def random_table(seed: int, rows: int) -> pl.DataFrame:
    """Every measurement that the catalogue reads, plus rewards of three named sources, `a` to `c`."""
    rng = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {}
    for side in SIDES:
        tokens = rng.integers(5, 200, rows)
        columns[f"{side}_tokens"] = tokens
        columns[f"policy_{side}_logps"] = -tokens * rng.gamma(4.0, 0.2, rows)
        columns[f"ref_{side}_logps"] = columns[f"policy_{side}_logps"] + rng.normal(0, 12, rows)
        columns[f"policy_{side}_alp_alone"] = -rng.gamma(4.0, 0.3, rows)
        columns[f"{side}_reward"] = rng.normal(0, 6, rows)
        columns[f"{side}_reward_a"] = rng.normal(0.5, 9, rows)
        columns[f"{side}_reward_b"] = rng.normal(0, 1, rows)
    columns["edit_distance_norm"] = rng.uniform(0, 1, rows)
    columns["embedding_distance"] = rng.uniform(0, 2, rows)
    longer = np.maximum(columns["chosen_tokens"], columns["rejected_tokens"])
    columns["edit_distance"] = np.round(columns["edit_distance_norm"] * longer)
    for side in SIDES:
        columns[f"{side}_reward_c"] = rng.normal(0, 2, rows)
    for column in table_columns():
        if column.name not in columns and column.type in OTHER_VALUES:
            columns[column.name] = OTHER_VALUES[column.type](rng, rows)
    return pl.DataFrame(columns)


@st.composite
def tables(draw: st.DrawFn, max_rows: int = 12) -> pl.DataFrame:
    """Small tables with many ties; log-probabilities are tokens * k / 64, so that per-token values are exact."""
    rows = draw(st.integers(1, max_rows))

    def column(values: st.SearchStrategy[float]) -> np.ndarray:
        return np.array(draw(st.lists(values, min_size=rows, max_size=rows)), dtype=float)

    columns: dict[str, np.ndarray] = {}
    for side in SIDES:
        columns[f"{side}_tokens"] = column(st.integers(1, 200))
        for model in ("policy", "ref"):
            per_token = column(st.integers(-320, 0)) / 64
            columns[f"{model}_{side}_logps"] = columns[f"{side}_tokens"] * per_token
        columns[f"policy_{side}_alp_alone"] = column(st.integers(-320, -1)) / 64
        columns[f"policy_{side}_collision"] = column(st.integers(-320, 0)) / 64
        columns[f"hidden_{'product' if side == 'rejected' else 'square'}"] = column(st.integers(0, 640)) / 64
        for source in ("", "_a", "_b", "_c"):
            columns[f"{side}_reward{source}"] = column(st.integers(-1280, 1280)) / 64
    columns["edit_distance"] = column(st.integers(0, 64))
    columns["edit_distance_norm"] = columns["edit_distance"] / 64
    columns["embedding_distance"] = column(st.integers(0, 128)) / 64
    return pl.DataFrame(columns)


def swapped(frame: pl.DataFrame) -> pl.DataFrame:
    """The same table with the chosen and the rejected side exchanged."""
    other = {"chosen": "rejected", "rejected": "chosen"}
    return frame.rename(
        {name: name.replace(side, other[side]) for name in frame.columns for side in SIDES if side in name}
    )


def values(name: str, frame: pl.DataFrame | Mapping[str, Any], **parameters: Any) -> list[float | None]:
    """One metric over a table, nulls as None."""
    return registry.compute(name, pl.DataFrame(frame), {name: parameters})[0].to_list()


def floats(column: list[float | None]) -> np.ndarray:
    """The values as an array with NaN for None."""
    return np.array([np.nan if value is None else value for value in column], dtype=float)


def arrays(frame: pl.DataFrame) -> dict[str, np.ndarray]:
    """The columns as arrays with NaN for null, for formulas written in plain NumPy."""
    return {name: floats(frame[name].to_list()) for name in frame.columns}


def with_holes(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The table with one value in twenty made null."""
    rng = np.random.default_rng(seed)
    return frame.with_columns(
        pl.when(pl.Series(rng.random(frame.height) > 0.05)).then(pl.col(name)).alias(name) for name in frame.columns
    )


LISTS: dict[str, tuple[str, ...]] = {
    "dcrm.distance": ("edit_count", "logp_sum", "edit", "logp", "embedding", "edit_count,logp_sum,edit,logp,embedding"),
    "bees.sources": ("a", "a,b"),
    "rm_votes.sources": ("a,b", "b,c"),
}
"""What the parameters can be that are lists of names."""


def choices(name: str, field: FieldInfo) -> list[Any]:
    """The values worth trying of a parameter that decides what is computed: choices, lists, numbers or a word."""
    if f"{name}.{field.alias}" in LISTS:
        return list(LISTS[f"{name}.{field.alias}"])
    kinds = typing.get_args(field.annotation) if _is_union(field.annotation) else [field.annotation]
    words = [word for kind in kinds if typing.get_origin(kind) is Literal for word in typing.get_args(kind)]
    whole = [4] if words and any(typing.get_origin(kind) is Annotated or kind is int for kind in kinds) else []
    return [*words, *whole]


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (Union, types.UnionType)


def forms(one: Any) -> Iterator[dict[str, Any]]:
    """The defaults, and every combination of choices that the metric or method does not refuse."""
    model: type[BaseModel] = one.model
    offered = {str(f.alias): choices(one.name, f) for f in model.model_fields.values()}
    offered = {alias: found for alias, found in offered.items() if found}
    yield {}
    for size in range(1, len(offered) + 1):
        for names in itertools.combinations(offered, size):
            for chosen in itertools.product(*(offered[name] for name in names)):
                given = dict(zip(names, chosen, strict=True))
                if not refused(one, given):
                    yield given


def refused(one: Any, given: Mapping[str, Any]) -> bool:
    """Whether these parameters cannot be set together."""
    try:
        one.parameters(given) if isinstance(one, registry.Metric) else one.parameters(given, None)
    except SettingsError:
        return True
    return False


def other_values(name: str, field: FieldInfo, now: Any) -> list[Any]:
    """Values of a parameter that are not its present one."""
    if found := choices(name, field):
        return [value for value in found if value not in (now, ",".join(now) if isinstance(now, tuple) else now)]
    most = next((limit.le for limit in field.metadata if hasattr(limit, "le")), None)
    if most is not None:
        return [(now + most) / 2]
    return [3.5 if now is None else now - 1 if isinstance(now, int) else now * 1.5 + 0.25]


CASES: list[tuple[str, dict[str, Any]]] = [
    (name, given) for name, one in registry.all_metrics().items() for given in forms(one)
]
"""Every metric of the catalogue in every form."""
