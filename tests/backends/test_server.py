"""Models behind a server, against one that is made up."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import transformers

from curate.backends import ModelSpec, Sampling
from curate.backends.open import (
    backend_facts,
    check_model,
    model_limit,
    open_generation,
    open_logprobs,
    open_rewards,
    resolved,
)
from curate.backends.server import http as server
from curate.backends.server.vllm import ServerLogprobs, server_facts
from curate.errors import CurateError, ModelError, SettingsError
from curate.model import Model
from curate.render import Rendered
from tests.backends.fake_server import HANGS, FakeServer, logp, reward, serving
from tests.backends.models import SHAPE, random_rows


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setattr(server, "WAITS", (0.0, 0.0, 0.0))
    server_facts.cache_clear()
    with serving() as made:
        yield made


def spec(fake: FakeServer, **more: Any) -> ModelSpec:
    return resolved(ModelSpec.of(f"{fake.url}#tiny", **more))


ROWS = random_rows([2, 3, 50, 21, 80, 7, 33] * 12)


# ---- names


def test_names_of_served_models() -> None:
    short = Model.of("http://localhost:8000#qwen")
    assert (short.kind, short.url, short.path, short.tokenizer) == ("server", "http://localhost:8000", "qwen", "qwen")
    full = Model.of("https://host/prefix/v1/#org/name@/models/of mine")
    assert (full.url, full.path, full.tokenizer) == ("https://host/prefix", "org/name", "/models/of mine")
    assert Model.of("org/name").kind == "hub"
    assert Model.of("http://localhost:8000#org/name@there").short == "org/name"
    assert short.identity() == {"model": "qwen", "served": True}


@pytest.mark.parametrize("name", ["http://localhost:8000", "http://localhost:8000#", "https://h#@tokenizer"])
def test_an_address_without_a_model(name: str) -> None:
    with pytest.raises(SettingsError, match="which model"):
        Model.of(name)


# ---- what is asked, and what is made of the answers


def test_log_probabilities_are_summed_over_the_response(fake: FakeServer) -> None:
    backend = open_logprobs(spec(fake))
    expected = [sum(logp(row.ids[i - 1], row.ids[i]) for i in range(row.start, len(row.ids))) for row in ROWS]
    assert backend.logps(ROWS) == pytest.approx(expected)
    bodies = [body for path, body in fake.asked if path == "/v1/completions"]
    assert sorted(body["prompt"] for body in bodies) == sorted(row.ids for row in ROWS)
    assert all(body["model"] == "tiny" and body["max_tokens"] == 1 for body in bodies)


def test_rewards_are_raw_and_read_before_the_padding(fake: FakeServer, tmp_path: Path) -> None:
    transformers.LlamaConfig(**SHAPE).save_pretrained(tmp_path)
    backend = open_rewards(resolved(ModelSpec.of(f"{fake.url}#tiny@{tmp_path}")))
    rows = [[5, 6, 7], [5, 6, 0, 0], [0, 0], [0, 3]]
    assert backend.rewards(rows) == [reward([5, 6, 7]), reward([5, 6]), reward([0]), reward([0, 3])]
    assert all(body["use_activation"] is False for path, body in fake.asked if path == "/classify")


def test_responses_and_what_is_left_to_no_default_of_the_server(fake: FakeServer) -> None:
    backend = open_generation(spec(fake))
    made = backend.generate([[5, 6], [7]], [10, 2**64 - 1], Sampling(0.7, 0.9, 4, (3,)))
    assert [(one.ids, one.finish_reason, one.logps) for one in made] == [
        ([3, 2], "stop", -1.0),
        ([(2**63 - 1) % 7, 2], "stop", -1.0),
    ]
    body = next(body for path, body in fake.asked if path == "/v1/completions")
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["stop_token_ids"]) == (0.7, 0.9, 4, [3])
    neutral = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    assert neutral.items() <= body.items()
    cut = backend.generate([[5]], [1], Sampling(max_tokens=1))[0]
    assert (cut.ids, cut.finish_reason) == ([1], "length")


def test_the_plan_learns_what_the_server_is(fake: FakeServer) -> None:
    made = spec(fake)
    assert (made.engine, made.device, made.dtype) == ("server", "server", "server")
    assert check_model(made, "causal") == made
    assert backend_facts(made) == {"backend": "server", "server": "0.0.1"}
    assert model_limit(made) == 511, "one token is left for the answer"
    assert "last digits" in open_logprobs(made).notes[0]


def test_a_server_without_a_limit(fake: FakeServer) -> None:
    fake.limit = None
    assert model_limit(spec(fake)) is None


def test_a_key_is_sent_where_it_is_set(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_SERVER_KEY", "secret")
    open_logprobs(spec(fake)).logps(ROWS[:1])
    assert {name.lower(): value for name, value in fake.headers[-1].items()}["authorization"] == "Bearer secret"


# ---- what passes, and what does not

BUSY = (429, {"retry-after": "0"}, b"{}")
TORN = (0, {}, b"")


@pytest.mark.parametrize("failures", [[BUSY], [(503, {}, b"busy")] * 3, [TORN], [(500, {}, b"{}"), BUSY, TORN]])
def test_what_passes_is_tried_again(fake: FakeServer, failures: list[Any]) -> None:
    backend = open_logprobs(spec(fake))
    plain = backend.logps(ROWS[:1])
    asked = len(fake.asked)
    fake.failures = list(failures)
    assert backend.logps(ROWS[:1]) == plain
    assert len(fake.asked) == asked + len(failures) + 1


def test_many_rows_survive_many_failures(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "WAITS", (0.0,) * 40)  # whatever share of the failures falls to one row
    backend = open_logprobs(spec(fake))
    expected = backend.logps(ROWS)
    fake.failures = [BUSY] * 40
    assert backend.logps(ROWS) == expected


def test_the_wait_that_a_server_asks_for_is_kept(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(server, "WAITS", (0.5, 1.0, 30.0))
    monkeypatch.setattr(time, "sleep", waited.append)
    backend = open_logprobs(spec(fake))
    fake.failures = [(429, {"retry-after": "7"}, b""), (503, {}, b""), (503, {"retry-after": "9999"}, b"")]
    backend.logps(ROWS[:1])
    assert [wait for wait in waited if wait >= 0.5] == [7.0, 1.0, 30.0]


def test_a_server_that_stays_away(fake: FakeServer) -> None:
    backend = open_logprobs(spec(fake))
    fake.failures = [(503, {}, b'{"error": {"message": "Engine is\\n dead"}}')] * 4
    with pytest.raises(ModelError, match="does not answer") as caught:
        backend.logps(ROWS[:1])
    assert "status 503: Engine is dead" in caught.value.where
    assert "to resume" in caught.value.hint


@pytest.mark.parametrize(
    ("failure", "where", "hint"),
    [
        ((400, {}, b'{"error": {"message": "prompt is too long"}}'), "prompt is too long", "log"),
        ((401, {}, b'{"error": "Unauthorized"}'), "Unauthorized", "CURATE_SERVER_KEY"),
        ((404, {}, b'{"detail": "Not Found"}'), "Not Found", "/v1/models"),
        ((422, {}, b"plain text"), "plain text", "log"),
    ],
)
def test_what_does_not_pass_is_told_at_once(fake: FakeServer, failure: Any, where: str, hint: str) -> None:
    backend = open_logprobs(spec(fake))
    asked = len(fake.asked)
    fake.failures = [failure]
    with pytest.raises(ModelError, match="rejected the request") as caught:
        backend.logps(ROWS[:1])
    assert where in caught.value.where
    assert hint in caught.value.hint
    assert len(fake.asked) == asked + 1


def test_no_server_at_all(fake: FakeServer) -> None:
    with pytest.raises(ModelError, match="does not answer") as caught:
        check_model(resolved(ModelSpec.of("http://127.0.0.1:9#tiny")), "causal")
    assert "127.0.0.1:9/v1/models" in caught.value.where


def test_a_model_that_the_server_does_not_have(fake: FakeServer) -> None:
    with pytest.raises(ModelError, match="no model called other") as caught:
        check_model(resolved(ModelSpec.of(f"{fake.url}#other")), "causal")
    assert caught.value.hint == "It has: tiny."


def without_last(path: str, answer: Any) -> Any:
    for choice in answer.get("choices", []):
        for held in (choice.get("prompt_logprobs"), (choice.get("logprobs") or {}).get("token_logprobs")):
            if held:
                held.pop()
    return answer


def of_other_tokens(path: str, answer: Any) -> Any:
    for choice in answer.get("choices", []):
        choice["prompt_logprobs"] = [None, *({"999": {"logprob": -1.0}} for _ in choice["prompt_logprobs"][1:])]
    return answer


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without_last, "1 prompt_logprobs came back for 2 tokens"),
        (of_other_tokens, "None is not a number"),
        (lambda path, answer: {"choices": []}, "0 prompt_logprobs"),
        (lambda path, answer: ["what"], "0 prompt_logprobs"),
    ],
)
def test_answers_that_are_not_what_was_asked(fake: FakeServer, change: Any, told: str) -> None:
    backend = open_logprobs(spec(fake))
    fake.change = change
    with pytest.raises(ModelError, match=told):
        backend.logps([Rendered([5, 6], 1, "exact")])


def test_answers_of_writing_that_cannot_be_used(fake: FakeServer) -> None:
    backend = open_generation(spec(fake))
    fake.change = without_last
    with pytest.raises(ModelError, match="1 log-probabilities came back for 2 tokens"):
        backend.generate([[5]], [1], Sampling())


def test_no_json(fake: FakeServer) -> None:
    backend = open_logprobs(spec(fake))
    fake.failures = [(200, {}, b"<html>")]
    with pytest.raises(ModelError, match="is not valid JSON"):
        backend.logps(ROWS[:1])


def test_several_outputs(fake: FakeServer, tmp_path: Path) -> None:
    transformers.LlamaConfig(**SHAPE).save_pretrained(tmp_path)
    backend = open_rewards(resolved(ModelSpec.of(f"{fake.url}#tiny@{tmp_path}")))
    fake.change = lambda path, answer: {"data": [{"probs": [0.1, 0.9]}]}
    with pytest.raises(ModelError, match="2 outputs"):
        backend.rewards([[5]])


@pytest.mark.parametrize(("kind", "head"), [("embedding", None), ("reward", "score")])
def test_what_is_not_asked_of_a_server(fake: FakeServer, kind: Any, head: str | None) -> None:
    with pytest.raises(CurateError, match="A server gives only"):
        check_model(spec(fake, reward_head=head), kind)


def test_an_interrupt_leaves_what_was_not_sent(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = open_logprobs(spec(fake))
    assert isinstance(backend, ServerLogprobs)
    monkeypatch.setattr(server, "AT_ONCE", 1)

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(server.Server, "_ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        backend.logps(ROWS)
    assert not [path for path, _ in fake.asked if path == "/v1/completions"]


# ---- servers that hang, lie, or tell secrets


@pytest.mark.parametrize("failure", [(HANGS, {}, b""), (200, {"drops": "yes"}, b"{" + b" " * 2000)])
def test_a_server_that_hangs_is_given_up_when_its_time_is_over(fake: FakeServer, failure: Any) -> None:
    backend = open_logprobs(spec(fake, server_seconds=2.0))
    asked = len(fake.asked)
    fake.failures = [failure] * 3
    with pytest.raises(ModelError, match="does not answer") as caught:
        backend.logps(ROWS[:1])
    assert "ReadTimeout" in caught.value.where
    assert "--server-timeout" in caught.value.hint
    assert len(fake.asked) == asked + 1, "its time was spent on the first try"


def test_waiting_for_the_next_try_counts_too(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "WAITS", (0.0, 30.0, 30.0))
    backend = open_logprobs(spec(fake, server_seconds=5.0))
    asked = len(fake.asked)
    fake.failures = [(503, {}, b"busy")] * 3
    with pytest.raises(ModelError, match="does not answer"):
        backend.logps(ROWS[:1])
    assert len(fake.asked) == asked + 2


def test_a_process_ends_while_its_server_hangs(fake: FakeServer) -> None:
    """Its threads are still waiting for answers then."""
    fake.failures = [(HANGS, {}, b"")] * 40
    code = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it\n"
        "from curate.backends.server.http import Server\n"
        f"Server({fake.url!r}, seconds=3600).post_all('/classify', [{{'input': [1]}}] * 40)"
    )
    running = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    while not fake.asked and running.poll() is None:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in running.communicate(timeout=50)[1]


@pytest.mark.parametrize("value", [0.5, pytest.param(10**400, id="huge"), True, "x", float("nan"), float("-inf"), [[]]])
@pytest.mark.parametrize("kind", ["reading", "writing", "sglang"])
def test_what_cannot_be_a_log_probability_is_refused(fake: FakeServer, value: Any, kind: str) -> None:
    fake.sglang = kind == "sglang"

    def lie(path: str, answer: Any) -> Any:
        for choice in answer.get("choices", []):
            for place in choice.get("prompt_logprobs", [])[1:]:
                next(iter(place.values()))["logprob"] = value
            if "logprobs" in choice:
                choice["logprobs"]["token_logprobs"][0] = value
        for place in answer.get("meta_info", {}).get("input_token_logprobs", [])[1:]:
            place[0] = value
        return answer

    backend = open_generation(spec(fake)) if kind == "writing" else open_logprobs(spec(fake))
    fake.change = lie
    with pytest.raises(ModelError, match=r"is not a number|which is positive"):
        if kind == "writing":
            backend.generate([[5]], [1], Sampling())  # type: ignore[union-attr]
        else:
            backend.logps([Rendered([5, 6], 1, "exact")])  # type: ignore[union-attr]


def test_rounding_may_bring_a_log_probability_above_zero(fake: FakeServer) -> None:
    backend = open_logprobs(spec(fake))
    fake.change = lambda path, answer: {"choices": [{"prompt_logprobs": [None, {"6": {"logprob": 1e-6}}]}]}
    assert backend.logps([Rendered([5, 6], 1, "exact")]) == [1e-6]


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("content", [DEEP, b'{"choices":' * 9999 + b"1" + b"}" * 9999, b"\xff\xfe"])
def test_an_answer_nested_deeply_is_refused(fake: FakeServer, content: bytes) -> None:
    backend = open_logprobs(spec(fake))
    fake.failures = [(200, {}, content)]
    with pytest.raises(ModelError, match="is not valid JSON"):
        backend.logps(ROWS[:1])
    fake.failures = [(400, {}, content)]
    with pytest.raises(ModelError, match="rejected the request") as caught:
        backend.logps(ROWS[:1])
    assert len(str(caught.value)) < 1000


ODD = [None, 1, "what", [], {}, [[]], [None], {"choices": 1}, {"choices": [[]]}, {"choices": [{"prompt_logprobs": 1}]}]
ODD += [{"choices": [{"prompt_logprobs": [1, 2]}]}, {"data": [[]]}, {"data": {}}, {"data": [{"probs": {}}]}]
ODD += [{"choices": [{"token_ids": ["a", "b"], "logprobs": {"token_logprobs": [-1, -1]}, "finish_reason": "stop"}]}]
ODD += [{"embedding": {"0": 1}}, {"meta_info": []}, {"meta_info": {"input_token_logprobs": {}}}]


def is_refused(ask: Callable[[], Any]) -> bool:
    try:
        ask()
    except ModelError:
        return True
    return False


@pytest.mark.parametrize("of_sglang", [False, True])
def test_answers_of_any_shape_are_refused_in_three_lines(fake: FakeServer, tmp_path: Path, of_sglang: bool) -> None:
    fake.sglang = of_sglang
    transformers.LlamaConfig(**SHAPE).save_pretrained(tmp_path)
    rewards = open_rewards(resolved(ModelSpec.of(f"{fake.url}#tiny@{tmp_path}")))
    logprobs = open_logprobs(spec(fake))
    asked = [lambda: rewards.rewards([[5]]), lambda: logprobs.logps([Rendered([5, 6], 1, "exact")])]
    if not of_sglang:
        writing = open_generation(spec(fake))
        asked.append(lambda: writing.generate([[5]], [1], Sampling()))
    for answer in ODD:
        fake.change = lambda *_, answer=answer: answer
        assert [is_refused(ask) for ask in asked] == [True] * len(asked), answer
        server_facts.cache_clear()
        with pytest.raises(ModelError, match="no model called tiny"):
            server_facts(Model.of(f"{fake.url}#tiny"))


SECRET = "sk-very-secret"


@pytest.mark.parametrize("content", [f'{{"error": "no such key: {SECRET}."}}', f"who is {SECRET}?", f'["{SECRET}"]'])
def test_the_key_is_never_shown(fake: FakeServer, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setenv("CURATE_SERVER_KEY", f" {SECRET}\n")
    backend = open_logprobs(spec(fake))
    for status in (401, 400, 503):
        fake.failures = [(status, {}, b" " * 380 + content.encode())] * 4
        with pytest.raises(ModelError) as caught:
            backend.logps(ROWS[:1])
        assert "secret" not in str(caught.value)
        assert "[key]" in str(caught.value)
    fake.failures = []
    fake.change = lambda *_: {"choices": [{"prompt_logprobs": [None, {"6": {"logprob": SECRET}}]}]}
    with pytest.raises(ModelError, match=r"\[key\] is not a number"):
        backend.logps([Rendered([5, 6], 1, "exact")])
    fake.change = lambda *_: {"data": [{"id": SECRET}]}
    server_facts.cache_clear()
    with pytest.raises(ModelError, match="no model") as caught:
        server_facts(Model.of(f"{fake.url}#tiny"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["two\nlines", "ключ"])
def test_a_key_that_cannot_be_sent(fake: FakeServer, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("CURATE_SERVER_KEY", key)
    with pytest.raises(ModelError, match="a header cannot hold") as caught:
        spec(fake)
        open_logprobs(spec(fake))
    assert key not in str(caught.value)


# ---- SGLang's own interface


@pytest.fixture
def sglang(fake: FakeServer) -> FakeServer:
    fake.sglang = True
    return fake


def test_sglang_gives_the_same_log_probabilities(sglang: FakeServer) -> None:
    expected = [sum(logp(row.ids[i - 1], row.ids[i]) for i in range(row.start, len(row.ids))) for row in ROWS]
    assert open_logprobs(spec(sglang)).logps(ROWS) == pytest.approx(expected)
    assert backend_facts(spec(sglang)) == {"backend": "server", "server": "sglang 0.0.2"}
    asked = [body for path, body in sglang.asked if path == "/generate"]
    assert all(body["return_logprob"] and body["sampling_params"]["temperature"] == 0 for body in asked)


def test_sglang_gives_the_same_rewards(sglang: FakeServer, tmp_path: Path) -> None:
    transformers.LlamaConfig(**SHAPE).save_pretrained(tmp_path)
    backend = open_rewards(resolved(ModelSpec.of(f"{sglang.url}#tiny@{tmp_path}")))
    assert backend.rewards([[5, 6, 7], [5, 6, 0, 0], [0, 0]]) == [reward([5, 6, 7]), reward([5, 6]), reward([0])]
    sglang.change = lambda path, answer: {"embedding": [0.1, 0.9]}
    with pytest.raises(ModelError, match="2 outputs"):
        backend.rewards([[5]])


def shifted(path: str, answer: Any) -> Any:
    """What a server would say that begins a place later."""
    answer["meta_info"]["input_token_logprobs"].pop()
    return answer


@pytest.mark.parametrize(
    "change", [shifted, lambda path, answer: {}, lambda path, answer: [answer, answer], lambda path, answer: "what"]
)
def test_answers_of_sglang_about_other_tokens(sglang: FakeServer, change: Any) -> None:
    backend = open_logprobs(spec(sglang))
    sglang.change = change
    with pytest.raises(ModelError, match="other tokens than were sent"):
        backend.logps([Rendered([5, 6, 7], 1, "exact")])


def test_a_place_without_a_number(sglang: FakeServer) -> None:
    backend = open_logprobs(spec(sglang))
    sglang.change = lambda path, answer: {"meta_info": {"input_token_logprobs": [[None, 6, None], [-1.0, 7, None]]}}
    with pytest.raises(ModelError, match="None is not a number"):
        backend.logps([Rendered([5, 6, 7], 1, "exact")])


def test_sglang_does_not_write(sglang: FakeServer) -> None:
    with pytest.raises(SettingsError, match="seed"):
        open_generation(spec(sglang))
