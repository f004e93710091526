"""Figures of all rows and of those kept, against values worked out by hand; warnings only where something moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import curate

ROWS = 12


def table(path: Path, **columns: Any) -> Path:
    """Rows 0 to 11; `m` ranks them, the last is best."""
    base = {"pair_id": [f"{i:02d}" for i in range(ROWS)], "m": [float(i) for i in range(ROWS)]}
    pl.DataFrame(base | columns).write_parquet(path)
    return path


def best(tmp_path: Path, top: str = "3", **columns: Any) -> Any:
    return curate.select(table(tmp_path / "t.parquet", **columns), tmp_path / "o.parquet", by="m", top=top)


def test_the_figures_are_means_medians_shares_and_counts(tmp_path: Path) -> None:
    found = best(
        tmp_path,
        chosen_reward=[*[1.0] * 9, 4.0, 5.0, None],
        rejected_reward=[0.0] * ROWS,
        edit_distance_norm=[*[0.2] * 6, *[0.4] * 6],
        chosen_tokens=[*[10] * 9, 20, 30, 40],
        rejected_tokens=[*[10] * 11, 0],
        flags=[*[["refusal", "tie"]] * 3, *[[]] * 8, ["refusal"]],
        prompt=[*"aaaaaabbbbcc"],
        source=[*"xxxxxxxxxyyx"],
    ).compared
    assert found == {
        # (9 * 1 + 4 + 5) / 11 of the rows with rewards; (4 + 5) / 2
        "reward_margin": pytest.approx((18 / 11, 4.5)),
        "edit_distance_norm": pytest.approx((0.3, 0.4)),
        # no ratio where the rejected response is empty: 1 (nine times), 2, 3
        "length_ratio": (1.0, 2.5),
        "refusal": pytest.approx((4 / 12, 1 / 3)),
        "prompts": (3, 2),
        "source x": pytest.approx((10 / 12, 1 / 3)),
        "source y": pytest.approx((2 / 12, 2 / 3)),
    }


def test_rows_without_a_source_are_a_share_too(tmp_path: Path) -> None:
    assert best(tmp_path, source=[*["x"] * 9, None, None, "x"]).compared == {
        "source x": pytest.approx((10 / 12, 1 / 3)),
        "source (none)": pytest.approx((2 / 12, 2 / 3)),
    }


def test_what_the_table_lacks_is_left_out(tmp_path: Path) -> None:
    assert best(tmp_path).compared == {}
    assert best(tmp_path, reward_margin=[2.0] * ROWS, chosen_tokens=[1] * ROWS).compared == {
        "reward_margin": (2.0, 2.0)
    }
    assert best(tmp_path, source=[f"s{i}" for i in range(ROWS)]).compared == {}  # names, not sources
    assert best(tmp_path, source=["s"] * ROWS).compared == {}


def test_prompts_as_messages_are_counted_too_and_in_any_order_of_writing(tmp_path: Path) -> None:
    prompts = [[{"role": "user", "content": "abc"[i % 3]}] for i in range(ROWS)]
    path = table(tmp_path / "t.parquet", prompt=prompts)
    for sort in (None, "m:lowest"):
        found = curate.select(path, tmp_path / "o.parquet", by="m", top="2", sort=sort)
        assert found.compared == {"prompts": (3, 2)}
    assert curate.select(path, tmp_path / "o.parquet", by="m", top="2", left_out=tmp_path / "r.parquet").compared


@pytest.mark.parametrize(
    ("longest", "said"), [(5, "favour longer answers"), (0.2, "favour shorter answers"), (1.1, None), (2, "longer")]
)
def test_a_length_ratio_that_moves_away_from_1_is_warned_of(tmp_path: Path, longest: float, said: str | None) -> None:
    tokens = {"chosen_tokens": [*[10] * 9, *[int(10 * longest)] * 3], "rejected_tokens": [10] * ROWS}
    warnings = best(tmp_path, **tokens).warnings
    assert (said is None) == (not warnings)
    assert said is None or (said in warnings[0] and "--where" in warnings[0])


def test_a_length_ratio_that_moves_towards_1_is_welcome(tmp_path: Path) -> None:
    assert best(tmp_path, chosen_tokens=[*[40] * 9, *[11] * 3], rejected_tokens=[10] * ROWS).warnings == ()


def test_few_prompts_are_warned_of_only_where_chance_would_give_more(tmp_path: Path) -> None:
    (warning,) = best(tmp_path, "6", prompt=[*"abcdefgggggg"]).warnings
    # Six of twelve rows: each of the six prompts of one row is in with probability 1/2, g surely (1 - 1/64).
    assert "come from 1 prompts; as many rows at random would come from about 4." in warning
    assert best(tmp_path, "6", prompt=[*"abcdefabcdef"]).warnings == ()
    assert best(tmp_path, "6", prompt=["p"] * ROWS).warnings == ()


def test_the_earlier_name_of_left_out_still_works(tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet")
    curate.select(path, tmp_path / "o.parquet", by="m", top="3", rejects=tmp_path / "r.parquet")
    assert pl.read_parquet(tmp_path / "r.parquet").height == 9
