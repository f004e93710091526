from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.scorers import PairItem
from curate.scorers import edit_distance as module
from curate.scorers.edit_distance import EditDistance, comparable, edit_distances, edit_distances_within, normalised
from curate.tokens import WordsTokenizer
from curate.tokens.lists import joined

# few different ids, among them the surrogates and the last code point, which are no characters of any text
IDS = st.lists(st.sampled_from([0, 1, 2, 0xD800, 0xDFFF, 0x10FFFF]), max_size=9)


def plain(a: Sequence[int], b: Sequence[int]) -> int:
    """Levenshtein distance by the textbook's table."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (x != y)))
    return row[-1]


def score(pairs: list[tuple[str, str]]) -> dict[str, list[float]]:
    items = [PairItem(i, a, b) for i, (a, b) in enumerate(pairs)]
    (batch,) = EditDistance(WordsTokenizer()).score(items, frozenset())
    assert list(batch.keys) == list(range(len(pairs)))
    return {name: list(values) for name, values in batch.columns.items()}


@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=6))
def test_equals_the_textbook(pairs: list[tuple[list[int], list[int]]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    assert edit_distances(first, second).tolist() == [plain(a, b) for a, b in pairs]
    assert edit_distances(second, first).tolist() == edit_distances(first, second).tolist()


@given(st.lists(st.tuples(IDS, IDS, st.integers(0, 9)), min_size=1, max_size=6))
def test_a_comparison_is_broken_off_beyond_its_limit(pairs: list[tuple[list[int], list[int], int]]) -> None:
    texts = comparable(joined([ids for a, b, _ in pairs for ids in (a, b)]))
    most = np.array([limit for _, _, limit in pairs])
    wanted = [min(plain(a, b), limit + 1) for a, b, limit in pairs]
    assert edit_distances_within(texts[::2], texts[1::2], most).tolist() == wanted
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "FEWEST_A_CALL", 1)
        assert edit_distances_within(texts[::2], texts[1::2], most).tolist() == wanted


@given(st.integers(0, 400), st.integers(0, 400))
def test_long_lists_of_nothing_in_common(n: int, m: int) -> None:
    assert edit_distances([[1] * n], [[2] * m])[0] == max(n, m)


def test_golden() -> None:
    columns = score(
        [
            ("the cat sat", "the dog sat down"),  # cat -> dog, + down: 2 of 4
            ("a b c", "b c d"),  # - a, + d: 2 of 3
            ("", "one, two"),  # + 3 tokens
            ("", ""),
            ("same", "  same \n"),  # white space is no token
            ("Yes", "yes"),
        ]
    )
    assert columns["edit_distance"] == [2, 2, 3, 0, 0, 1]
    assert columns["edit_distance_norm"] == pytest.approx([2 / 4, 2 / 3, 1, 0, 0, 1])
    assert columns["chosen_text_tokens"] == [3, 3, 0, 0, 1, 1]
    assert columns["rejected_text_tokens"] == [4, 3, 3, 0, 1, 1]


def test_normalised() -> None:
    assert (normalised(0, 0, 0), normalised(3, 4, 6), normalised(5, 0, 5)) == (0, 0.5, 1)


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), min_size=1, max_size=5))
def test_any_text_gives_a_share_between_0_and_1(pairs: list[tuple[str, str]]) -> None:
    columns = score(pairs)
    for (a, b), share in zip(pairs, columns["edit_distance_norm"], strict=True):
        assert 0 <= share <= 1
        assert a != b or share == 0
    swapped = score([(b, a) for a, b in pairs])
    assert swapped["edit_distance"] == columns["edit_distance"]


def test_calls_are_cut_by_position_and_done_ones_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALL_SIZE", 2)
    items = [PairItem(i, "a", "a b") for i in range(5)]
    scorer = EditDistance(WordsTokenizer())
    assert [list(b.keys) for b in scorer.score(items, frozenset())] == [[0, 1], [2, 3], [4]]
    assert [list(b.keys) for b in scorer.score(items, {0, 1, 2})] == [[2, 3], [4]]
    assert scorer.facts() == {"tokenizer": "words", "tokenizer_hash": WordsTokenizer().fingerprint()}


@given(st.lists(st.lists(st.integers(0, 70_000), max_size=9), min_size=1, max_size=4))
def test_one_character_a_token(lists: list[list[int]]) -> None:
    texts = comparable(joined(lists))
    characters = {(id_, c) for ids, text in zip(lists, texts, strict=True) for id_, c in zip(ids, text, strict=True)}
    assert len(characters) == len({id_ for id_, _ in characters}) == len({c for _, c in characters})


def test_every_character_can_stand_for_a_token() -> None:
    ids = list(range(0x110000))
    (text,) = comparable(joined([ids]))
    assert sorted(map(ord, text)) == ids


def test_the_commonest_tokens_become_the_first_characters() -> None:
    assert comparable(joined([[7, 9, 9], [9, 5, 5]])) == ["\2\0\0", "\0\1\1"]


def test_more_different_words_in_a_call_than_there_are_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHARACTERS", 2)
    assert comparable(joined([[5, 5], [5, 9]])) == ["\0\0", "\0\1"]
    texts = comparable(joined([[5, 7], [5, 9]]))
    assert texts == [[5, 7], [5, 9]]
    assert edit_distances(texts[:1], texts[1:]).tolist() == [1]


def test_no_texts() -> None:
    assert comparable(joined([])) == []
    assert comparable(joined([[]])) == [""]
