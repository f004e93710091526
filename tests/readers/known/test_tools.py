"""Rows that offer tools or call them, as published data sets and trainers arrange them."""

import json

import pytest

from curate.errors import InputError, RowError
from curate.readers import detect
from tests.readers.known.tables import ASKED, BAD, GOOD, REFUSED, REJECTED, say

FUNCTION = {"name": "look_up", "description": "Looks a word up.", "parameters": {"type": "object", "properties": {}}}
TOOL = {"type": "function", "function": FUNCTION}
CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"word": "sky"}'}}
NAMED = {"name": "look_up", "arguments": {"word": "sky"}}
CALLED = json.dumps([NAMED])
"""The text of a response that makes this call."""
USER, RESULT = say("user", ASKED), {"role": "tool", "tool_call_id": "c1", "content": "blue"}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
OLD_CALLING = {"role": "assistant", "content": None, "function_call": CALL["function"]}
FILLED = {"role": "user", "content": ASKED, "tool_calls": None, "tool_call_id": None, "name": None}
WHOLE, SHORT = json.dumps([TOOL]), json.dumps([FUNCTION])
OPENAI = {"messages": [USER], "tools": [TOOL], "parallel_tool_calls": True}


def spoken(*turns):
    return [{"from": who, "value": said} for who, said in turns]


def sides(chosen, rejected, **others):
    return {"chosen": chosen, "rejected": rejected, **others}


def answers(chosen=GOOD, rejected=BAD, **others):
    return sides([say("assistant", chosen)], [say("assistant", rejected)], **others)


def row(tools=WHOLE, before=(), chosen=GOOD, rejected=BAD, calls=()):
    """An expected pair: its tools, the turns between the question and the answer, both texts, and who of them calls."""
    return tools, list(before), chosen, rejected, list(calls)


