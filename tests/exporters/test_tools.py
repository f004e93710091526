"""Tools, and calls of them, in exports: written where a trainer reads them, and refused with the reason elsewhere."""

import json
from types import SimpleNamespace
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from trl import DPOTrainer

from curate.errors import InputError
from curate.readers import detect, first_rows, open_source
from curate.tokens import HubTokenizer
from curate.tokens.tools import separated
from tests.chat import save_tokenizer
from tests.exporters.golden import FORMATS, rows, run_export, says, write
from tests.jobs.test_tools import TEMPLATE

READS = ("trl", "trl-reward", "kto", "llamafactory", "ms-swift")
ASKED = says("user", "Weather in Paris?")
TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"x": {}}}}},
    {"type": "function", "function": {"name": "time", "parameters": {}}},
]
CALL = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Paris", "days": [1, 2]}}}
OTHER = {"id": "2", "type": "function", "function": {"name": "time", "arguments": {"zone": None, "at": "«猫»"}}}
"""The null is what the model wrote: this call's arguments are text in the data, as OpenAI writes them."""
AS_TEXT = OTHER | {"function": {"name": "time", "arguments": json.dumps(OTHER["function"]["arguments"])}}
CALLING, RESULT = says("assistant", "") | {"tool_calls": [CALL]}, says("tool", "18 degrees") | {"tool_call_id": "1"}
GOOD, BAD = says("assistant", "It is 18 degrees."), says("assistant", "No idea.")


def offering(prompt: list[Any], chosen: Any = GOOD, rejected: Any = BAD, tools: Any = TOOLS) -> dict[str, Any]:
    return {
        **{"prompt": prompt, "chosen": [chosen], "rejected": [rejected], "tools": tools},
        **{"chosen_reward": 2.0, "rejected_reward": 1.0},
    }


IN_PROMPTS = [offering([ASKED]), offering([ASKED, CALLING, RESULT]), offering([ASKED], tools=None)]
IN_RESPONSES = [
    offering([ASKED], CALLING, BAD),
    offering([ASKED], says("assistant", "Let me look.") | {"tool_calls": [CALL, AS_TEXT]}, CALLING),
]


def records(path: Any) -> list[tuple[Any, ...]]:
    """The pairs of a file or folder, without the ids of calls and the names of tools that only some formats have."""
    sample = first_rows(open_source([str(path)]))
    layout = detect(sample, "pairs", tools=True)
    found = []
    for row in sample:
        record = layout.parse(row)
        turns, tools = separated(record.prompt)
        calls = [[call["function"] for call in json.loads(one)] if one else [] for one in record.calls]
        plain = [(one["role"], one["content"], [c["function"] for c in one.get("tool_calls", [])]) for one in turns]
        found.append((plain, tools, record.responses, any(calls) and calls))
    return found


@pytest.mark.parametrize("to", [name for name in READS if name != "kto"])
def test_pairs_with_tools_are_read_again(to, tmp_path):
    data = write(tmp_path / "d.jsonl", [*IN_PROMPTS, *(IN_RESPONSES[:1] if to == "llamafactory" else [])])
    data = data if to in ("llamafactory", "ms-swift") else write(tmp_path / "d.jsonl", [*IN_PROMPTS, *IN_RESPONSES])
    result = run_export(data, tmp_path / "out", to)
    assert result.rejected == {}
    assert records(result.out) == records(data)


def test_the_rows_that_trl_loads_hold_nothing_but_what_was_said(tmp_path):
    """A struct would fill the arguments of each call with nulls for those of the others, and a template writes them."""
    data = write(tmp_path / "d.jsonl", [*IN_PROMPTS, *IN_RESPONSES])
    out = run_export(data, tmp_path / "out", "trl").out
    made = list(load_dataset("parquet", data_files=str(out / "train.parquet"), split="train"))
    wanted = [
        {name: row[name] for name in ("prompt", "chosen", "rejected")}
        | {"tools": json.dumps(row["tools"], ensure_ascii=False) if row["tools"] else None}
        for row in [*IN_PROMPTS, *IN_RESPONSES]
    ]
    wanted[4]["chosen"] = [wanted[4]["chosen"][0] | {"tool_calls": [CALL, OTHER]}]
    assert made == wanted


