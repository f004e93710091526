"""Pairs in forms that few data sets use, each read where it can mean only one thing; the others are refused."""

import json

import pytest

from tests.readers.known.tables import ASKED, BAD, GOOD, REFUSED, REJECTED, USER, check, pair, say, talk

Q = {"prompt": ASKED}
AB = Q | {"response_a": GOOD, "response_b": BAD}
TWO = Q | {"responses": [GOOD, BAD]}


def gemini(role, text):
    return {"role": role, "parts": [{"text": text}]}


def sides(chosen, rejected, **others):
    return {"chosen": chosen, "rejected": rejected, **others}


def turned(answer, role="role", content="content"):
    return {role: ["user", "assistant"], content: [ASKED, answer]}


def lines(answer, before="", user="User", assistant="Assistant"):
    return f"{before}{user}: {ASKED}\n{assistant}: {answer}"


def part(text):
    return json.dumps([{"type": "text", "text": text}])


GEMINI = {
    "systemInstruction": gemini("system", "S."),
    "contents": [gemini("user", ASKED)],
    "completions": [
        {"score": 0.0, "completion": gemini("model", BAD)},
        {"score": 1.0, "completion": gemini("model", GOOD)},
    ],
}
SEEN = {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": "gs://x"}}]}]}

WORDS = {
    f"{good}/{bad}": ([Q | {good: GOOD, bad: BAD}], [pair()])
    for good, bad in (
        *(("winner", "loser"), ("win", "lose"), ("positive", "negative"), ("y_w", "y_l"), ("better", "worse")),
        *(("accept", "reject"), ("Winner Response", "Loser Response"), ("text_chosen", "text_rejected")),
        *(("good_answer", "bad_answer"), ("chosen_text", "rejected_text"), ("response_w", "response_l")),
    )
} | {
    "winner and loser are models": ([Q | {"winner": "gpt-4", "loser": "llama-13b"}] * 3, REFUSED),
    "models next to their responses": (
        [AB | {"model_a": "x", "model_b": "y", "winner": "y", "loser": "x"}],
        [pair(BAD, GOOD)],
    ),
    "words about a response": (
        [Q | {"completion": GOOD, "label": True, "good": "polite it is", "bad": "too long"}],
        REFUSED,
    ),
    "win and lose are counts": ([Q | {"response": GOOD, "win": 3, "lose": 1}], REFUSED),
    "passages of a search": ([{"query": ASKED, "positive": GOOD, "negative": BAD}], REFUSED),
    "no prompt": ([{"anchor": ASKED, "positive": GOOD, "negative": BAD}], REFUSED),
}
POSITIONS = {
    "from 0": ([TWO | {"chosen_index": c, "rejected_index": 1 - c} for c in (0, 1)], [pair(), pair(BAD, GOOD)]),
    "from 1": ([TWO | {"chosen_idx": c, "rejected_idx": 3 - c} for c in (1, 2)], [pair(), pair(BAD, GOOD)]),
    "as chosen and rejected": (
        [TWO | {"rewards": [1, 0]} | sides(c, 1 - c) for c in (0, 1)],
        [pair(r=(1.0, 0.0)), pair(BAD, GOOD, r=(0.0, 1.0))],
    ),
    "without scores": ([TWO | sides(c, 1 - c) for c in (0, 1)], [REJECTED] * 2),
    "as text without scores": ([TWO | sides(str(c), str(1 - c)) for c in (0, 1)], [REJECTED] * 2),
    "numbers that are responses": ([Q | {"responses": ["0", "1"]} | sides("1", "0")], [pair("1", "0")]),
    "of three, scored": (
        [Q | {"responses": [GOOD, "c", BAD], "rewards": [1, 2, 3], "chosen_index": 0, "rejected_index": 2}],
        [pair(r=(1.0, 3.0))],
    ),
    "outside the list": (
        [TWO | {"chosen_index": c, "rejected_index": r} for c, r in ((0, 1), (5, 1), (0, None), (1, 1))],
        [pair(), REJECTED, REJECTED, REJECTED],
    ),
    "the better of two": ([TWO | {"best_index": 1}, TWO | {"best_index": 0}], [pair(BAD, GOOD), pair()]),
    "a preference from 1": ([TWO | {"preference": 1}, TWO | {"preference": 2}], [pair(), pair(BAD, GOOD)]),
    "from 0 or from 1": ([TWO | {"preference": 1}] * 3, REFUSED),
    "0 may be a tie": ([TWO | {"preference": each} for each in (0, 1, 2)], REFUSED),
    "a flag in structs": (
        [Q | {"responses": [{"text": BAD, "chosen": False}, {"text": GOOD, "chosen": True}]}],
        [pair()],
    ),
    "sides that are there as well": (
        [Q | sides(GOOD, BAD, responses=["x", "y"], chosen_index=3, rejected_index=0)],
        [pair()],
    ),
    "a truth value on two": ([TWO | {"preference": each} for each in (True, False)], REFUSED),
    "ids of structs": (
        [
            Q
            | {"responses": [{"id": "x", "text": GOOD}, {"id": "y", "text": BAD}], "chosen_id": "y", "rejected_id": "x"}
        ],
        REFUSED,
    ),
    "a list of flags": ([TWO | {"is_chosen": [False, True]}], [pair(BAD, GOOD)]),
}
TALKS = {
    "Gemini": ([GEMINI], [pair(p=[("s", "S."), *USER], r=(1.0, 0.0))]),
    "Gemini, no labels": (
        [GEMINI | {"completions": [one | {"score": 1.0} for one in GEMINI["completions"]]}, GEMINI],
        [REJECTED, pair(p=[("s", "S."), *USER], r=(1.0, 0.0))],
    ),
    "Gemini, a file": ([GEMINI | SEEN, GEMINI], [REJECTED, pair(p=[("s", "S."), *USER], r=(1.0, 0.0))]),
    "Gemini's messages": (
        [{"contents": [gemini("user", ASKED)]} | sides(gemini("model", GOOD), gemini("model", BAD))],
        [pair()],
    ),
    "structs of lists": ([sides(turned(GOOD), turned(BAD))], [pair()]),
    "ShareGPT's": ([sides(turned(GOOD, "from", "value"), turned(BAD, "from", "value"))], [pair()]),
    "ragged structs of lists": (
        [sides({"role": ["user"], "content": [ASKED, GOOD]}, turned(BAD)), sides(turned(GOOD), turned(BAD))],
        [REJECTED, pair()],
    ),
    "User: and Assistant:": ([sides(lines(GOOD), lines(BAD))], [pair()]),
    "with a system": ([sides(lines(GOOD, "System: S.\n"), lines(BAD, "System: S.\n"))], [pair(p=[("s", "S."), *USER])]),
    "several turns": (
        [sides(lines(GOOD, "User: a\nAssistant: b\n"), lines(BAD, "User: a\nAssistant: b\n"))],
        [pair(p=[("u", "a"), ("a", "b"), *USER])],
    ),
    "### Human:": ([sides(*(lines(x, "### ", "Human", "### Assistant") for x in (GOOD, BAD)))], [pair()]),
    "lines that do not alternate": (
        [sides(lines(GOOD, "User: a\n"), lines(BAD, "User: a\n")), sides(lines(GOOD), lines(BAD))],
        [REJECTED, pair()],
    ),
    "a marker within a line": (
        [sides(lines("see User: me"), lines(BAD)), sides(lines(GOOD), lines(BAD))],
        [REJECTED, pair()],
    ),
    "all in one line": ([sides(f"USER: {ASKED} ASSISTANT: {GOOD}", f"USER: {ASKED} ASSISTANT: {BAD}")], [pair()]),
    "Vicuna's": (
        [sides(*(f"S. USER: a ASSISTANT: b</s>USER: {ASKED} ASSISTANT: {x}</s>" for x in (GOOD, BAD)))],
        [pair(p=[("s", "S."), ("u", "a"), ("a", "b"), *USER])],
    ),
    "Guanaco's": (
        [sides(*(f"### Human: a### Assistant: b### Human: {ASKED}### Assistant: {x}" for x in (GOOD, BAD)))],
        [pair(p=[("u", "a"), ("a", "b"), *USER])],
    ),
    "Human: and Assistant: in one line": ([sides(*(f"Human: {ASKED} Assistant: {x}" for x in (GOOD, BAD)))], [pair()]),
    "a system text in front": (
        [sides(*(f"S.\n\nHuman: {ASKED}\n\nAssistant: {x}" for x in (GOOD, BAD)))],
        [pair(p=[("s", "S."), *USER])],
    ),
    "in one line, a turn that may be a quotation": (
        [sides(*(f"USER: a ASSISTANT: b USER: {ASKED} ASSISTANT: {x}" for x in (GOOD, BAD)))],
        REFUSED,
    ),
    "in one line, an answer that quotes": (
        [sides(*(f"USER: {ASKED} ASSISTANT: {x}" for x in (one, BAD))) for one in ("You said USER: hi.", GOOD)],
        [REJECTED, pair()],
    ),
    "in one line, to other questions": (
        [sides(f"USER: {q} ASSISTANT: {GOOD}", f"USER: {ASKED} ASSISTANT: {BAD}") for q in ("hm?", ASKED)],
        [REJECTED, pair()],
    ),
    "dialogues in responses": (
        [Q | sides(*(f"Sure!\n\nHuman: hi\n\nAssistant: {x}" for x in (GOOD, BAD)))],
        [pair(*(f"Sure!\n\nHuman: hi\n\nAssistant: {x}" for x in (GOOD, BAD)))],
    ),
    "messages encoded twice": ([sides(*(json.dumps(json.dumps(talk(x))) for x in (GOOD, BAD)))], [pair()]),
    "parts in text": (
        [sides(*([say("user", part(ASKED)), say("assistant", part(x))] for x in (GOOD, BAD)))],
        [pair()],
    ),
    "a whole side and an answer": ([Q | sides(talk(GOOD), [say("assistant", BAD)])], [pair()]),
    "messages_a": ([{"messages_a": talk(BAD), "messages_b": talk(GOOD), "winner": "model_b"}], [pair()]),
    "a list of system parts": ([Q | sides(GOOD, BAD, system=[{"text": "S."}])], [pair(p=[("s", "S."), *USER])]),
}
VERDICTS = {
    "both won": ([AB | {"winner_a": 1, "winner_b": 1}, AB | {"winner_a": 1, "winner_b": 0}], [REJECTED, pair()]),
    "won, and a tie": (
        [AB | {"winner_model_a": 1, "winner_model_b": 0, "winner_tie": tie} for tie in (1, 0)],
        [REJECTED, pair()],
    ),
    "two verdicts": (
        [AB | {"winner": "a", "preference": other} for other in ("b", "A", "tie")],
        [REJECTED, pair(), pair()],
    ),
    "SHP's labels as text": (
        [{"history": ASKED, "human_ref_A": GOOD, "human_ref_B": BAD, "labels": label} for label in ("0", "1")],
        [pair(BAD, GOOD), pair()],
    ),
}
NUMBERS = {
    f"{one} and {other}": ([Q | sides(GOOD, BAD, score_chosen=one, score_rejected=other)], [pair(r=r)])
    for one, other, r in (
        ("1,234.5", "987", (1234.5, 987.0)),
        ("1.234,5", "0,25", (1234.5, 0.25)),
        ("1,234,567", "2", (1234567.0, 2.0)),
        # a thousand, or a little over one
        ("1,234", "2", (None, 2.0)),
        ("\u22121.5", " -2 ", (-1.5, -2.0)),
        ("8/10", "N/A", (None, None)),
    )
} | {"one struct of both": ([Q | sides(GOOD, BAD, scores={"chosen": 5, "rejected": "3"})], [pair(r=(5.0, 3.0))])}
TABLES = WORDS | POSITIONS | TALKS | VERDICTS | NUMBERS


@pytest.mark.parametrize("name", TABLES)
def test_table(name):
    rows, expected = TABLES[name]
    check(rows, expected)


@pytest.mark.parametrize("score", [1.0, 2.0])
def test_structs_with_scores_stay_candidates(score):
    rows = [Q | {"answers": [{"text": GOOD, "selected": True, "pm_score": score}, {"text": BAD, "selected": False}]}]
    check(rows, [(USER, (GOOD, BAD), (score, None))])
