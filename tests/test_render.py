from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.backends.fake import FakeTokenizer
from curate.recipe import Truncation
from curate.render import Rendered, Renderer
from curate.schema import Message
from curate.tokens import HubTokenizer
from tests.chat import BOS, END, PLAIN, save_tokenizer, user

TURN = st.text(alphabet="ab c.:\n", max_size=12)


class Counting:
    """A chat tokenizer that remembers what it was asked for."""

    def __init__(self) -> None:
        self.inner, self.name = FakeTokenizer(), "counting"
        self.encoded: list[str] = []
        self.templated: list[bool] = []

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        self.encoded += texts
        return self.inner.encode(texts)

    def template(self, messages: Sequence[Message], generation_prompt: bool) -> str:
        self.templated.append(generation_prompt)
        return self.inner.template(messages, generation_prompt)

    def fingerprint(self) -> str:
        return "counting"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> HubTokenizer:
    return HubTokenizer(save_tokenizer(tmp_path_factory.mktemp("plain"), PLAIN))


def one(tokenizer: HubTokenizer, prompt: list[Message], response: str) -> Rendered:
    return Renderer(tokenizer, None, "keep_start").render([(prompt, response)])[0]


def text_of(tokenizer: HubTokenizer, ids: Sequence[int]) -> str:
    spelled = {i: t for t, i in tokenizer.vocabulary().items()}
    return "".join(spelled[i] for i in ids)


def test_exact_border_counts_what_the_template_adds(plain: HubTokenizer) -> None:
    row = one(plain, user("hi"), "yo")
    # "u:hi\na:" is 7 characters, so 7 tokens; the response is "yo" and the template's own end of turn
    assert (row.border, row.start, row.response_tokens) == ("exact", 7, 3)
    assert text_of(plain, row.ids[row.start :]) == "yo\n"
    assert not row.truncated
    assert not row.dropped


def test_split_border_tokenises_prompt_and_rest_apart(tmp_path: Path) -> None:
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, PLAIN, [(":", "y")]))
    assert tokenizer.encode([":yo"])[0] == [tokenizer.vocabulary()[":y"], tokenizer.vocabulary()["o"]]
    row = one(tokenizer, user("hi"), "yo")
    assert row.border == "split"
    assert row.ids[: row.start] == tokenizer.encode(["u:hi\na:"])[0]
    assert row.ids[row.start :] == tokenizer.encode(["yo\n"])[0]
    assert tokenizer.vocabulary()[":y"] not in row.ids
    assert one(tokenizer, user("hi"), "no").border == "exact"


def test_common_prefix_where_the_template_rewrites_the_last_turn(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}{{ m.role[0] + ':' + m.content + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'a:<think>' }}{% endif %}"
    )
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, template))
    row = one(tokenizer, user("hi"), "yo")
    assert (row.border, row.start) == ("common_prefix", 7)
    assert text_of(tokenizer, row.ids) == "u:hi\na:yo\n"
    # a response that happens to open as the generation prompt does begins with it
    assert one(tokenizer, user("hi"), "<think>x").border == "exact"


def test_common_prefix_when_the_whole_is_shorter_than_the_prompt(tmp_path: Path) -> None:
    template = "{{ messages[0].content }}{% if add_generation_prompt %}{{ '>>' }}{% endif %}"
    row = one(HubTokenizer(save_tokenizer(tmp_path, template)), user("hi"), "yo")
    assert (row.border, row.response_tokens) == ("common_prefix", 0)


def test_a_refused_conversation_is_dropped_and_its_neighbours_are_not(tmp_path: Path) -> None:
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}" + PLAIN
    renderer = Renderer(HubTokenizer(save_tokenizer(tmp_path, template)), None, "keep_start")
    system = [{"role": "system", "content": "s"}, *user("hi")]
    rows = renderer.render([(user("hi"), "a"), (system, "b"), (user("hi"), "cc")])
    assert [row.border for row in rows] == ["exact", "refused", "exact"]
    assert (rows[1].ids, rows[1].dropped, rows[1].response_tokens) == ([], True, 0)
    assert [row.response_tokens for row in rows] == [2, 0, 3]
    assert "no system turn" in renderer.refusal


def test_a_template_that_refuses_only_the_answer_drops_too(tmp_path: Path) -> None:
    template = "{% if messages[-1].role == 'assistant' %}{{ raise_exception('no answer') }}{% endif %}" + PLAIN
    row = one(HubTokenizer(save_tokenizer(tmp_path, template)), user("hi"), "yo")
    assert (row.border, row.dropped) == ("refused", True)


def test_one_begin_of_text_when_template_and_tokenizer_both_write_it(tmp_path: Path) -> None:
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, "{{ bos_token }}" + PLAIN, adds_bos=True))
    begin = tokenizer.vocabulary()[BOS]
    assert tokenizer._tokenizer("hi")["input_ids"][0] == begin, "the trap is not set"
    row = one(tokenizer, user("hi"), "yo")
    assert row.ids[0] == begin
    assert row.ids.count(begin) == 1
    assert (row.border, row.start) == ("exact", 8)


def test_the_end_of_turn_counts_as_the_response(tmp_path: Path) -> None:
    template = PLAIN.replace("'\n' }}{% endfor", "eos_token }}{% endfor")
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, template))
    row = one(tokenizer, user("hi"), "")
    assert [tokenizer.vocabulary()[END]] == row.ids[row.start :]


