"""Tokenising by pieces gives the ids of the whole texts, for every pattern that is said to be known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from curate.tokens.lists import joined
from curate.tokens.rust import KNOWN_PATTERNS, PieceEncoder
from tests.examples import examples

CORPUS = [
    "the cat's hat, the dog's bone; it isn't 1234 or 12,5!",
    "def f(x):\n    return x_1 + 2\n\n\n# one two  three\tfour",
    "It's \"quoted\" and 'single' -- don't, I'LL, we've. A\r\nB\n\n\nC  D",
    "na\u00efve caf\u00e9 \u4e00\u4e8c\u4e09 \uff41\uff42\uff43 \u00a0 \u00e9 e\u0301 \u017f '\u017f 3\u20e3 \u2028x",
] * 4
# what the patterns treat in ways of their own: contractions, runs, blanks of all kinds, marks, digits, look-alikes
ALPHABET = (
    "abstTlLdDmMvVrReE019 \t\n\r.,;:!?'\"-_()#$<|>[]/\\~`@^&*+={}%"
    "\u017f\u00e9\u0131\u0130\u0301\u4e00\uff41\uff11\u00b2\u00a0\u2028\u3000\u200b\u212a\u037e\u20e3\U0001f642"
)
ENDINGS = [
    "",
    "'s",
    "'S",
    "'\u017f",
    " ",
    "\n\n",
    "!\n",
    " \n x",
    "12345",
    "a1b22",
    "<|end|>",
    "<|a b|>",
    " x",
    "\u00a0 y",
]


def tokenizer(kind: str) -> Tokenizer:
    """A byte-level BPE as GPT-2, Llama 3 or Qwen 2 has it, learned from a few lines."""
    core = Tokenizer(models.BPE(ignore_merges=kind == "llama3"))
    if kind == "gpt2":
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        pattern = next(p for p in KNOWN_PATTERNS if (r"\p{N}{1,3}" in p) == (kind == "llama3"))
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        core.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    if kind == "qwen2":
        core.normalizer = normalizers.NFC()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    )
    core.add_special_tokens(["<|end|>", AddedToken("<|a b|>", lstrip=True, rstrip=True)])
    return core


KINDS = {kind: tokenizer(kind) for kind in ("gpt2", "llama3", "qwen2")}
every_kind = pytest.mark.parametrize("kind", KINDS)


def by_pieces(core: Tokenizer, texts: list[str]) -> list[list[int]]:
    encoder = PieceEncoder(core)
    encoder._checked = True  # so that nothing falls back to whole texts
    found = encoder.encode_lists(texts).lists()
    assert encoder._cuts is not None
    return found


def whole(core: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [core.encode(text, add_special_tokens=False).ids for text in texts]


@every_kind
@examples(2)
@given(
    texts=st.lists(
        st.builds("".join, st.lists(st.text(st.sampled_from(ALPHABET), max_size=8) | st.sampled_from(ENDINGS))),
        max_size=5,
    )
)
def test_pieces_give_the_ids_of_the_whole(kind: str, texts: list[str]) -> None:
    assert by_pieces(KINDS[kind], texts) == whole(KINDS[kind], texts)


@every_kind
@examples(2)
@given(texts=st.lists(st.text(max_size=30), max_size=4))
def test_of_any_text(kind: str, texts: list[str]) -> None:
    assert by_pieces(KINDS[kind], texts) == whole(KINDS[kind], texts)


@every_kind
def test_all_pairs_of_neighbours(kind: str) -> None:
    texts = [
        f"{left}{a}{b}{right}" for a in ALPHABET for b in ALPHABET for left in ("", "x") for right in ("", "s ", " x")
    ]
    assert by_pieces(KINDS[kind], texts) == whole(KINDS[kind], texts)


@every_kind
def test_words_are_encoded_in_few_calls(kind: str) -> None:
    core, calls = KINDS[kind], []

    class Counting:
        def encode_batch_fast(self, texts: list[str], **more: Any) -> Any:
            calls.append(len(texts))
            return core.encode_batch_fast(texts, **more)

        def __getattr__(self, name: str) -> Any:
            return getattr(core, name)

    texts = [" ".join(f"{word}{number % 7}" for word in CORPUS[0].split()) for number in range(50)]
    encoder = PieceEncoder(Counting())
    encoder._checked = True
    assert encoder.encode_lists(texts).lists() == whole(core, texts)
    assert sum(calls) < 10


def test_a_text_with_an_added_token_is_tokenised_whole() -> None:
    # `<|a b|>` takes the blanks around it: cut at its blank it would be five other tokens
    core = KINDS["gpt2"]
    texts = ["the cat", "the  <|a b|>  cat", "", "dog's <|end|>"]
    found = by_pieces(core, texts)
    assert found == whole(core, texts)
    assert core.token_to_id("<|a b|>") in found[1]


def test_unknown_patterns_are_never_cut() -> None:
    core = tokenizer("gpt2")
    changes = {
        "pre_tokenizer": [
            pre_tokenizers.ByteLevel(add_prefix_space=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            pre_tokenizers.Sequence([pre_tokenizers.Digits(), pre_tokenizers.ByteLevel(add_prefix_space=False)]),
            pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Split(Regex(r"\s+"), "isolated"),
                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
                ]
            ),
            pre_tokenizers.Whitespace(),
        ],
        "normalizer": [normalizers.Lowercase(), normalizers.NFKC()],
    }
    for name, values in changes.items():
        for value in values:
            changed = Tokenizer.from_str(core.to_str())
            setattr(changed, name, value)
            encoder = PieceEncoder(changed)
            assert encoder._cuts is None
            assert encoder.encode_lists(["The cat's  hat", ""]).lists() == whole(changed, ["The cat's  hat", ""])


def test_a_tokenizer_that_does_not_keep_its_word_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    core = KINDS["gpt2"]
    encoder = PieceEncoder(core)
    monkeypatch.setattr(encoder, "_encode_pieces", lambda pieces: joined([[0]] * len(pieces)))
    assert encoder.encode_lists(["the cat", "a dog"]).lists() == whole(core, ["the cat", "a dog"])
    assert encoder._cuts is None


def test_a_tokenizer_that_does_more_than_its_backend_is_found_out() -> None:
    core = KINDS["gpt2"]
    encoder = PieceEncoder(core, lambda texts: whole(core, [text.upper() for text in texts]))
    assert encoder.encode_lists(["the cat", "a dog"]).lists() == whole(core, ["THE CAT", "A DOG"])
