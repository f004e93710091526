from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given

from curate.errors import SettingsError
from curate.metrics.registry import compute, parameters_used
from tests.commands.helpers import run_select

from .tables import arrays, few, random_table, swapped, tables, values, with_holes

SOURCES = ("a", "b", "c")


def test_golden() -> None:
    # a: 2 > 1, 1 = 1, 0 < 1; b: 5 > 4, 5 > 4, 3 < 4; c: 0 < 1, 3 > 1, 0 < 1. A tie is no vote.
    frame = {"chosen_reward_a": [2.0, 1.0, 0.0], "rejected_reward_a": [1.0, 1.0, 1.0]}
    frame |= {"chosen_reward_b": [5.0, 5.0, 3.0], "rejected_reward_b": [4.0, 4.0, 4.0]}
    frame |= {"chosen_reward_c": [0.0, 3.0, 0.0], "rejected_reward_c": [1.0, 1.0, 1.0]}
    assert values("rm_votes", frame) == pytest.approx([2 / 3, 2 / 3, 0])
    assert values("rm_votes", frame, sources="a,b") == [1.0, 0.5, 0.0]


def test_against_numpy() -> None:
    frame = with_holes(random_table(seed=3, rows=200), seed=4)
    of = arrays(frame)
    sides = [(of[f"chosen_reward_{k}"], of[f"rejected_reward_{k}"]) for k in SOURCES]
    wanted = np.mean([np.where(np.isnan(c + r), np.nan, c > r) for c, r in sides], axis=0)
    got = np.array([np.nan if value is None else value for value in values("rm_votes", frame)])
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


@few
@given(tables())
def test_a_share_that_swapping_turns_but_for_ties(frame: pl.DataFrame) -> None:
    found, turned = values("rm_votes", frame), values("rm_votes", swapped(frame))
    ties = [sum(row[f"chosen_reward_{k}"] == row[f"rejected_reward_{k}"] for k in SOURCES) for row in frame.to_dicts()]
    assert set(found) <= {0, 1 / 3, 2 / 3, 1}
    assert [3 * (one + other) + tie for one, other, tie in zip(found, turned, ties, strict=True)] == [3] * frame.height


def test_every_named_source_votes_and_the_manifest_names_them() -> None:
    frame = random_table(seed=3, rows=3)
    used = parameters_used("rm_votes", {}, frozenset(frame.columns))
    assert used == {"rm_votes": {"sources": SOURCES}}
    assert compute("rm_votes", frame, {})[1] == {"sources": SOURCES}
    without_rejected = frame.drop("rejected_reward_c")
    assert compute("rm_votes", without_rejected, {})[1] == {"sources": ("a", "b")}


@pytest.mark.parametrize("sources", [{}, {"sources": "a"}, {"sources": "a,a"}])
def test_one_source_cannot_vote(tmp_path: Path, sources: dict[str, str]) -> None:
    frame = random_table(seed=1, rows=4).drop([f"{side}_reward_{k}" for side in ("chosen", "rejected") for k in "bc"])
    frame.with_columns(pair_id=pl.Series(["a", "b", "c", "d"])).write_parquet(tmp_path / "t.parquet")
    given = [f"rm_votes.{key}={value}" for key, value in sources.items()]
    with pytest.raises(SettingsError, match="rm_votes needs the column chosen_reward_NAME") as error:
        run_select(tmp_path / "t.parquet", tmp_path / "o.parquet", set_=given, by="rm_votes", top="1")
    assert "two reward sources" in error.value.hint