def test_an_empty_response_of_a_template_without_end_has_no_token(tmp_path: Path) -> None:
    template = "{{ messages[0].content + '>' }}{% if messages[1] is defined %}{{ messages[1].content }}{% endif %}"
    row = one(HubTokenizer(save_tokenizer(tmp_path, template)), user("hi"), "")
    assert (row.border, row.response_tokens, row.dropped) == ("exact", 0, False)


def test_an_empty_prompt_text_still_leaves_one_token_of_context(tmp_path: Path) -> None:
    template = "{% if messages[1] is defined %}{{ messages[1].content }}{% endif %}"
    row = one(HubTokenizer(save_tokenizer(tmp_path, template)), user("hi"), "yes")
    assert (row.start, row.response_tokens) == (1, 2)


def test_multi_turn_response_is_the_last_message_alone(plain: HubTokenizer) -> None:
    prompt = [*user("hi"), {"role": "assistant", "content": "hello"}, *user("and?")]
    row = one(plain, prompt, "bye")
    assert text_of(plain, row.ids[: row.start]) == "u:hi\na:hello\nu:and?\na:"
    assert text_of(plain, row.ids[row.start :]) == "bye\n"


@pytest.mark.parametrize(
    ("length", "truncation", "kept", "response"),
    [
        # the whole: "u:hi\na:" (7) + "yoyo\n" (5) = 12 tokens
        (12, "keep_start", "u:hi\na:yoyo\n", 5),
        (9, "keep_start", "u:hi\na:yo", 2),
        (7, "keep_start", "u:hi\na:", 0),
        (3, "keep_start", "u:h", 0),
        (9, "keep_end", "i\na:yoyo\n"[-9:], 5),
        (6, "keep_end", ":yoyo\n", 5),
        (5, "keep_end", "yoyo\n", 4),  # the first token left has no context
        (3, "keep_end", "yo\n", 2),
        (1, "keep_end", "\n", 0),
    ],
)
def test_truncation(plain: HubTokenizer, length: int, truncation: Truncation, kept: str, response: int) -> None:
    row = Renderer(plain, length, truncation).render([(user("hi"), "yoyo")])[0]
    assert text_of(plain, row.ids) == kept
    assert row.response_tokens == response
    assert row.truncated == (length < 12)
    assert not row.dropped
    assert row.start >= 1


def test_drop_measures_nothing_of_what_is_too_long(plain: HubTokenizer) -> None:
    long, fits = Renderer(plain, 11, "drop").render([(user("hi"), "yoyo"), (user("hi"), "yoy")])
    assert (long.ids, long.dropped, long.truncated, long.response_tokens) == ([], True, True, 0)
    assert (len(fits.ids), fits.dropped, fits.truncated) == (11, False, False)


def test_each_prompt_is_templated_and_tokenised_once() -> None:
    tokenizer = Counting()
    same, equal = user("one"), user("one")
    Renderer(tokenizer, None, "keep_start").render([(same, "a"), (same, "b"), (equal, "c"), (user("two"), "d")])
    prompts = [text for text in tokenizer.encoded if text.endswith("assistant: ")]
    assert sorted(prompts) == ["user: one\nassistant: ", "user: two\nassistant: "]
    assert tokenizer.templated.count(True) == 3
    assert tokenizer.templated.count(False) == 4


def test_nothing_to_render() -> None:
    assert Renderer(FakeTokenizer(), None, "keep_start").render([]) == []


@given(st.lists(st.tuples(st.lists(TURN, min_size=1, max_size=3), TURN), min_size=1, max_size=4))
def test_ids_and_start_are_consistent(rows: list[tuple[list[str], str]]) -> None:
    tokenizer = FakeTokenizer()
    roles = ("user", "assistant")
    conversations = [
        ([{"role": roles[i % 2], "content": t} for i, t in enumerate(turns)], response) for turns, response in rows
    ]
    for row, (prompt, response) in zip(
        Renderer(tokenizer, None, "keep_start").render(conversations), conversations, strict=True
    ):
        prompt_ids = tokenizer.encode([tokenizer.template(prompt, True)])[0]
        assert row.border in {"exact", "split"}
        assert row.ids[: row.start] == prompt_ids
        if row.border == "exact":
            whole = tokenizer.template([*prompt, {"role": "assistant", "content": response}], False)
            assert row.ids == tokenizer.encode([whole])[0]


@given(TURN, TURN, st.integers(1, 40), st.sampled_from(["keep_start", "keep_end", "drop"]))
def test_no_row_exceeds_the_limit(prompt: str, response: str, limit: int, truncation: Truncation) -> None:
    whole = Renderer(FakeTokenizer(), None, "keep_start").render([(user(prompt), response)])[0]
    row = Renderer(FakeTokenizer(), limit, truncation).render([(user(prompt), response)])[0]
    assert len(row.ids) <= limit
    assert row.truncated == (len(whole.ids) > limit)
    assert row.response_tokens <= whole.response_tokens
    if not row.truncated:
        assert row == whole
    elif truncation == "keep_start":
        assert row.ids == whole.ids[:limit]
    elif truncation == "keep_end":
        assert row.ids == whole.ids[-limit:]
