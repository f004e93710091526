"""Tools and calls of them: read through chat templates that take them, and refused everywhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import curate
from curate.errors import CurateError, InputError
from tests.commands.helpers import write_jsonl

TEMPLATE = """{%- if tools %}{{ '<|im_start|>tools\\n' + tools | tojson + '<|im_end|>\\n' }}{% endif -%}
{%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + (m.content or '') }}
{%- for call in m.tool_calls or [] %}{{ 'CALL ' + call.function.name + call.function.arguments | tojson }}{% endfor -%}
{{ '<|im_end|>\\n' }}{% endfor -%}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif -%}"""
ONLY_TOOLS = TEMPLATE.replace("m.tool_calls or []", "[]")
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
ASKED: dict[str, Any] = {"role": "user", "content": "Weather in Paris?"}
CALL = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Paris"}}}
RESULT = {"role": "tool", "content": "18 degrees", "name": "weather", "tool_call_id": "1"}
CALLED = [ASKED, {"role": "assistant", "content": "", "tool_calls": [CALL]}, RESULT]
WRITTEN = CALL | {"function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
AS_TEXT = {"role": "assistant", "content": None, "tool_calls": [WRITTEN]}


def row(prompt: list[Any], **more: Any) -> dict[str, Any]:
    good, bad = ({"role": "assistant", "content": text} for text in ("It is 18 degrees.", "No idea."))
    return {"prompt": prompt, "chosen": [good], "rejected": [bad], **more}


@pytest.fixture
def template(tmp_path: Path) -> Path:
    (tmp_path / "t.jinja").write_text(TEMPLATE)
    return tmp_path / "t.jinja"


def expected(folder: Path, messages: list[Any], tools: list[Any] | None, answer: str) -> float:
    """What transformers says of the answer, in a batch of one, with the tools given to its own template."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    how: dict[str, Any] = {"tools": tools, "chat_template": TEMPLATE, "tokenize": False}
    answered = [*messages, {"role": "assistant", "content": answer}]
    texts = (
        tokenizer.apply_chat_template(messages, add_generation_prompt=True, **how),
        tokenizer.apply_chat_template(answered, **how),
    )
    opened, whole = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts)
    assert whole[: len(opened)] == opened
    with torch.no_grad():
        logits = model(torch.tensor([whole])).logits[0].float().log_softmax(-1)
    return float(sum(logits[at - 1, whole[at]] for at in range(len(opened), len(whole))))


@pytest.mark.parametrize(
    ("given", "messages", "tools"),
    [
        (row([ASKED], tools=[WEATHER]), [ASKED], [WEATHER]),
        (row([ASKED], tools=json.dumps([WEATHER])), [ASKED], [WEATHER]),
        (row(CALLED, tools=[WEATHER]), CALLED, [WEATHER]),
        (row([ASKED, AS_TEXT, RESULT]), CALLED, None),
        (
            {
                "conversations": [
                    {"from": "human", "value": ASKED["content"]},
                    {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Paris"}}'},
                    {"from": "observation", "value": "18 degrees"},
                ],
                "chosen": {"from": "gpt", "value": "It is 18 degrees."},
                "rejected": {"from": "gpt", "value": "No idea."},
            },
            CALLED,
            None,
        ),
    ],
    ids=["a column", "in JSON text", "with a call", "arguments as text", "ShareGPT"],
)
def test_log_probabilities_are_those_behind_the_tools(
    demo_models: Path,
    template: Path,
    tmp_path: Path,
    given: dict[str, Any],
    messages: list[Any],
    tools: list[Any] | None,
) -> None:
    policy = demo_models / "policy"
    data, out = write_jsonl(tmp_path / "d.jsonl", [given]), tmp_path / "o.parquet"
    curate.score(data, out, policy=str(policy), chat_template=template, tokenizer="words")
    found = pl.read_parquet(out)
    assert found["flags"].to_list() == [[]]
    for side, answer in (("chosen", "It is 18 degrees."), ("rejected", "No idea.")):
        assert found[f"policy_{side}_logps"][0] == pytest.approx(expected(policy, messages, tools, answer), abs=1e-3)


def test_pairs_with_other_tools_are_other_pairs(demo_models: Path, template: Path, tmp_path: Path) -> None:
    other = WEATHER | {"function": {"name": "time", "parameters": {}}}
    rows = [row([ASKED], tools=[WEATHER]), row([ASKED], tools=[other]), row([ASKED])]
    data, out = write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o.parquet"
    curate.score(data, out, policy=str(demo_models / "policy"), chat_template=template, tokenizer="words")
    found = pl.read_parquet(out)
    assert found["pair_id"].n_unique() == found["policy_chosen_logps"].n_unique() == 3


OPENAI = {
    "input": {"messages": [ASKED], "tools": [WEATHER]},
    "preferred_output": [{"role": "assistant", "content": "It is 18 degrees."}],
    "non_preferred_output": [{"role": "assistant", "content": "No idea."}],
}


def test_tools_are_refused_where_the_output_has_no_place_for_them(
    demo_models: Path, template: Path, tmp_path: Path
) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", [OPENAI])
    with pytest.raises(InputError, match="the prompt has tools"):
        curate.score(data, tmp_path / "o.parquet", policy=str(demo_models / "policy"), chat_template=template)


@pytest.mark.parametrize("given", [row([ASKED], tools=[WEATHER]), row(CALLED)], ids=["tools", "calls"])
def test_tools_are_refused_where_they_would_be_lost(demo_models: Path, tmp_path: Path, given: dict[str, Any]) -> None:
    out, policy = tmp_path / "o.parquet", str(demo_models / "policy")
    data = write_jsonl(tmp_path / "d.jsonl", [given])
    half = tmp_path / "half.jinja"
    half.write_text(ONLY_TOOLS)
    for settings in ({}, {"policy": policy}, {"policy": policy, "chat_template": half}, {"policy": "fake:1"}):
        with pytest.raises(InputError, match="the prompt has tool"):
            curate.score(data, out, **settings)
    with pytest.raises(CurateError, match="the prompt has tool"):
        curate.export(data, tmp_path / "e", to="trl")


def test_a_response_that_calls_a_tool_is_bad(demo_models: Path, template: Path, tmp_path: Path) -> None:
    rows = [row([ASKED]), row([ASKED]) | {"chosen": [AS_TEXT]}]
    data, out = write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o.parquet"
    curate.score(data, out, policy=str(demo_models / "policy"), chat_template=template)
    assert pl.read_parquet(out).height == 1
    assert "a response calls a tool" in pl.read_parquet(tmp_path / "o.rejects.parquet")["reason"][0]


def test_a_selection_by_prompt_tells_tools_apart(demo_models: Path, template: Path, tmp_path: Path) -> None:
    rows = [row([ASKED], tools=[WEATHER]), row([ASKED])]
    data, scored = write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "s.parquet"
    curate.score(data, scored, policy=str(demo_models / "policy"), chat_template=template, tokenizer="words")
    assert curate.select(scored, tmp_path / "k.parquet", by="edit_distance", top="100%", one_per_prompt=True).kept == 2
