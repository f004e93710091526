import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate.pairs.candidates import Candidates, ordered_pairs

RESPONSES = st.lists(
    st.tuples(st.sampled_from([np.nan, 0.0, 1.0, 2.5]), st.integers(0, 3), st.booleans()), min_size=1, max_size=7
)


def pool(responses, rewarded=True):
    rewards, texts, free = (np.array(column) for column in zip(*responses, strict=True))
    return Candidates(rewards if rewarded else None, texts, free)


@given(RESPONSES, st.sampled_from([None, 0.0, 1.0, 1.5]))
def test_ordered_pairs_are_those_of_a_plain_double_loop(responses, least):
    wanted = []
    for i, (reward, text, free) in enumerate(responses):
        for j, (other, other_text, _) in enumerate(responses):
            if free and text != other_text and reward > other and (least is None or reward - other >= least):
                wanted.append((i, j))
    chosen, rejected = ordered_pairs(pool(responses), least)
    assert list(zip(chosen.tolist(), rejected.tolist(), strict=True)) == wanted


@given(RESPONSES)
def test_without_rewards_every_two_texts_that_differ(responses):
    chosen, rejected = ordered_pairs(pool(responses, rewarded=False))
    wanted = {(i, j) for i, a in enumerate(responses) for j, b in enumerate(responses) if a[2] and a[1] != b[1]}
    assert set(zip(chosen.tolist(), rejected.tolist(), strict=True)) == wanted
