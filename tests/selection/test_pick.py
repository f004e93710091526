import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import SettingsError
from curate.selection.pick import Amount, best_of_each, parse_amount, pick, pick_whole

ROWS = st.lists(
    st.tuples(st.sampled_from([None, -1.0, 0.0, 0.5, 2.0]), st.sampled_from("abcd"), st.integers(0, 2)),
    min_size=1,
    max_size=30,
)
AMOUNTS = st.one_of(
    st.integers(1, 1000).map(lambda tenths: Amount(share=Fraction(tenths, 1000))),
    st.integers(1, 40).map(lambda count: Amount(count=count)),
)


def frame(rows):
    values, ties, groups = zip(*rows, strict=True)
    return pl.DataFrame(
        {"row": range(len(rows)), "value": values, "tie": ties, "group": groups},
        schema={"row": pl.UInt32, "value": pl.Float64, "tie": pl.String, "group": pl.Int64},
    )


def plain(rows, end, amount, high_first):
    """The same by sorting lists."""
    kept = set()
    for group in {row[2] for row in rows}:
        inside = [i for i, row in enumerate(rows) if row[2] == group]
        wanted = math.floor(amount.share * len(inside)) if amount.share else amount.count
        high = high_first if end != "bottom" else not high_first
        known = sorted(
            (i for i in inside if rows[i][0] is not None),
            key=lambda i: (-rows[i][0] if high else rows[i][0], rows[i][1], i),
        )
        first = max((len(known) - min(wanted, len(inside))) // 2, 0) if end == "middle" else 0
        kept |= set(known[first : first + wanted])
    return kept


@given(ROWS, st.sampled_from(["top", "bottom", "middle"]), AMOUNTS, st.booleans())
def test_pick_equals_a_plain_sort(rows, end, amount, high_first):
    found = pick(frame(rows), end, amount, high_first=high_first).to_list()
    assert len(found) == len(set(found))
    assert set(found) == plain(rows, end, amount, high_first)


@given(ROWS, st.sampled_from(["top", "bottom", "middle"]), AMOUNTS, st.booleans(), st.randoms(use_true_random=False))
def test_a_whole_table_is_picked_alike(rows, end, amount, high_first, random):
    alive = [random.random() < 0.8 for _ in rows]
    asked = []

    def ties(wanted):
        asked.extend(wanted.tolist())
        return pl.Series([rows[i][1] for i in wanted])

    values = np.array([np.nan if row[0] is None else row[0] for row in rows])
    found = pick_whole(values, np.array(alive), ties, end, amount, high_first=high_first)
    living = [i for i, lives in enumerate(alive) if lives]
    expected = plain([(rows[i][0], rows[i][1], 0) for i in living], end, amount, high_first)
    assert np.flatnonzero(found).tolist() == sorted(living[i] for i in expected)
    assert len({values[i] for i in asked}) <= 2


def test_tie_breakers_are_read_only_where_they_decide():
    def never(rows):
        raise AssertionError("read")

    values = np.array([1.0, 2.0, 2.0, 3.0])
    everything = np.ones(4, bool)
    assert pick_whole(values, everything, never, "top", Amount(count=3), high_first=True).tolist() == [0, 1, 1, 1]
    assert pick_whole(values, everything, never, "top", Amount(count=4), high_first=False).all()
    assert not pick_whole(values, everything, never, "top", Amount(share=Fraction(1, 5)), high_first=True).any()


@given(ROWS, st.booleans())
def test_one_of_each_key_is_its_best(rows, high_first):
    found = set(best_of_each(frame(rows), "group", high_first=high_first)["row"].to_list())
    assert len(found) == len({row[2] for row in rows})
    for i in found:
        for other in rows:
            if other[2] == rows[i][2] and other[0] is not None:
                assert rows[i][0] is not None
                assert rows[i][0] >= other[0] if high_first else rows[i][0] <= other[0]


@given(st.integers(1, 1000), st.integers(0, 100_000))
def test_shares_are_exact(tenths, rows):
    amount = parse_amount(f"{tenths // 10}.{tenths % 10}%", "top")
    found = amount.of(rows)
    assert found == tenths * rows // 1000


def test_29_percent_of_100_is_29():
    # 0.29 * 100 is 28.999999999999996 in floating point
    assert parse_amount("29%", "top").of(100) == 29


@pytest.mark.parametrize(
    "text", ["0", "0%", "-5", "-5%", "100.1%", "ten", "", "%", "1.5", "1/0%", "nan%", "inf%", "1e400"]
)
def test_other_amounts_are_refused(text):
    with pytest.raises(SettingsError) as caught:
        parse_amount(text, "top")
    assert caught.value.where == f"--top {text}"
    assert caught.value.hint == "For example: --top=10% or --top=500."


@pytest.mark.parametrize(("text", "amount"), [("10%", Amount(Fraction(1, 10))), (" 500 ", Amount(None, 500))])
def test_amounts(text, amount):
    assert parse_amount(text, "top") == amount