LOOKED_UP = (("assistant", "", [NAMED]), ("tool", "blue", []))
CALL_TEXT = '{"name": "look_up", "arguments": {"word": "sky"}}'
TABLES = {
    "TRL": ([answers(prompt=[USER], tools=[TOOL])], [row()]),
    "TRL, in JSON": ([answers(prompt=[USER], tools=WHOLE)], [row()]),
    "TRL, each tool in JSON": ([answers(prompt=[USER], tools=[json.dumps(TOOL)])], [row()]),
    "TRL, filled by Arrow": ([answers(prompt=[FILLED], tools=[TOOL | {"strict": None}])], [row()]),
    "TRL, none": ([answers(prompt=[USER], tools=none) for none in (None, [], "[]", "null")], [row(None)] * 4),
    "TRL, a call": ([sides([CALLING], [say("assistant", BAD)], prompt=[USER])], [row(None, (), CALLED, BAD, [0])]),
    "messages in JSON, each": (
        [sides([json.dumps(USER), json.dumps(CALLING)], [json.dumps(USER), json.dumps(say("assistant", BAD))])],
        [row(None, (), CALLED, BAD, [0])],
    ),
    "both call": (
        [sides([USER, CALLING], [USER, CALLING | {"content": "Hm."}], tools=[TOOL])],
        [row(WHOLE, (), CALLED, f"Hm.\n{CALLED}", [0, 1])],
    ),
    "a result before the answer": (
        [sides([USER, CALLING, RESULT, say("assistant", GOOD)], [USER, CALLING, RESULT, say("assistant", BAD)])],
        [row(None, LOOKED_UP)],
    ),
    "OpenAI's functions": (
        [answers(prompt=[USER, OLD_CALLING, say("function", "blue")], functions=[FUNCTION])],
        [row(SHORT, LOOKED_UP)],
    ),
    "OpenAI's preferences": (
        [
            {
                "input": OPENAI,
                "preferred_output": [say("assistant", GOOD)],
                "non_preferred_output": [say("assistant", BAD)],
            }
        ],
        [row()],
    ),
    "OpenAI's preferences, a call": (
        [{"input": OPENAI, "preferred_output": [CALLING], "non_preferred_output": [say("assistant", BAD)]}],
        [row(WHOLE, (), CALLED, BAD, [0])],
    ),
    "OpenAI's preferences, the other calls": (
        [{"input": OPENAI, "preferred_output": [say("assistant", GOOD)], "non_preferred_output": [CALLING]}],
        [row(WHOLE, (), GOOD, CALLED, [1])],
    ),
    "LLaMA-Factory": (
        [
            sides(
                *spoken(("gpt", GOOD), ("gpt", BAD)),
                conversations=spoken(("human", ASKED), ("function_call", CALL_TEXT), ("observation", "blue")),
                tools=SHORT,
            )
        ],
        [row(SHORT, LOOKED_UP)],
    ),
    "LLaMA-Factory, a call": (
        [
            sides(
                *spoken(("function_call", CALL_TEXT), ("gpt", BAD)),
                conversations=spoken(("human", ASKED)),
                tools=SHORT,
            )
        ],
        [row(SHORT, (), CALLED, BAD, [0])],
    ),
    "ms-swift": (
        [
            {
                "tools": WHOLE,
                "messages": [USER, say("tool_call", CALL_TEXT), say("tool_response", "blue"), say("assistant", GOOD)],
                "rejected_response": BAD,
            }
        ],
        [row(WHOLE, LOOKED_UP)],
    ),
    "ms-swift, a call": (
        [{"messages": [USER, say("tool_call", CALL_TEXT)], "rejected_messages": [USER, say("assistant", BAD)]}],
        [row(None, (), CALLED, BAD, [0])],
    ),
    "When2Call": (
        [{"messages": [USER], "tools": [SHORT[1:-1]]} | sides(say("assistant", "<TOOLCALL>[]"), say("assistant", BAD))],
        [row(SHORT, (), "<TOOLCALL>[]", BAD)],
    ),
    "Hermes": (
        [
            sides(
                spoken(("human", ASKED), ("gpt", f"<tool_call>\n{CALL_TEXT}\n</tool_call>")),
                spoken(("human", ASKED), ("gpt", BAD)),
                tools=SHORT,
            )
        ],
        [row(SHORT, (), f"<tool_call>\n{CALL_TEXT}\n</tool_call>")],
    ),
    "xLAM": ([sides(CALLED, "[]", query=ASKED, tools=SHORT)], [row(SHORT, (), CALLED, "[]")]),
    "distilabel": (
        [{"instruction": ASKED, "generations": [GOOD, BAD], "ratings": [5, 1], "tools": [TOOL]}],
        [row()],
    ),
    "an arena": (
        [{"prompt": ASKED, "response_a": BAD, "response_b": GOOD, "winner": "b", "tools": WHOLE}],
        [row()],
    ),
    "responses in a list, one of which calls": (
        [{"prompt": ASKED, "responses": [one, say("assistant", BAD)]} for one in (CALLING, say("assistant", GOOD))],
        [REJECTED, row(None)],
    ),
    "sides of several turns": (
        [sides([CALLING, RESULT, say("assistant", GOOD)], [say("assistant", BAD)], prompt=[USER])],
        [REJECTED],
    ),
    "other tools in two places": (
        [answers(prompt={"messages": [USER], "tools": [TOOL]}, tools=[FUNCTION])],
        [REJECTED],
    ),
    "tools that are no list": ([answers(prompt=[USER], tools="look_up, calculate")], [REJECTED]),
    "arguments that are not JSON": (
        [
            sides(
                [CALLING | {"tool_calls": [{"function": {"name": "f", "arguments": "word=sky"}}]}],
                [say("assistant", BAD)],
            )
            | {"prompt": [USER]}
        ],
        [REJECTED],
    ),
    "Llama's parameters": (
        [
            sides(
                [CALLING | {"tool_calls": [{"name": "look_up", "parameters": {"word": "sky"}}]}],
                [say("assistant", BAD)],
                prompt=ASKED,
            )
        ],
        [row(None, (), CALLED, BAD, [0])],
    ),
    "an argument that is empty": (
        [
            sides(
                [CALLING | {"tool_calls": [{"name": "look_up", "arguments": {"word": "", "n": 0, "all": False}}]}],
                [say("assistant", BAD)],
                prompt=ASKED,
            )
        ],
        [row(None, (), '[{"name": "look_up", "arguments": {"word": "", "n": 0, "all": false}}]', BAD, [0])],
    ),
    "a call without arguments": (
        [sides([CALLING | {"tool_calls": [{"name": "look_up"}]}], [say("assistant", BAD)], prompt=ASKED)],
        [row(None, (), '[{"name": "look_up", "arguments": {}}]', BAD, [0])],
    ),
    "a call with something else": (
        [
            sides(
                [CALLING | {"tool_calls": [{"name": "look_up", "kwargs": {"word": "sky"}}]}],
                [say("assistant", BAD)],
                prompt=ASKED,
            )
        ],
        [REJECTED],
    ),
    "tools in the system message": (
        [
            answers(prompt=[say("system", "S.") | {"functions": SHORT}, USER]),
            answers(prompt=[USER | {"tools": [TOOL]}]),
        ],
        [REJECTED, REJECTED],
    ),
    "Olmo's function_calls": (
        [
            sides(
                [say("assistant", "") | {"function_calls": "look_up(word='sky')"}],
                [say("assistant", BAD)],
                prompt=ASKED,
            )
        ],
        [REJECTED],
    ),
    "Anthropic's tool_use": (
        [
            answers(
                chosen=[{"type": "text", "text": "Hm."}, {"type": "tool_use", "name": "f", "input": {}}], prompt=ASKED
            )
        ],
        [REJECTED],
    ),
    "the user calls": ([answers(prompt=[USER | {"tool_calls": [CALL]}])], [REJECTED]),
    "Glaive": (
        [
            {
                "system": "S.",
                "chat": f"USER: {ASKED}\n\n\nASSISTANT: {GOOD} <|endoftext|>",
                "chosen": GOOD,
                "rejected": BAD,
            }
        ],
        REFUSED,
    ),
    "xLAM without sides": ([{"query": ASKED, "tools": SHORT, "answers": CALLED}], REFUSED),
    "HelpSteer3's edits": ([{"context": [USER], "original_response": BAD, "edited_response": GOOD}], REFUSED),
}


def read(layout, given):
    try:
        record = layout.parse(given)
    except RowError:
        return REJECTED
    first, *turns = record.prompt
    tools = first["content"] if first["role"] == "tools" else None
    question, *between = turns if tools else record.prompt
    assert question == USER
    said = [
        (one["role"], one["content"], [call["function"] for call in json.loads(one.get("tool_calls", "[]"))])
        for one in between
    ]
    chosen, rejected = record.pair or (0, 1)
    calling = [side for side, place in enumerate((chosen, rejected)) if record.calls_of(place)]
    return tools, said, record.responses[chosen], record.responses[rejected], calling


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_read(name):
    rows, expected = TABLES[name]
    try:
        layout = detect(rows, "pairs", tools=True)
    except InputError:
        assert expected == REFUSED
        return
    assert [read(layout, one) for one in rows] == expected
