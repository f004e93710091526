import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate
from curate.responses.text_flags import has_markup, text_flags
from curate.schema import FLAG_MEANINGS, Record
from tests.commands.helpers import read_manifest, rows_of, run_pair, run_score, write_jsonl
from tests.commands.terminal import Terminal

ASKED = {"role": "user", "content": "Name one river of France."}
TOLD = {"role": "assistant", "content": "Which part of it?"}
RULES = {"role": "system", "content": "Be brief."}
LONG = "Name one river of France. The Loire."


def flags(prompt, chosen="The Loire.", rejected="The Seine."):
    return text_flags(Record(tuple(prompt), (chosen, rejected), (0, 1)))


@pytest.mark.parametrize(
    ("prompt", "responses", "expected"),
    [
        ([ASKED], ("a", "b"), []),
        ([RULES, ASKED, TOLD, ASKED], ("a", "b"), []),
        ([ASKED, TOLD], ("a", "b"), ["not_after_user"]),
        ([RULES], ("a", "b"), ["not_after_user"]),
        ([ASKED, ASKED], ("a", "b"), ["user_twice"]),
        ([ASKED, ASKED, TOLD], ("a", "b"), ["not_after_user", "user_twice"]),
        ([ASKED, TOLD, TOLD, ASKED], ("a", "b"), []),
        ([ASKED], (LONG, "b"), ["repeats_prompt"]),
        ([ASKED], ("b", " \n" + LONG), ["repeats_prompt"]),
        ([{"role": "user", "content": "Hi there"}], ("Hi there, you", "b"), []),
        ([ASKED], ("x <|im_end|>", "b"), ["template_markup"]),
        ([RULES, {"role": "user", "content": "[INST] hm [/INST]"}], ("a", "b"), ["template_markup"]),
        ([ASKED], ("same", "same"), ["identical"]),
        ([ASKED], (" ", "I'm sorry, no."), ["empty", "refusal"]),
    ],
)
def test_flags_of_a_pair(prompt, responses, expected):
    assert flags(prompt, *responses) == expected
    assert set(expected) <= set(FLAG_MEANINGS)


@pytest.mark.parametrize(
    "text",
    [
        "<|im_start|>user",
        "a<|eot_id|>",
        "<|start_header_id|>",
        "<|user|>\nhi",
        "<|endoftext|>",
        "[INST] a",
        "a [/INST]",
        "<<SYS>>",
        "<start_of_turn>model",
        "<end_of_turn>",
        "the end.</s>",
        "<\uff5cUser\uff5c>",
        "<extra_id_1>Assistant",
    ],
)
def test_markers_of_known_templates(text):
    assert has_markup(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a < b | c > d",
        "x <| f |> y",
        "array[INSTANCE]",
        "<s>no</s> yes",
        "<p>[1]</p>",
        "if (a <|| b)",
        "List<String>",
        "[inst]",
    ],
)
def test_what_only_looks_like_markup(text):
    assert not has_markup(text)


@given(st.text("<>|[]/ab_SI", max_size=12), st.text("ab <", max_size=5), st.text("ab >", max_size=5))
def test_markup_is_found_wherever_it_stands(text, before, after):
    if has_markup(text) and "</s>" not in text:
        assert has_markup(before + text + after)


def test_of_candidates_every_response_counts():
    record = Record((ASKED,), ("a", " ", "b</s>"), None)
    assert text_flags(record) == ["empty", "template_markup"]
    assert text_flags(Record((ASKED,), ("same", "same"), None)) == []


PAIRS = [
    {"prompt": [ASKED], "chosen": LONG, "rejected": "The Seine."},
    {"prompt": [ASKED, {"role": "user", "content": "Any."}], "chosen": "The Loire.", "rejected": "<|im_end|>"},
    {"prompt": [ASKED, TOLD, ASKED], "chosen": "The Loire.", "rejected": "The Seine."},
]
COUNTS = {"repeats_prompt": 1, "user_twice": 1, "template_markup": 1}


def test_pairs_carry_them_and_summaries_count_them(tmp_path, monkeypatch, capsys):
    data = write_jsonl(tmp_path / "d.jsonl", PAIRS)
    result = run_score(data, tmp_path / "o.parquet")
    assert [row["flags"] for row in rows_of(result.out)] == [["repeats_prompt"], ["user_twice", "template_markup"], []]
    assert result.flags == read_manifest(result.out)["flags"] == COUNTS
    assert curate.inspect(data).flags == COUNTS
    _, out, _ = Terminal(monkeypatch, capsys)("inspect", data)
    assert "repeats_prompt 1" in out and "user_twice 1" in out


def test_candidates_are_counted_and_their_pairs_carry_them(tmp_path, monkeypatch, capsys):
    rows = [{**{k: v for k, v in row.items() if k == "prompt"}} for row in PAIRS]
    texts = [[row["chosen"], row["rejected"], "None."] for row in PAIRS]
    data = write_jsonl(
        tmp_path / "c.jsonl",
        [row | {"responses": t, "rewards": [2.0, 1.0, 1.5]} for row, t in zip(rows, texts, strict=True)],
    )
    scored = run_score(data, tmp_path / "o.parquet")
    assert scored.flags == read_manifest(scored.out)["flags"] == COUNTS
    result = run_pair(data, tmp_path / "p.parquet", strategy="max-min")
    assert [set(row["flags"]) for row in rows_of(result.out)] == [
        {"repeats_prompt"},
        {"user_twice", "template_markup"},
        set(),
    ]
    assert result.flags == COUNTS
    _, out, _ = Terminal(monkeypatch, capsys)("pair", data, "--strategy", "max-min", "-o", tmp_path / "q.parquet")
    assert "flags: " in out and "user_twice 1" in out
    assert json.loads(json.dumps(result.flags)) == COUNTS
