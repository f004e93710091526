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


MODELS = {"stronger": "big", "weaker": "small"}


def strategy_parameters(name: str, given: Mapping[str, Any]) -> Any:
    given = MODELS | dict(given) if name == "cross-model" else given
    options = {name.replace("-", "_"): dict(given)}
    return parameters_of(make(PairSettings, {"data": ("d",), "out": "o", "strategy": name, "options": options}))


def pool(rewards, seed=0):
    size = len(rewards)
    draws = np.random.default_rng(seed).integers(0, 2**64, size, np.uint64)
    return Candidates(np.array(rewards), np.arange(size), np.ones(size, bool), draws, sources=np.array([rewards] * 2))


def run(name, rewards, seed=0, **given):
    chosen, rejected = apply(name, pool(rewards, seed), strategy_parameters(name, given), None, None)
    return list(zip(chosen.tolist(), rejected.tolist(), strict=True))


@pytest.mark.parametrize("name", sorted({*STRATEGIES} - {"cross-model"}))
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


def of_sources(sources, **more):
    rewards = np.array(sources, float)
    size = rewards.shape[1]
    return Candidates(rewards.mean(axis=0), np.arange(size), np.ones(size, bool), sources=rewards, **more)


def made(name, candidates, per_prompt=None, **given):
    return [one.tolist() for one in apply(name, candidates, strategy_parameters(name, given), None, per_prompt)]


def test_delta_ucb_golden():
    # means 4, 4.5, 1, 0 and deviations 2, 0, 1, 0. At b = 1 the gap of (0, 2) is 4 + 2 - (1 - 1) = 6, that of (0, 3)
    # also 6, that of (1, 2) 4.5: the lower position wins. Without deviations it is the pair of the largest margin.
    four = of_sources([[6.0, 4.5, 2.0, 0.0], [2.0, 4.5, 0.0, 0.0]])
    assert made("delta-ucb", four) == [[0], [2]]
    assert made("delta-ucb", four, b=2) == [[0], [2]]
    assert made("delta-ucb", four, b=0) == [[1], [3]]


@given(st.lists(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=3, max_size=3), min_size=2, max_size=6))
def test_delta_ucb_is_the_largest_gap_of_all_ordered_pairs(columns):
    sources = np.array(columns).T
    means, sds = [np.mean(one) for one in columns], [np.std(one) for one in columns]
    gaps = {
        (i, j): (means[i] + sds[i]) - (means[j] - sds[j])
        for i in range(len(columns))
        for j in range(len(columns))
        if sources.mean(axis=0)[i] > sources.mean(axis=0)[j]
    }
    chosen, rejected = made("delta-ucb", of_sources(sources))
    assert len(chosen) == (len(gaps) > 0)
    if chosen:
        assert gaps[chosen[0], rejected[0]] == pytest.approx(max(gaps.values()))


def test_a_response_that_one_source_did_not_rate_is_in_no_pair():
    assert made("delta-ucb", of_sources([[9.0, 3.0, 1.0], [np.nan, 3.0, 1.0]]), per_prompt=9) == [[1], [2]]


def test_cross_model_golden():
    models = ("small", "big", None, "small", "big")
    five = Candidates(np.array([9.0, 1.0, 0.0, np.nan, 1.0]), np.arange(5), np.ones(5, bool), models=models)
    assert made("cross-model", five) == [[1], [0]]
    assert made("cross-model", five, per_prompt=9) == [[1, 1, 4, 4], [0, 3, 0, 3]]
    assert made("cross-model", five, weaker="tiny") == [[], []]
    cut = Candidates(None, np.array([0, 1, 2, 3, 0]), np.array([1, 0, 1, 1, 1], bool), models=models)
    assert made("cross-model", cut, per_prompt=9) == [[4], [3]]  # equal texts and cut responses as everywhere


def test_wpo_breaks_ties_by_length_golden():
    # The best are 1, 2 and 4, of which 2 is the shortest; the worst are 0, 3 and 5, of which 5 (7 tokens) is nearest.
    rewards, lengths = np.array([0.0, 4.0, 4.0, 0.0, 4.0, 0.0]), np.array([1, 9, 5, 8, 6, 7])
    six = Candidates(rewards, np.arange(6), np.ones(6, bool), lengths=lengths)
    assert made("max-min", six) == [[1], [0]]
    assert made("max-min", six, ties="length") == [[2], [5]]


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.0]), st.integers(1, 9)), min_size=2, max_size=8))
def test_ties_by_length_change_no_reward(responses):
    rewards, lengths = (np.array(one) for one in zip(*responses, strict=True))
    some = Candidates(rewards, np.arange(rewards.size), np.ones(rewards.size, bool), lengths=lengths)
    by_position, by_length = made("max-min", some), made("max-min", some, ties="length")
    assert [rewards[one].tolist() for one in by_position] == [rewards[one].tolist() for one in by_length]
    if by_length[0]:
        (i,), (j,) = by_length
        assert lengths[i] == lengths[rewards == rewards.max()].min()
        assert abs(lengths[j] - lengths[i]) == np.abs(lengths[rewards == rewards.min()] - lengths[i]).min()


@pytest.mark.parametrize(
    ("given_", "what"),
    [
        ({"stronger": ""}, "the name of the stronger model"),
        ({"weaker": ""}, "the name of the weaker model"),
        ({"weaker": "big"}, "Both models have the same name"),
    ],
)
def test_cross_model_needs_two_names(given_, what):
    with pytest.raises(SettingsError, match=what) as caught:
        strategy_parameters("cross-model", given_)
    assert "cross_model.stronger=A" in caught.value.hint