def test_trl_tokenizes_what_its_template_makes_of_tools(tmp_path):
    data = write(tmp_path / "d.jsonl", [*IN_PROMPTS, *IN_RESPONSES])
    out = run_export(data, tmp_path / "out", "trl").out
    made = load_dataset("parquet", data_files=str(out / "train.parquet"), split="train")
    tokenizer = HubTokenizer(save_tokenizer(tmp_path / "t", TEMPLATE, []))
    args = SimpleNamespace(dataset_num_proc=None, max_length=None, truncation_mode="keep_start")
    own = tokenizer._tokenizer
    ready = list(DPOTrainer._prepare_dataset(SimpleNamespace(_tokenizer=own), made, own, args, "train"))
    layout = detect(sample := first_rows(open_source([str(data)])), "pairs", tools=True)
    for row, given in zip(ready, sample, strict=True):
        prompt = layout.parse(given).prompt
        turns, tools = separated(prompt)
        for side in ("chosen", "rejected"):
            text = own.apply_chat_template([*turns, *_decoded(given[side])], tools=tools, tokenize=False)
            assert row["prompt_ids"] + row[f"{side}_ids"] == own(text, add_special_tokens=False)["input_ids"]


def _decoded(messages: Any) -> Any:
    """Messages as a template wants them: their calls with arguments that are mappings."""
    found = json.loads(messages) if isinstance(messages, str) else messages
    for call in (call for one in found for call in one.get("tool_calls") or []):
        if isinstance(call["function"]["arguments"], str):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return found


def test_llamafactory_is_told_of_the_column(tmp_path):
    data = write(tmp_path / "d.jsonl", [*IN_PROMPTS, IN_RESPONSES[0]])
    out = run_export(data, tmp_path / "out", "llamafactory").out
    info = json.loads((out / "dataset_info.json").read_text())
    assert info["curate_pairs"]["columns"]["tools"] == "tools"
    made = pq.read_table(out / "train.parquet").to_pylist()
    assert [row["tools"] for row in made] == [json.dumps(TOOLS)] * 2 + ["", json.dumps(TOOLS)]
    call = '[{"name": "weather", "arguments": {"city": "Paris", "days": [1, 2]}}]'
    assert made[1]["conversations"][1:] == [
        {"from": "function_call", "value": call},
        {"from": "observation", "value": "18 degrees"},
    ]
    assert made[3]["chosen"] == {"from": "function_call", "value": call}
    assert made[3]["rejected"] == {"from": "gpt", "value": "No idea."}


def test_ms_swift_has_a_turn_for_each_call(tmp_path):
    made = pq.read_table(
        run_export(write(tmp_path / "d.jsonl", IN_PROMPTS), tmp_path / "out", "ms-swift").out / "train.parquet"
    )
    assert made["tools"].to_pylist() == [json.dumps(TOOLS)] * 2 + [None]
    assert made["messages"].to_pylist()[1] == [
        ASKED,
        says("tool_call", '{"name": "weather", "arguments": {"city": "Paris", "days": [1, 2]}}'),
        says("tool_response", "18 degrees"),
        GOOD,
    ]


@pytest.mark.parametrize("to", FORMATS)
def test_other_trainers_get_no_row_whose_tools_they_would_lose(to, tmp_path):
    data = write(tmp_path / "d.jsonl", [*rows(), *IN_PROMPTS[:2], IN_RESPONSES[0]])
    result = run_export(data, tmp_path / "out", to)
    reasons = {} if result.rejects is None else pl.read_parquet(result.rejects)["reason"].to_list()
    if to == "ms-swift":
        assert list(reasons) == ["ms-swift takes the rejected response as a text, so no response can call a tool"]
    elif to in READS:
        assert not reasons and "tools" in result.columns
    else:
        said = ("the prompt has tools", "the prompt has tools", "the prompt has tools")
        assert list(reasons) == [f"{one}, which {to} does not read from its data" for one in said]
        assert "tools" not in result.columns


def test_data_that_has_nothing_but_tools_is_an_error_with_the_reason(tmp_path):
    data = write(tmp_path / "d.jsonl", IN_PROMPTS[:2])
    with pytest.raises(InputError, match="the prompt has tools, which verl does not read"):
        run_export(data, tmp_path / "out", "verl")
