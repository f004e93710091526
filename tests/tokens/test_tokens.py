from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.backends.open import open_chat_tokenizer
from curate.errors import ModelError
from curate.hub import check_place
from curate.model import Model
from curate.tokens import HubTokenizer, WordsTokenizer, open_text_tokenizer
from tests.chat import BOS, PLAIN, save_tokenizer, user


def test_words_are_runs_of_word_characters_and_single_marks() -> None:
    # it ' s a test , a test !   -> 9 tokens, of which `a` and `test` stand twice
    ids = WordsTokenizer().encode(["it's a test, a test!"])[0]
    assert ids == [0, 1, 2, 3, 4, 5, 3, 4, 6]


def test_words_of_one_call_share_their_ids() -> None:
    first, second, empty = WordsTokenizer().encode(["red green", "green\tred\n", " \n"])
    assert first == second[::-1]
    assert empty == []


@given(st.lists(st.text(max_size=20), max_size=4))
def test_words_ids_are_equal_exactly_where_words_are(texts: list[str]) -> None:
    from curate.tokens import WORD

    words = [w for t in texts for w in WORD.findall(t)]
    ids = [i for row in WordsTokenizer().encode(texts) for i in row]
    assert len(ids) == len(words)
    assert all((words[i] == words[j]) == (ids[i] == ids[j]) for i in range(len(ids)) for j in range(i))


def test_open_text_tokenizer_knows_words_and_folders(tmp_path: Path) -> None:
    assert isinstance(open_text_tokenizer("words"), WordsTokenizer)
    opened = open_text_tokenizer(save_tokenizer(tmp_path / "t", PLAIN))
    assert opened.encode(["ab", ""]) == [[opened.encode(["a"])[0][0], opened.encode(["b"])[0][0]], []]


def test_encode_adds_no_special_token_and_takes_no_texts(tmp_path: Path) -> None:
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, PLAIN, adds_bos=True))
    assert tokenizer.encode([]) == []
    assert tokenizer.vocabulary()[BOS] not in tokenizer.encode(["abc"])[0]


def test_template_is_the_tokenizers_own_or_the_given_one(tmp_path: Path) -> None:
    path = save_tokenizer(tmp_path, PLAIN)
    own, other = HubTokenizer(path), HubTokenizer(path)
    other.use_template("{{ messages[0].content }}")
    assert own.template(user("hi"), True) == "u:hi\na:"
    assert own.template(user("hi"), False) == "u:hi\n"
    assert other.template(user("hi"), True) == "hi"
    assert own.template_fingerprint() != other.template_fingerprint()
    assert own.fingerprint() == other.fingerprint()


def test_fingerprint_sees_a_merge(tmp_path: Path) -> None:
    plain = HubTokenizer(save_tokenizer(tmp_path / "a", PLAIN))
    merged = HubTokenizer(save_tokenizer(tmp_path / "b", PLAIN, [("a", "b")]))
    assert plain.fingerprint() != merged.fingerprint()
    assert plain.fingerprint() == HubTokenizer(str(tmp_path / "a")).fingerprint()


@pytest.mark.parametrize("name", ["/no/such/model", "./none", "~/no-such-folder-here", "a/b/c"])
def test_a_missing_path_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="no model at this path"):
        check_place(name)
    with pytest.raises(ModelError, match="no model at this path"):
        HubTokenizer(name)


@pytest.mark.parametrize("name", ["gpt2", "owner/name"])
def test_a_hub_id_passes_the_path_check(name: str) -> None:
    assert check_place(name) is None


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(ModelError, match="tokenizer cannot be loaded") as caught:
        HubTokenizer(str(tmp_path))
    assert len(str(caught.value).splitlines()) == 3


def test_a_chat_tokenizer_needs_a_template(tmp_path: Path) -> None:
    path = save_tokenizer(tmp_path, None)
    with pytest.raises(ModelError, match="no chat template"):
        open_chat_tokenizer(Model.of(path))
    assert open_chat_tokenizer(Model.of(path), template=PLAIN).template(user("x"), True) == "u:x\na:"


@pytest.mark.parametrize(
    ("behind", "ends"),
    [
        ("'\\n'", (1,)),  # nothing special: only the tokenizer's own end of text, </s>
        ("'</s>'", (1,)),
        ("'<s>\\n'", (0, 1)),
        ("' \\n<s>'", (0, 1)),
        ("'.<s>'", (1,)),  # visible text comes first: the special token belongs to something else
        ("''", (1,)),
    ],
)
def test_the_ends_of_a_turn_are_what_the_template_writes_behind_an_answer(
    tmp_path: Path, behind: str, ends: tuple[int, ...]
) -> None:
    template = "{% for m in messages %}{{ m.role[0] + ':' + m.content + " + behind + " }}{% endfor %}"
    assert HubTokenizer(save_tokenizer(tmp_path, template)).turn_ends() == ends


def test_the_ends_of_a_turn_where_the_template_refuses_or_rewrites(tmp_path: Path) -> None:
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, "{{ raise_exception('no') }}"))
    assert tokenizer.turn_ends() == (1,)
    tokenizer.use_template("{{ messages[0].content | upper }}")
    assert tokenizer.turn_ends() == (1,)


def test_decoding_leaves_special_tokens_out(tmp_path: Path) -> None:
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, PLAIN))
    ids = tokenizer.encode(["ab,"])[0]
    # this tokenizer writes a space between any two tokens
    assert tokenizer.decode([[0, *ids, 1], [], ids[:1]]) == ["a b ,", "", "a"]
