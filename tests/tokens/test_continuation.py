"""Tokenizers of every family, trained here, whose prompt ids are no prefix of the whole conversation's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from curate.render import AloneRenderer, Rendered, Renderer
from curate.tokens import HubTokenizer
from tests.chat import user

SPECIAL = ["<s>", "</s>", "<unk>"]
BYTES = [f"<0x{i:02X}>" for i in range(256)]
CORPUS = [
    "the fox runs well here and so does the dog",
    "Hello there, is it so? Yes, it is: yes and no",
    "user: why not\nanswer: yes\nanswer: no\nanswer: Hello there",
    "why [/INST] Hello yes no so it is",
] * 25


def unigram(scheme: str) -> Tokenizer:
    """Whole words, in front of which a space is cheap, and single characters; a word is always cheaper than these."""
    words = sorted({word for line in CORPUS for word in line.split()})
    characters = sorted({"▁", *"".join(CORPUS)} - {" "})
    pieces = [(f"▁{word}", -2.0) for word in words] + [(word, -3.0) for word in words if len(word) > 1]
    core = Tokenizer(
        models.Unigram([*((one, 0.0) for one in SPECIAL), *pieces, *((c, -9.0) for c in characters)], unk_id=2)
    )
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    core.decoder = decoders.Metaspace(prepend_scheme=scheme)
    return core


def byte_fallback(*, legacy: bool) -> Tokenizer:
    """As Llama 2: a space in front of every text, or (not legacy) of its first piece alone; a newline is a byte."""
    core = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.BpeTrainer(vocab_size=460, special_tokens=[*SPECIAL, *BYTES], show_progress=False)
    core.train_from_iterator([line.replace("\n", " ") for line in CORPUS], trainer)
    parts = json.loads(core.to_str())
    parts["added_tokens"] = [one for one in parts["added_tokens"] if one["content"] in SPECIAL]
    parts["pre_tokenizer"] = None
    core = Tokenizer.from_str(json.dumps(parts))
    if legacy:
        core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    stripped = decoders.Strip(" ", 1, 0)
    core.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), stripped])
    return core


def byte_level(*, prefix: bool) -> Tokenizer:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(CORPUS, trainer)
    return core


def wordpiece() -> Tokenizer:
    core = Tokenizer(models.WordPiece(unk_token="<unk>"))
    core.normalizer = normalizers.BertNormalizer(lowercase=False)
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.decoder = decoders.WordPiece(cleanup=False)
    core.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=200, special_tokens=SPECIAL, show_progress=False)
    )
    return core


FAMILIES: dict[str, Callable[[], Tokenizer]] = {
    "unigram_always": lambda: unigram("always"),
    "unigram_first": lambda: unigram("first"),
    "unigram_never": lambda: unigram("never"),
    "llama2_legacy": lambda: byte_fallback(legacy=True),
    "llama2_first": lambda: byte_fallback(legacy=False),
    "byte_level": lambda: byte_level(prefix=False),
    "byte_level_prefix": lambda: byte_level(prefix=True),
    "wordpiece": wordpiece,
}
OPENINGS = {"space": "answer: ", "newline": "answer:\n", "nothing": "answer:", "letters": "so it i"}
PROMPTS = ["why not", "", "Hello there, is it so?"]
RESPONSES = ["Hello there", "yes", " yes and no", "\nno", "s so", "", "é?"]


def saved(core: Tokenizer, folder: Path, opening: str, begin: str = "") -> HubTokenizer:
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}{{ '" + begin + "user: ' + m.content + '\n' }}"
        "{% else %}{{ opening + m.content + eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ opening }}{% endif %}"
    )
    fast: Any = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
        chat_template="{% set opening = " + json.dumps(opening) + " %}" + template,
    )
    fast.save_pretrained(folder)
    return HubTokenizer(str(folder))


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> tuple[str, Tokenizer]:
    return request.param, FAMILIES[request.param]()


def rows_of(tokenizer: HubTokenizer) -> list[tuple[str, str, Rendered]]:
    asked = [(prompt, response) for prompt in PROMPTS for response in RESPONSES]
    rendered = Renderer(tokenizer, None, "keep_start").render([(user(p), r) for p, r in asked])
    return [(p, r, row) for (p, r), row in zip(asked, rendered, strict=True)]


@pytest.mark.parametrize("begin", ["", "<s>"])
@pytest.mark.parametrize("opening", OPENINGS)
def test_the_ids_decode_to_the_text(family: tuple[str, Tokenizer], opening: str, begin: str, tmp_path: Path) -> None:
    tokenizer = saved(family[1], tmp_path, OPENINGS[opening], begin)
    for prompt, response, row in rows_of(tokenizer):
        messages = [*user(prompt), {"role": "assistant", "content": response}]
        whole = tokenizer.encode([tokenizer.template(messages, False)])[0]
        opened = tokenizer.encode([tokenizer.template(user(prompt), True)])[0]
        assert tokenizer.text(row.ids) == tokenizer.text(whole), (prompt, response, row.border)
        assert row.border in {"exact", "split", "spanned"}
        if row.border == "split":
            assert row.ids[: row.start] == opened
            assert whole[: len(opened)] != opened
        else:
            assert row.ids == whole
            assert row.ids[: row.start] == opened[: row.start]
            assert (row.start == len(opened)) == (row.border == "exact")
        assert row.response_tokens > 0


@pytest.mark.parametrize("opening", OPENINGS)
def test_alone_counts_the_same_ids(family: tuple[str, Tokenizer], opening: str, tmp_path: Path) -> None:
    tokenizer = saved(family[1], tmp_path, OPENINGS[opening], "<s>")
    for prompt, response, row in rows_of(tokenizer):
        alone = AloneRenderer(tokenizer, None, "keep_start").render([(user(prompt), response)])[0]
        assert alone.ids[alone.start :] == row.ids[row.start :]
        assert alone.ids[0] == tokenizer.edges["<s>"]


def borders(name: str, opening: str, folder: Path) -> set[str]:
    return {row.border for _, _, row in rows_of(saved(FAMILIES[name](), folder, OPENINGS[opening]))}


def test_the_families_split_where_they_should(tmp_path: Path) -> None:
    """The cases above are not all exact: each family meets the border that it is here for."""
    for name in ("unigram_always", "unigram_first", "unigram_never", "llama2_legacy", "llama2_first", "byte_level"):
        assert "split" in borders(name, "space", tmp_path / name), name
    # "i" and "s": a piece inside a word cannot be written behind another word's end
    assert "spanned" in borders("wordpiece", "letters", tmp_path / "wordpiece")


@pytest.mark.parametrize("name", ["unigram_always", "llama2_legacy", "llama2_first", "unigram_first"])
def test_no_space_comes_in_between(name: str, tmp_path: Path) -> None:
    tokenizer = saved(FAMILIES[name](), tmp_path, "answer: ")
    row = Renderer(tokenizer, None, "keep_start").render([(user("why not"), "Hello there")])[0]
    pieces = tokenizer._tokenizer.convert_ids_to_tokens(row.ids)
    assert row.border == "split"
    assert pieces[row.start - 1] == "▁"
    assert "".join(pieces[row.start :]) == "Hello▁there</s>"
    # tokenised by itself the response would begin with a space of its own
    assert tokenizer._tokenizer.convert_ids_to_tokens(tokenizer.encode(["Hello there"])[0])[0].startswith("▁")
