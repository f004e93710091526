import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import SettingsError
from curate.pairs.candidates import Candidates, ordered_pairs
from curate.pairs.strategies import STRATEGIES, apply
from curate.pairs.strategies import strategy_parameters as parameters_of
from curate.settings import PairSettings, make

REWARDS = st.lists(st.sampled_from([np.nan, -1.0, 0.0, 1.0, 4.0]), min_size=1, max_size=8)


def strategy_parameters(name: str, given: Mapping[str, Any]) -> Any:
    options = {name.replace("-", "_"): dict(given)}
    return parameters_of(make(PairSettings, {"data": ("d",), "out": "o", "strategy": name, "options": options}))


def pool(rewards, seed=0):
    size = len(rewards)
    draws = np.random.default_rng(seed).integers(0, 2**64, size, np.uint64)
    return Candidates(np.array(rewards), np.arange(size), np.ones(size, bool), draws)


def run(name, rewards, seed=0, **given):
    chosen, rejected = apply(name, pool(rewards, seed), strategy_parameters(name, given), None, None)
    return list(zip(chosen.tolist(), rejected.tolist(), strict=True))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@given(rewards=REWARDS, seed=st.integers(0, 99))
def test_a_chosen_response_always_has_the_larger_reward(name, rewards, seed):
    for i, j in run(name, rewards, seed):
        assert rewards[i] > rewards[j]


@pytest.mark.parametrize("name", ["max-min", "max-random"])
@given(rewards=REWARDS, seed=st.integers(0, 99))
def test_there_is_one_pair_unless_all_rewards_are_equal(name, rewards, seed):
    known = {reward for reward in rewards if not np.isnan(reward)}
    pairs = run(name, rewards, seed)
    assert len(pairs) == (len(known) > 1)
    if pairs:
        assert rewards[pairs[0][0]] == max(known)


def test_max_min_takes_the_lower_position_on_ties():
    assert run("max-min", [0.0, 2.0, 2.0, 0.0]) == [(1, 0)]


def test_rs_dpo_golden():
    # sigma(2) = 0.881 > 0.85 > sigma(1.5) = 0.818
    assert run("rs-dpo", [2.0, 0.5, 0.0]) == [(0, 2)]
    assert run("rs-dpo", [2.0, 0.5, 0.0], eta=0.8) == [(0, 2), (0, 1)]


def test_rs_dpo_wants_more_than_eta():
    eta = 0.5 + 0.5 * np.tanh(1.0)  # sigma(2)
    assert run("rs-dpo", [2.0, 0.0], eta=eta) == []
    assert run("rs-dpo", [2.0, 0.0], eta=np.nextafter(eta, 0)) == [(0, 1)]


def test_sweet_spot_golden():
    # mean 57/21 = 2.71, std 7.82: mean - 2 std = -12.9, nearer to -8 than to -30
    rewards = [5.0] * 19 + [-30.0, -8.0]
    assert run("sweet-spot", rewards, form="mean_minus_2std") == [(0, 20)]
    assert run("max-min", rewards) == [(0, 19)]


def test_strategies_that_draw_go_by_the_draws_golden():
    # position 3 is the best; the smallest draw among the others is that of position 1
    draws = np.array([30, 10, 20, 2**63, 40], np.uint64)
    five = Candidates(np.array([0.0, 3.0, 1.0, 9.0, 2.0]), np.arange(5), np.ones(5, bool), draws)

    def made(name, **given):
        return [one.tolist() for one in apply(name, five, strategy_parameters(name, given), None, None)]

    assert made("max-random") == [[3], [1]]
    # the three smallest draws are those of positions 1, 2 and 0, of which 0 has the lowest reward
    assert made("sweet-spot", draws=3) == [[3], [0]]
    assert made("sweet-spot", draws=2) == [[3], [2]]


def test_draws_are_refused_where_nothing_is_drawn():
    with pytest.raises(SettingsError, match=r"sweet_spot\.draws changes nothing where form is mean_minus_2std"):
        strategy_parameters("sweet-spot", {"draws": 3, "form": "mean_minus_2std"})


def test_a_prompt_without_rewards_yields_nothing_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in STRATEGIES:
            assert run(name, [np.nan, np.nan]) == []
        assert run("sweet-spot", [np.nan, np.nan], form="mean_minus_2std") == []


@given(st.integers(0, 50))
def test_the_lowest_of_some_draws_is_one_of_several(seed):
    rewards = [float(i) for i in range(20)]
    (pair,) = run("sweet-spot", rewards, seed, draws=5)
    assert pair[0] == 19
    assert pair[1] <= 15


def test_random_strategies_reach_every_lower_response():
    rewards = [3.0, 0.0, 1.0, 2.0]
    assert {run("max-random", rewards, seed)[0] for seed in range(60)} == {(0, 1), (0, 2), (0, 3)}


@pytest.mark.parametrize(
    ("name", "given"),
    [("rs-dpo", {"eta": "2"}), ("rs-dpo", {"temperature": 0}), ("max-min", {"eta": 1}), ("sweet-spot", {"draws": 0})],
)
def test_bad_parameters_are_refused_with_a_hint(name, given):
    with pytest.raises(SettingsError) as caught:
        strategy_parameters(name, given)
    assert caught.value.where.startswith("--set ")
    assert caught.value.hint


def test_strategies_see_only_the_ordered_pairs():
    three = pool([0.0, 1.0, 3.0])
    chosen, rejected = ordered_pairs(three, 2.0)
    assert list(zip(chosen.tolist(), rejected.tolist(), strict=True)) == [(2, 0), (2, 1)]
    found = apply("max-min", three, strategy_parameters("max-min", {}), 3.5, None)
    assert found[0].size == 0
