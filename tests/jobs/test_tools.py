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


def expected(folder: Path, messages: list[Any], tools: list[Any] | None, answer: str | dict[str, Any]) -> float:
    """What transformers says of the answer, in a batch of one, with the tools given to its own template."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    how: dict[str, Any] = {"tools": tools, "chat_template": TEMPLATE, "tokenize": False}
    answered = [*messages, {"role": "assistant", "content": answer} if isinstance(answer, str) else answer]
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


CALLING = {"role": "assistant", "content": "", "tool_calls": [CALL]}
SAYING = {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL, CALL]}
NO_IDEA = {"role": "assistant", "content": "No idea."}
TEXT_OF_CALL = '[{"name": "weather", "arguments": {"city": "Paris"}}]'


def test_calls_in_responses_are_scored_as_the_template_writes_them(
    demo_models: Path, template: Path, tmp_path: Path
) -> None:
    policy = demo_models / "policy"
    pairs = [(CALLING, NO_IDEA), (SAYING, CALLING), (NO_IDEA, AS_TEXT)]
    rows = [{"prompt": [ASKED], "chosen": [one], "rejected": [other], "tools": [WEATHER]} for one, other in pairs]
    data, out = write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o.parquet"
    curate.score(data, out, policy=str(policy), chat_template=template, tokenizer="words", add_flags=["duplicate"])
    found = pl.read_parquet(out)
    for place, (one, other) in enumerate([*pairs[:2], (NO_IDEA, CALLING)]):
        for side, answer in (("chosen", one), ("rejected", other)):
            wanted = expected(policy, [ASKED], [WEATHER], answer)
            assert found[f"policy_{side}_logps"][place] == pytest.approx(wanted, abs=1e-3)
    # 25 words and marks in the text of the call, none of which the other side has
    assert found["edit_distance"][0] == 25
    assert found["flags"].to_list() == [[]] * 3
    shown = next(pair for pair in curate.show(out, number=3).pairs if pair.row == 2)
    assert "".join(text for _, text in shown.chosen) == f"Let me look.\n{TEXT_OF_CALL[:-1]}, {TEXT_OF_CALL[1:]}"


def test_a_call_and_its_text_are_different_responses(demo_models: Path, template: Path, tmp_path: Path) -> None:
    said = {"role": "assistant", "content": TEXT_OF_CALL}
    rows = [{"prompt": [ASKED], "chosen": [one], "rejected": [NO_IDEA]} for one in (CALLING, said)]
    data, out = write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o.parquet"
    curate.score(data, out, policy=str(demo_models / "policy"), chat_template=template, tokenizer="words")
    found = pl.read_parquet(out)
    assert found["pair_id"].n_unique() == found["policy_chosen_logps"].n_unique() == 2
    assert found["policy_rejected_logps"].n_unique() == found["edit_distance"].n_unique() == 1


def test_the_output_has_a_place_for_tools_where_the_input_names_them_otherwise(
    demo_models: Path, template: Path, tmp_path: Path
) -> None:
    """OpenAI's preference form: the tools are in `input`, which a table of pairs does not have."""
    policy = str(demo_models / "policy")
    data = write_jsonl(tmp_path / "d.jsonl", [OPENAI, OPENAI | {"preferred_output": [CALLING]}])
    out, again = tmp_path / "o.parquet", tmp_path / "a.parquet"
    curate.score(data, out, policy=policy, chat_template=template, tokenizer="words")
    found = pl.read_parquet(out)
    assert found["tools"].to_list() == [json.dumps([WEATHER])] * 2
    for place, answer in ((0, "It is 18 degrees."), (1, CALLING)):
        wanted = expected(demo_models / "policy", [ASKED], [WEATHER], answer)
        assert found["policy_chosen_logps"][place] == pytest.approx(wanted, abs=1e-3)
    curate.score(out, again, policy=policy, chat_template=template, tokenizer="words")
    numbers = ["pair_id", "policy_chosen_logps", "policy_rejected_logps", "edit_distance"]
    assert pl.read_parquet(again)[numbers].equals(found[numbers])
    kept = curate.select(out, tmp_path / "k.parquet", by="edit_distance", top="100%", one_per_prompt=True)
    assert kept.kept == 1  # the two pairs have one prompt


