import pytest

from curate.hygiene.words import plain, shingles, words_of


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Hello  World", "hello world"),
        (" a\n\tb ", "a b"),
        ("\uff21\uff22\uff23 \uff11", "abc 1"),
        ("Straße", "STRASSE"),
        ("ﬁne", "fine"),
        ("a\u00a0b", "a b"),
    ],
)
def test_case_spacing_and_width_do_not_count(text, same):
    assert plain(text) == plain(same)


def test_punctuation_and_accents_do_count():
    assert len({plain(text) for text in ("a b", "a, b", "á b", "ab")}) == 4


def test_scripts_without_spaces_are_cut_at_each_character():
    assert words_of("我爱北京 and tea") == ["我", "爱", "北", "京", "and", "tea"]
    assert words_of("สวย") == ["ส", "ว", "ย"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One two, three four", ["one two three", "two three four"]),
        ("Yes no", ["yes no"]),
        ("?!", ["?!"]),
        ("  ", []),
        ("", []),
    ],
)
def test_shingles(text, expected):
    assert shingles(text) == expected
