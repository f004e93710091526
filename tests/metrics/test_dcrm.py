import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import SettingsError
from curate.metrics import registry

from .tables import arrays, few, floats, random_table, swapped, tables, values, with_holes

DISTANCES = (
    *("edit_count", "logp_sum", "edit_count,logp_sum", "edit", "logp", "embedding"),
    *("edit,logp", "embedding,edit", "edit,logp,embedding,logp_sum"),
)
PAIR: dict[str, list[Any]] = {
    "chosen_reward": [math.log(3)],
    "rejected_reward": [0.0],
    "edit_distance": [4],
    "edit_distance_norm": [0.25],
    "embedding_distance": [1.5],
    "ref_chosen_logps": [-20.0],
    "ref_rejected_logps": [-33.0],
    "chosen_tokens": [10],
    "rejected_tokens": [11],
}
NO_REFERENCE = {name: value for name, value in PAIR.items() if not name.startswith("ref_")}


def test_golden_dcrm() -> None:
    # sigma(ln 3) = 3/4, so the numerator is 1/4; 4 tokens + |-20 - (-33)| nats + eps 1 = 18; 1/4 / 18 = 1/72
    assert values("dcrm", PAIR) == pytest.approx([1 / 72], rel=1e-12)
    # without a reference: 1/4 / (4 + 1) = 1/20
    assert values("dcrm", NO_REFERENCE) == pytest.approx([1 / 20], rel=1e-12)
    # scale ln 3 / ln 9 = 1/2: sigma(ln 9) = 9/10, 0.4; eps 3: 0.4 / (4 + 13 + 3) = 0.02
    assert values("dcrm", PAIR, scale=0.5, eps=3) == pytest.approx([0.02], rel=1e-12)


@pytest.mark.parametrize(
    ("distance", "golden"),
    [
        ("edit_count", 0.25 / 5),  # 4 tokens + eps 1
        ("edit_count,logp_sum", 0.25 / 18),  # 4 + 13 + eps 1
        ("edit", 0.25 / 1.25),  # edit 0.25 + eps 1
        ("embedding", 0.25 / 2.5),  # embedding 1.5 + eps 1
        ("logp", 0.25 / 2.0),  # |-20/10 - (-33/11)| = |-2 + 3| = 1, + eps 1
        ("logp_sum", 0.25 / 14.0),  # |-20 - (-33)| = 13, + eps 1
        ("edit,logp", 0.25 / 2.25),  # 0.25 + 1 + eps 1
    ],
)
def test_golden_distance_terms(distance: str, golden: float) -> None:
    assert values("dcrm", PAIR, distance=distance) == pytest.approx([golden], rel=1e-12)


def spec_dcrm(frame: pl.DataFrame, terms: tuple[str, ...], eps: float, scale: float) -> np.ndarray:
    a = arrays(frame)
    offered = {
        "edit_count": a["edit_distance"],
        "edit": a["edit_distance_norm"],
        "embedding": a["embedding_distance"],
        "logp": np.abs(a["ref_chosen_logps"] / a["chosen_tokens"] - a["ref_rejected_logps"] / a["rejected_tokens"]),
        "logp_sum": np.abs(a["ref_chosen_logps"] - a["ref_rejected_logps"]),
    }
    margin = a["chosen_reward"] - a["rejected_reward"]
    return (1 / (1 + np.exp(-margin / scale)) - 0.5) / (sum(offered[term] for term in terms) + eps)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(("eps", "scale"), [(1.0, 1.0), (0.1, 7.0)])
def test_as_the_spec_reads(distance: str, eps: float, scale: float) -> None:
    frame = with_holes(random_table(seed=9, rows=300), seed=10)
    expected = spec_dcrm(frame, tuple(distance.split(",")), eps, scale)
    got = floats(values("dcrm", frame, distance=distance, eps=eps, scale=scale))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("missing", "terms"),
    [
        ([], ("edit_count", "logp_sum")),
        (["chosen_tokens", "rejected_tokens", "edit_distance_norm"], ("edit_count", "logp_sum")),
        (["ref_chosen_logps"], ("edit_count",)),
        (["ref_rejected_logps"], ("edit_count",)),
    ],
)
def test_auto_looks_at_the_columns_that_exist(missing: list[str], terms: tuple[str, ...]) -> None:
    frame = random_table(seed=11, rows=100)
    column, used = registry.compute("dcrm", frame.drop(missing), {})
    assert used == {"distance": terms, "eps": 1.0, "scale": 1.0}
    np.testing.assert_allclose(column.to_numpy(), spec_dcrm(frame, terms, 1.0, 1.0), rtol=1e-9, atol=1e-12)


def test_one_hole_in_the_reference_changes_no_other_row() -> None:
    frame = random_table(seed=12, rows=5)
    holed = frame.with_columns(ref_chosen_logps=pl.Series([None, *frame["ref_chosen_logps"][1:]]))
    before, column = (registry.compute("dcrm", one, {})[0] for one in (frame, holed))
    assert column.to_list() == [None, *before[1:]]
    unmeasured = frame.with_columns(ref_chosen_logps=pl.lit(None, pl.Float64))
    column, used = registry.compute("dcrm", unmeasured, {})
    assert (column.to_list(), used["distance"]) == ([None] * 5, ("edit_count", "logp_sum"))


def test_a_list_demands_its_terms() -> None:
    frame = random_table(seed=13, rows=3)
    with pytest.raises(SettingsError, match="needs the column ref_chosen_logps"):
        values("dcrm", frame.drop("ref_chosen_logps"), distance="edit,logp")
    holed = frame.with_columns(ref_chosen_logps=pl.Series([-9.0, None, -9.0]))
    assert [value is None for value in values("dcrm", holed, distance="edit,logp")] == [False, True, False]


def test_a_term_named_twice_counts_once() -> None:
    assert values("dcrm", PAIR, distance="edit,edit") == values("dcrm", PAIR, distance="edit")


@pytest.mark.parametrize(
    ("distance", "hint"),
    [("embeding", "Did you mean embedding?"), ("", "Known: auto, edit, edit_count, embedding, logp, logp_sum.")],
)
def test_an_unknown_distance_is_refused(distance: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        values("dcrm", PAIR, distance=distance)
    assert caught.value.where == f"--set dcrm.distance={distance}"
    assert caught.value.hint == hint


@few
@given(tables(), st.sampled_from(DISTANCES), st.sampled_from([0.05, 1.0, 20.0]))
def test_swapping_sides_negates_dcrm(frame: pl.DataFrame, distance: str, scale: float) -> None:
    forward = values("dcrm", frame, distance=distance, scale=scale)
    assert values("dcrm", swapped(frame), distance=distance, scale=scale) == [-value for value in forward]


@few
@given(tables(), st.sampled_from(DISTANCES), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_dcrm_keeps_within_half_over_eps(frame: pl.DataFrame, distance: str, eps: float, scale: float) -> None:
    column = np.abs(floats(values("dcrm", frame, distance=distance, eps=eps, scale=scale)))
    assert (column <= 0.5 / eps).all()
    # float64 cannot tell sigma(x) from 1 beyond x = 36; below that the bound is never reached
    margins = np.abs(floats(values("reward_margin", frame))) / scale
    assert (column[margins < 30] < 0.5 / eps).all()


@few
@given(tables())
def test_dcrm_has_the_sign_of_the_reward_margin(frame: pl.DataFrame) -> None:
    signs = np.sign(floats(values("reward_margin", frame)))
    assert np.sign(floats(values("dcrm", frame))).tolist() == signs.tolist()
