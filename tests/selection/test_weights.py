"""`--per-weights`: exact totals, shares by weight, groups without one, and groups that are too small."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate
from curate.errors import SettingsError
from curate.readers.files.table import open_table
from curate.selection.pick import divided
from curate.selection.verdict import decided_again

WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.001, 1000), min_size=1)


@given(st.integers(0, 10_000), WEIGHTS)
def test_the_parts_add_up_and_none_is_a_row_or_more_off(total: int, weights: dict[str, float]) -> None:
    parts = divided(total, weights)
    assert sum(parts.values()) == total
    whole = sum(Fraction(str(one)) for one in weights.values())
    for name, weight in weights.items():
        assert abs(parts[name] - total * Fraction(str(weight)) / whole) < 1


@given(st.integers(0, 1000), WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_of_the_weights_changes_nothing(total: int, weights: dict[str, float], random: Any) -> None:
    names = list(weights)
    random.shuffle(names)
    assert divided(total, {name: weights[name] for name in names}) == divided(total, weights)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (10, {"a": 2, "b": 1}, {"a": 7, "b": 3}),  # 6.67 and 3.33: the larger remainder is a's
        (1, {"b": 1, "a": 1}, {"a": 1, "b": 0}),  # equal remainders: by name
        (10, {"a": 0.1, "b": 0.2, "c": 0.7}, {"a": 1, "b": 2, "c": 7}),  # exact, as floats are not
        (3, {"a": 5.0}, {"a": 3}),
    ],
)
def test_largest_remainders(total: int, weights: dict[str, float], parts: dict[str, int]) -> None:
    assert divided(total, weights) == parts


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """12 rows of code, 6 of math, 2 of chat, one without a source; the last rows of each are the best."""
    sources = ["code"] * 12 + ["math"] * 6 + ["chat"] * 2 + [None]
    frame = pl.DataFrame({"source": sources, "row": range(21), "score": [float(i) for i in range(21)]})
    frame.write_parquet(tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def test_the_amount_is_of_all_groups_together(data: Path, tmp_path: Path) -> None:
    result = curate.select(
        data,
        tmp_path / "o.parquet",
        by="score",
        top="6",
        per="source",
        per_weights="code=2,math=1",
        left_out=tmp_path / "r.parquet",
    )
    assert result.frame["row"].to_list() == [8, 9, 10, 11, 16, 17]
    assert result.reasons == {"not within --top 6 by weight": 12, "its group has no weight": 3}
    left_out = pl.read_parquet(tmp_path / "r.parquet")
    assert left_out.filter(pl.col("reject_reason") == "its group has no weight")["row"].to_list() == [18, 19, 20]


def test_a_share_is_of_the_rows_in_groups_with_a_weight(data: Path, tmp_path: Path) -> None:
    result = curate.select(data, tmp_path / "o.parquet", by="score", top="50%", per="source", per_weights={"math": 1})
    assert result.frame["row"].to_list() == [15, 16, 17]


@pytest.mark.parametrize(("end", "rows"), [("bottom", [0, 1, 12]), ("middle", [5, 6, 15])])
def test_other_ends_are_divided_too(data: Path, tmp_path: Path, end: str, rows: list[int]) -> None:
    weights = {"code": 2, "math": 1}
    result = curate.select(data, tmp_path / "o.parquet", by="score", per="source", per_weights=weights, **{end: "3"})
    assert result.frame["row"].to_list() == rows


def test_a_group_that_is_too_small_is_kept_whole_and_said(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from typer.testing import CliRunner

    from curate.cli.app import app

    options = ["--by", "score", "--top", "8", "--per", "source", "--per-weights", "code=1,chat=1"]
    found = CliRunner().invoke(app, ["select", str(data), "-o", str(tmp_path / "o.parquet"), *options])
    assert found.exit_code == 0
    assert pl.read_parquet(tmp_path / "o.parquet")["row"].to_list() == [8, 9, 10, 11, 18, 19]
    said = " ".join((found.output + capsys.readouterr().err).split())
    assert "source chat has 2 of the 4 rows that its weight asks for, so 2 fewer rows are kept in all." in said


def test_groups_are_kept_whole_where_more_rows_are_asked_for_than_there_are(data: Path, tmp_path: Path) -> None:
    weights = {"code": 2, "math": 1}
    kept = curate.select(data, tmp_path / "o.parquet", by="score", top="30", per="source", per_weights=weights)
    assert kept.frame["source"].value_counts().sort("source").rows() == [("code", 12), ("math", 6)]
    chat = {"code": 1, "chat": 1}
    kept = curate.select(data, tmp_path / "p.parquet", by="score", top="20", per="source", per_weights=chat)
    assert kept.frame["source"].value_counts().sort("source").rows() == [("chat", 2), ("code", 10)]


def test_numbers_name_groups_too(tmp_path: Path) -> None:
    pl.DataFrame({"turns": [1, 1, 2, 2], "score": [1.0, 2.0, 3.0, 4.0]}).write_parquet(tmp_path / "t.parquet")
    result = curate.select(
        tmp_path / "t.parquet", tmp_path / "o.parquet", by="score", top="2", per="turns", per_weights="1=1,2=1"
    )
    assert result.frame["score"].to_list() == [2.0, 4.0]


def test_the_selection_can_be_decided_again(data: Path, tmp_path: Path) -> None:
    curate.select(data, tmp_path / "o.parquet", by="score", top="6", per="source", per_weights="math=1,code=2")
    again = decided_again(open_table([str(data)], tmp_path / "x"), tmp_path / "o.parquet", (str(data),))
    assert "--per-weights math=1,code=2" in again.rule or "--per-weights code=2,math=1" in again.rule
    assert again.decision.kept == 6


@pytest.mark.parametrize(
    ("settings", "what", "hint"),
    [
        ({"per": "source", "per_weights": "cod=1"}, "No row has 'cod' as its source", "code"),
        ({"per_weights": "code=1"}, "nothing says which column", "--per=source"),
        ({"per": "source", "per_weights": "code=1", "top": None, "above": 3.0}, "nothing says how many", "--top=5000"),
        ({"per": "source", "per_weights": "code=0"}, "greater than 0", "help"),
        ({"per": "source", "per_weights": "code"}, "GROUP=WEIGHT", "help"),
        ({"per": "source", "per_weights": "code=1,code=2"}, "given twice", "help"),
    ],
)
def test_weights_that_decide_nothing_are_refused(
    data: Path, tmp_path: Path, settings: dict[str, Any], what: str, hint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        curate.select(data, tmp_path / "o.parquet", **{"by": "score", "top": "3", **settings})
    assert what in caught.value.what
    assert hint in caught.value.hint
    assert not (tmp_path / "o.parquet").exists()
