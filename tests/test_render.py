from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.backends.fake import FakeTokenizer
from curate.errors import ModelError
from curate.render import AloneRenderer, Match, Rendered, Renderer
from curate.schema import Message
from curate.settings.models import Truncation
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


DEFAULT_SYSTEM = "{% if messages[0]['role'] != 'system' %}{{ 's:be kind\n' }}{% endif %}" + PLAIN
NEEDS_USER = (
    "{% if not messages or messages[0]['role'] == 'assistant' %}{{ raise_exception('no user turn') }}{% endif %}"
    + PLAIN
)
ENDS = PLAIN.replace("{% if add_generation_prompt %}", "{% if not add_generation_prompt %}{{ 'END' }}{% else %}")
THINKS = PLAIN.replace("{{ 'a:' }}", "{{ 'a:<think>' }}")
MARKS = PLAIN.replace("m.role[0] + ':'", "bos_token + m.role[0] + ':'").replace("{{ 'a:' }}", "{{ bos_token + 'a:' }}")
NO_HEADER = PLAIN.replace("{{ 'a:' }}", "")


def alone(tokenizer: HubTokenizer, prompt: list[Message], response: str, limit: int | None = None) -> Rendered:
    return AloneRenderer(tokenizer, limit, "keep_start").render([(prompt, response)])[0]


@pytest.mark.parametrize(
    ("template", "header", "counted"),
    [
        (PLAIN, "a:", "yo\n"),
        ("{{ bos_token }}" + PLAIN, BOS + "a:", "yo\n"),
        (DEFAULT_SYSTEM, "a:", "yo\n"),
        ("{{ bos_token }}" + DEFAULT_SYSTEM, BOS + "a:", "yo\n"),
        (NEEDS_USER, "a:", "yo\n"),
        # the begin-of-text token opens every turn: the header already begins with it
        (MARKS, BOS + "a:", "yo\n"),
        # an end-of-text token begins the conversation
        ("{{ eos_token }}" + PLAIN, END + "a:", "yo\n"),
        # without a generation prompt the template writes an end that is no part of what comes before a response
        (ENDS, "a:", "yo\nEND"),
        # the conversation does not repeat what the generation prompt ends with
        (THINKS, "a:", "yo\n"),
        # nothing introduces the assistant: a begin-of-text token does, whether or not the template writes it
        (NO_HEADER, BOS, "a:yo\n"),
        ("{{ bos_token }}" + NO_HEADER, BOS, "a:yo\n"),
    ],
)
def test_alone_means_behind_what_introduces_the_assistant(
    tmp_path: Path, template: str, header: str, counted: str
) -> None:
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, template))
    row, conversation = alone(tokenizer, user("hi"), "yo"), one(tokenizer, user("hi"), "yo")
    assert text_of(tokenizer, row.ids[: row.start]) == header
    assert text_of(tokenizer, row.ids[row.start :]) == counted
    assert row.ids[row.start :] == conversation.ids[conversation.start :]


def test_a_header_is_the_same_whatever_the_user_and_the_system_say(tmp_path: Path) -> None:
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, DEFAULT_SYSTEM))
    prompts = [user("hi"), user("something else"), [{"role": "system", "content": "a:"}, *user("a:")]]
    rows = AloneRenderer(tokenizer, None, "keep_start").render([(prompt, "yo") for prompt in prompts])
    assert {tuple(row.ids) for row in rows} == {tuple(tokenizer.encode(["a:yo\n"])[0])}


def test_alone_reads_the_very_ids_of_the_conversation(tmp_path: Path) -> None:
    """`:` and `y` merge: tokenised behind its header the response would begin with another token."""
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, PLAIN, [(":", "y")]))
    assert len(tokenizer.encode(["a:yo\n"])[0]) == 4
    row = alone(tokenizer, user("hi"), "yo")
    assert text_of(tokenizer, row.ids[: row.start]) == "a:"
    assert row.ids[row.start :] == tokenizer.encode(["yo\n"])[0]


def test_the_end_of_text_begins_where_there_is_no_other_token(tmp_path: Path) -> None:
    folder = save_tokenizer(tmp_path, NO_HEADER)
    tokenizer = HubTokenizer(folder)
    tokenizer._tokenizer.bos_token = None
    assert text_of(tokenizer, alone(tokenizer, user("hi"), "yo").ids) == END + "a:yo\n"
    tokenizer._tokenizer.eos_token = None
    with pytest.raises(ModelError, match="A response cannot be read alone"):
        alone(tokenizer, user("hi"), "yo")


def test_a_template_that_refuses_a_conversation_without_an_opening_refuses_it_alone(tmp_path: Path) -> None:
    template = (
        "{% if not add_generation_prompt and messages[-1].role == 'user' %}{{ raise_exception('no') }}{% endif %}"
        + PLAIN
    )
    row = alone(HubTokenizer(save_tokenizer(tmp_path, template)), user("hi"), "yo")
    assert (row.border, row.dropped, row.response_tokens) == ("refused", True, 0)


EMPTY_OPENING = "{% if messages[1] is defined %}{{ messages[1].content }}{% endif %}"


@pytest.mark.parametrize("template", [PLAIN, THINKS, ENDS, NO_HEADER, EMPTY_OPENING, "{{ bos_token }}" + PLAIN])
@pytest.mark.parametrize("merges", [[], [(":", "y"), ("a", ":")]])
@pytest.mark.parametrize("truncation", ["keep_start", "keep_end", "drop"])
@pytest.mark.parametrize("match", [None, "trl"])
def test_both_readings_count_the_same_tokens(
    tmp_path: Path, template: str, merges: list[tuple[str, str]], truncation: Truncation, match: Match | None
) -> None:
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, template, merges))
    prompt = user("hi")
    for limit in (None, 1, 2, 3, 5, 7, 8, 9, 11, 12, 15):
        for response in ("yo", "yoyoyoy", ""):
            given = [(prompt, response)]
            with_it = Renderer(tokenizer, limit, truncation, match).render(given)[0]
            without = AloneRenderer(tokenizer, limit, truncation, match).render(given)[0]
            assert without.ids[without.start :] == with_it.ids[with_it.start :]
            assert without.response_tokens == with_it.response_tokens
            assert (without.dropped, without.truncated) == (with_it.dropped, with_it.truncated)
            assert limit is None or len(without.ids) <= limit
            assert without.start >= 1


def test_a_first_token_without_context_is_context_in_both_readings(tmp_path: Path) -> None:
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, EMPTY_OPENING))
    row = alone(tokenizer, user("hi"), "yes")
    assert text_of(tokenizer, row.ids) == BOS + "yes"
    assert text_of(tokenizer, row.ids[row.start :]) == "es"
    cut = AloneRenderer(HubTokenizer(save_tokenizer(tmp_path, PLAIN)), 4, "keep_end").render([(user("hi"), "yoyo")])[0]
    assert text_of(tokenizer, cut.ids) == "oyo\n"
    assert cut.start == 1
