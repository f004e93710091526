"""What the page, the card and `inspect` say of demo pairs, computed again in NumPy from the definitions alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import curate
from curate.demo.world import make_pairs
from tests.reporting.conftest import document

ROWS, KEPT = 250, 60


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], pl.DataFrame, pl.DataFrame]:
    """The folder, what the page holds, the scored table, and what was selected of it."""
    folder = tmp_path_factory.mktemp("by_hand")
    rows = [dict(row, source="abc"[i % 5 % 3]) for i, row in enumerate(make_pairs(ROWS, 11))]
    folder.joinpath("d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    curate.score(folder / "d.jsonl", folder / "s.parquet")
    curate.select(folder / "s.parquet", folder / "kept", by="reward_margin", top=str(KEPT))
    curate.report(folder / "s.parquet", folder / "r.html", selected=folder / "kept")
    kept = pl.read_parquet(folder / "kept" / "*.parquet")
    return folder, document(folder / "r.html"), pl.read_parquet(folder / "s.parquet"), kept


def longer_wins(difference: np.ndarray) -> float:
    """Of the pairs that differ in length, the share whose chosen response is the longer one."""
    return float((difference > 0).sum() / (difference != 0).sum())


def auc(difference: np.ndarray) -> float:
    """How often a chosen side's lead in length exceeds a rejected side's lead; ties count half."""
    chosen, rejected = difference[:, None], -difference[None, :]
    return float(((chosen > rejected) + 0.5 * (chosen == rejected)).mean())


def lead(frame: pl.DataFrame) -> np.ndarray:
    found: np.ndarray = (frame["chosen_tokens"] - frame["rejected_tokens"]).to_numpy().astype(float)
    return found


def interpolated(values: np.ndarray, share: float) -> float:
    """The value at this share of the way through the sorted values, on a line between its neighbours."""
    place = share * (values.size - 1)
    low = int(place)
    ordered = np.sort(values)
    high = ordered[min(low + 1, values.size - 1)]
    return float(ordered[low] + (place - low) * (high - ordered[low]))


def test_length_of_all_rows_and_of_those_kept(made: Any) -> None:
    _, page, scored, kept = made
    figures = page["figures"]
    assert figures["all"]["longer_wins"] == pytest.approx(longer_wins(lead(scored)))
    assert figures["all"]["length_auc"] == pytest.approx(auc(lead(scored)))
    assert figures["kept"]["longer_wins"][0] == pytest.approx(longer_wins(lead(kept)))
    assert figures["kept"]["length_auc"][0] == pytest.approx(auc(lead(kept)))


def test_margins(made: Any) -> None:
    _, page, scored, _ = made
    margins = (scored["score_chosen"] - scored["score_rejected"]).to_numpy()
    said = next(one for one in page["numbers"] if one["name"] == "reward_margin")
    assert said["mean"] == pytest.approx(margins.mean())
    assert said["quantiles"] == pytest.approx([interpolated(margins, q) for q in (0, 0.05, 0.5, 0.95, 1)])
    edges, counts = np.array(said["edges"]), said["counts"]
    assert sum(counts) == ROWS and sum(said["kept"]) == KEPT
    assert counts[0] == ((margins >= edges[0]) & (margins < edges[1])).sum()
    best = np.sort(margins)[-KEPT:]
    assert page["figures"]["kept"]["mean:reward_margin"][0] == pytest.approx(best.mean())
    assert page["head"]["cut"] == pytest.approx(best.min())


def test_shares_by_source(made: Any) -> None:
    _, page, scored, kept = made
    group = next(one for one in page["groups"] if one["name"] == "source")
    for place, value in enumerate(group["values"]):
        before, after = ((frame["source"] == value).sum() for frame in (scored, kept))
        assert (group["counts"][place], group["kept"][place]) == (before, after)
        assert page["figures"]["all"][f"share:source:{place}"] == pytest.approx(before / ROWS)
        assert page["figures"]["kept"][f"share:source:{place}"][0] == pytest.approx(after / KEPT)


def test_the_random_control_has_the_mean_of_all_rows_and_the_spread_of_its_size(made: Any) -> None:
    """The mean of KEPT values drawn at random has a standard error of their deviation over sqrt(KEPT)."""
    _, page, scored, _ = made
    margins = (scored["score_chosen"] - scored["score_rejected"]).to_numpy()
    prompts = pl.Series([json.dumps(one[:-1]) for one in scored["chosen"].to_list()])
    sums = pl.DataFrame({"p": prompts, "m": margins}).group_by("p").agg(pl.sum("m"), n=pl.len())
    # prompts are drawn whole: the residuals of a ratio of sums, by prompt (Cochran, Sampling Techniques, 2.11)
    residuals = (sums["m"] - margins.mean() * sums["n"]).to_numpy()
    drawn = KEPT / sums["n"].mean()
    error = np.sqrt((residuals**2).mean() / drawn) / sums["n"].mean()
    value, low, high = page["figures"]["control"]["mean:reward_margin"]
    assert value == pytest.approx(margins.mean(), abs=error)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.25)


def test_the_card_has_the_figures_before_and_after(made: Any) -> None:
    folder, _, scored, kept = made
    card = (folder / "kept" / "README.md").read_text("utf-8")
    rows = {
        name: (float(a), float(b))
        for name, a, b in re.findall(r"^\| (\w[^|]*?) \| ([\d.]+) \| ([\d.]+) \|$", card, re.M)
    }
    expected = {
        "reward margin, mean": lambda one: (one["score_chosen"] - one["score_rejected"]).mean(),
        "edit distance, mean (0..1)": lambda one: (
            one["edit_distance"] / one.select(pl.max_horizontal("chosen_tokens", "rejected_tokens")).to_series()
        ).mean(),
        "chosen / rejected length, median": lambda one: (one["chosen_tokens"] / one["rejected_tokens"]).median(),
        "share with a refusal": lambda one: one["flags"].list.contains("refusal").mean(),
        **{f"share of source {value}": lambda one, value=value: (one["source"] == value).mean() for value in "abc"},
    }
    for name, of in expected.items():
        assert rows[name] == pytest.approx((of(scored), of(kept)), rel=1e-3)


def test_inspect_counts_words(made: Any) -> None:
    folder, _, scored, _ = made
    words = {
        side: np.array([len(re.findall(r"\w+|[^\w\s]", one[-1]["content"])) for one in scored[side].to_list()], float)
        for side in ("chosen", "rejected")
    }
    tied = (scored["score_chosen"] == scored["score_rejected"]).to_numpy()
    said = curate.inspect(folder / "d.jsonl").length
    assert said is not None
    difference = words["chosen"] - words["rejected"]
    assert said.longer_wins == pytest.approx(longer_wins(difference))
    assert said.auc == pytest.approx(auc(difference))
    assert said.pairs == (difference != 0).sum()
    assert (said.chosen, said.rejected) == pytest.approx((words["chosen"].mean(), words["rejected"].mean()))
    assert tied.sum() == curate.inspect(folder / "d.jsonl").flags.get("tie", 0)