@pytest.mark.parametrize("to", ["trl", "trl-reward"])
def test_an_export_is_scored_and_shown_as_the_pairs_it_was_made_from(
    demo_models: Path, template: Path, tmp_path: Path, to: str
) -> None:
    rows = [
        {"prompt": prompt, "chosen": [one], "rejected": [NO_IDEA], "chosen_reward": 1, "rejected_reward": 0}
        | {"tools": tools}
        for prompt, one, tools in (([ASKED], CALLING, [WEATHER]), (CALLED, SAYING, None))
    ]
    data, out, again = write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o.parquet", tmp_path / "a.parquet"
    how: dict[str, Any] = {"policy": str(demo_models / "policy"), "chat_template": template, "tokenizer": "words"}
    curate.score(data, out, **how)
    curate.export(out, tmp_path / "e", to=to)
    curate.score(tmp_path / "e", again, **how)
    numbers = ["pair_id", "policy_chosen_logps", "policy_rejected_logps", "edit_distance"]
    assert pl.read_parquet(again)[numbers].equals(pl.read_parquet(out)[numbers])
    first = next(pair for pair in curate.show(again).pairs if pair.row == 1)
    assert "".join(text for _, text in first.chosen) == TEXT_OF_CALL
    assert "weather" in curate.report(again, tmp_path / "r.html").out.read_text()
    curate.export(again, tmp_path / "f", to=to)
    assert pl.read_parquet(tmp_path / "f" / "train.parquet").height == 2


def test_pairs_of_candidates_keep_the_tools_of_their_prompt(demo_models: Path, template: Path, tmp_path: Path) -> None:
    policy = str(demo_models / "policy")
    rows = [
        {
            "prompt": prompt,
            "responses": ["18 degrees.", "No.", "Rain."],
            "rewards": [3, 1, 2],
            "tools": tools,
        }
        for prompt, tools in ((CALLED, [WEATHER]), ([ASKED], None))
    ]
    data, scored, out = write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "s.parquet", tmp_path / "p.parquet"
    curate.score(data, scored, policy=policy, chat_template=template, tokenizer="words")
    curate.pair(scored, out, strategy="max-min", tokenizer="words")
    found = pl.read_parquet(out)
    assert found["tools"].to_list() == [json.dumps([WEATHER]), None]
    rescored = tmp_path / "r.parquet"
    curate.score(out, rescored, policy=policy, chat_template=template, tokenizer="words")
    assert pl.read_parquet(rescored)["pair_id"].to_list() == found["pair_id"].to_list()
    logps = pl.read_parquet(scored)["policy_logps"]
    assert pl.read_parquet(rescored)["policy_chosen_logps"].to_list() == pytest.approx([one[0] for one in logps])


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
        curate.generate(data, out, policy="fake:1")


def test_a_response_that_calls_a_tool_is_bad_where_no_model_reads_it(tmp_path: Path) -> None:
    rows = [row([ASKED]), row([ASKED]) | {"chosen": [AS_TEXT]}]
    data, out = write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o.parquet"
    curate.score(data, out, policy="fake:1")
    assert pl.read_parquet(out).height == 1
    assert "a response calls a tool" in pl.read_parquet(tmp_path / "o.rejects.parquet")["reason"][0]


def test_a_selection_by_prompt_tells_tools_apart(demo_models: Path, template: Path, tmp_path: Path) -> None:
    rows = [row([ASKED], tools=[WEATHER]), row([ASKED])]
    data, scored = write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "s.parquet"
    curate.score(data, scored, policy=str(demo_models / "policy"), chat_template=template, tokenizer="words")
    assert curate.select(scored, tmp_path / "k.parquet", by="edit_distance", top="100%", one_per_prompt=True).kept == 2
