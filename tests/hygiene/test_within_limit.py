from functools import partial

import numpy as np
import pytest

from curate.backends.fake import FakeTokenizer
from curate.hygiene.within_limit import WithinLimit
from curate.render import Renderer
from tests.hygiene.helpers import HOSTILE, run


def within(limit, truncation="keep_start", **more):
    return partial(WithinLimit, Renderer(FakeTokenizer(), limit, truncation), **more)


def ids(response):
    return Renderer(FakeTokenizer(), None, "keep_start").render([([{"role": "user", "content": "p"}], response)])[0].ids


SAME = "one two three four"
FIVE, SIX = SAME + " five", SAME + " six"
AT = next(i for i, (a, b) in enumerate(zip(ids(FIVE), ids(SIX), strict=False)) if a != b)
"""How many tokens both conversations begin with."""


@pytest.mark.parametrize(("limit", "flagged"), [(AT - 1, [0]), (AT, [0]), (AT + 1, []), (1000, [])])
def test_responses_that_differ_only_beyond_the_limit(limit, flagged):
    assert run(within(limit), [("p", FIVE, SIX)]) == {"identical_truncated": flagged}


def test_a_long_prompt_leaves_nothing_of_either_response():
    assert run(within(5), [("a long prompt of very many words", "yes", "no")]) == {"identical_truncated": [0]}


def test_the_same_text_altogether_is_another_flag():
    assert run(within(AT - 1), [("p", SAME, SAME)]) == {"identical_truncated": []}


def test_the_end_that_is_kept_counts():
    rows = [("p", "one " + SAME, "two " + SAME), ("p", FIVE, SIX)]
    assert run(within(3, "keep_end"), rows) == {"identical_truncated": [0]}


def test_what_is_dropped_is_not_compared():
    assert run(within(AT, "drop"), [("p", FIVE, SIX)]) == {"identical_truncated": []}


def test_only_rows_that_were_cut_are_tokenised():
    rows = [("p", FIVE, SIX)] * 2
    assert run(within(AT, among=np.array([False, True])), rows) == {"identical_truncated": [1]}


def test_hostile_texts():
    assert set(run(within(6), HOSTILE)["identical_truncated"]) <= set(range(6))
