from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate.backends.torch.packing import pack

PROMPTS = [[], list(range(50, 58)), list(range(50, 70)), list(range(20, 45))]
ROWS = st.lists(
    st.builds(lambda p, r: [*p, *r], st.sampled_from(PROMPTS), st.lists(st.integers(0, 3), min_size=1, max_size=15)),
    min_size=1,
    max_size=8,
)


@given(ROWS)
def test_every_token_of_every_row_stands_where_the_pack_says(rows: list[list[int]]) -> None:
    packed = pack(rows)
    for row, where in zip(rows, packed.where, strict=True):
        assert packed.ids[where].tolist() == row
        assert packed.positions[where].tolist() == list(range(len(row)))
        assert (np.diff(where) > 0).all()


@given(ROWS)
def test_segments_cut_the_pack_without_gaps_and_know_their_rows(rows: list[list[int]]) -> None:
    packed = pack(rows)
    assert packed.query_starts == [*(one.begin for one in packed.segments), len(packed.ids)]
    for one in packed.segments:
        assert one.keys[one.shared :].tolist() == list(range(one.begin, one.end))
        assert len(one.keys) == one.shared + one.end - one.begin
        assert packed.positions[one.keys].tolist() == list(range(len(one.keys)))
        assert one.together == (one.keys.tolist() == list(range(one.end - len(one.keys), one.end)))
    keys = packed.keys
    starts = packed.key_starts
    for one, a, b in zip(packed.segments, starts, starts[1:], strict=False):
        assert (np.arange(len(packed.ids)) if keys is None else keys)[a:b].tolist() == one.keys.tolist()


def test_the_prompt_of_several_responses_stands_once() -> None:
    prompt = list(range(100, 120))
    packed = pack([[*prompt, 1, 2, 3], [7, 8], [*prompt, 4], [*prompt, 1, 2, 9, 9]])
    # 7 8 | prompt 1 2 3 | 9 9 | 4
    assert packed.ids.tolist() == [7, 8, *prompt, 1, 2, 3, 9, 9, 4]
    assert packed.positions.tolist() == [0, 1, *range(20), 20, 21, 22, 22, 23, 20]
    assert packed.where[3].tolist() == [*range(2, 24), 25, 26]
    assert [one.shared for one in packed.segments] == [0, 0, 22, 20]
    assert packed.at([range(19, 21), range(0, 1), range(20, 21), range(0, 0)]).tolist() == [21, 22, 0, 27]


def test_rows_that_share_nothing_need_no_looking_up() -> None:
    assert pack([[1, 2, 3], [4, 5]]).keys is None


def test_equal_rows_stand_once() -> None:
    packed = pack([list(range(30))] * 3)
    assert packed.ids.tolist() == list(range(30))
    assert len(packed.segments) == 1
    assert [where.tolist() for where in packed.where] == [list(range(30))] * 3
