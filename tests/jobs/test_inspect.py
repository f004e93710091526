import json
import random
import sys

import pytest

import curate
from curate.errors import InputError, MissingExtra, SettingsError
from curate.hygiene.flags import NAMES
from curate.jobs.inspect import InspectSettings, inspect
from curate.progress import Silent
from curate.schema import FLAG_MEANINGS
from curate.settings import make
from tests.commands.helpers import candidate_rows, pair_rows, write_jsonl
from tests.commands.terminal import Terminal


def run(data, **more):
    return inspect(make(InspectSettings, {"data": (str(data),), **more}), Silent())


def row(prompt, chosen, rejected, **more):
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, **more}


@pytest.fixture
def quick(monkeypatch):
    """Languages without lingua's models, which take seconds to open."""

    class Mute:
        def detect_languages_in_parallel_of(self, texts):
            return [None] * len(texts)

    monkeypatch.setattr("curate.hygiene.language._detector", lambda among: Mute())


def test_the_ruler_counts_words_of_pairs_that_are_not_ties(tmp_path):
    rows = [
        row("p", "a b c", "a"),
        row("p", "a b", "c d"),
        row("p", "a", "b c"),
        row("p", "a b c d", "b c"),
        row("p", "a", "b c d e f", winner="tie"),
    ]
    ruler = run(write_jsonl(tmp_path / "d.jsonl", rows[:4])).length
    # of 3 pairs whose lengths differ, the longer one wins 2; means (3 + 2 + 1 + 4) / 4 and (1 + 2 + 2 + 2) / 4
    assert (ruler.pairs, ruler.longer_wins, ruler.chosen, ruler.rejected) == (3, pytest.approx(2 / 3), 2.5, 1.75)
    # each pair in both orders: how often d_i > -d_j, equality counting half
    differences = [2, 0, -1, 2]
    wins = sum((a > -b) + 0.5 * (a == -b) for a in differences for b in differences)
    assert ruler.auc == pytest.approx(wins / 16)


def test_a_pair_with_one_of_its_two_rewards_has_no_reward(tmp_path):
    scores = [(2.0, 1.0), (None, 1.0), (2.0, None), (None, None), (1.0, 1.0)]
    rows = [row(f"p {i}", "a", "b", score_chosen=one, score_rejected=two) for i, (one, two) in enumerate(scores)]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    found = run(data).flags
    assert (found["no_reward"], found["tie"]) == (3, 1)
    scored = curate.score(data).flags
    assert {name: scored[name] for name in ("no_reward", "tie")} == {"no_reward": 3, "tie": 1}


@pytest.mark.parametrize(("chosen", "rejected", "auc"), [("a b", "a", 1.0), ("a", "a b", 0.0), ("a", "b", 0.5)])
def test_the_ends_of_the_ruler(tmp_path, chosen, rejected, auc):
    ruler = run(write_jsonl(tmp_path / "d.jsonl", [row(f"p {i}", chosen, rejected) for i in range(3)])).length
    assert ruler.auc == auc
    assert ruler.longer_wins == (None if auc == 0.5 else auc)


def test_candidates_have_no_ruler_and_no_examples(tmp_path):
    found = run(write_jsonl(tmp_path / "d.jsonl", candidate_rows()))
    assert found.length is None and found.examples == []


def test_problems_come_by_severity_then_by_number_with_their_first_rows(tmp_path):
    rows = [row(f"p {i}", "I'm sorry, no.", "b") for i in range(5)]
    rows += [row("q", "same", "same"), row("r", "", "b"), row("s", "", "b")]
    found = run(write_jsonl(tmp_path / "d.jsonl", rows)).problems
    assert [(one.severity, one.name, one.rows) for one in found] == [
        ("high", "empty", 2),
        ("high", "identical", 1),
        ("medium", "refusal", 5),
    ]
    assert found[2].places == ["d.jsonl:1", "d.jsonl:2", "d.jsonl:3"]
    assert found[2].meaning == FLAG_MEANINGS["refusal"]


def test_examples_do_not_depend_on_the_order_and_are_not_identical_pairs(tmp_path):
    rows = [*pair_rows(20), row("p", "same", "same")]
    one = run(write_jsonl(tmp_path / "d.jsonl", rows), pairs=3).examples
    random.Random(0).shuffle(rows)
    other = run(write_jsonl(tmp_path / "e.jsonl", [*rows, *rows]), pairs=3).examples
    assert len(one) == 3
    assert {example.prompt[0]["content"] for example in one} == {example.prompt[0]["content"] for example in other}
    assert [example.place for example in one] == sorted((e.place for e in one), key=lambda p: int(p.split(":")[1]))
    assert run(tmp_path / "d.jsonl", pairs=0).examples == []
    assert len(run(write_jsonl(tmp_path / "f.jsonl", rows[:1]), pairs=9).examples) == 1


def test_differences_are_marked(tmp_path, monkeypatch, capsys):
    data = write_jsonl(tmp_path / "d.jsonl", [row("Why?", "It is blue today.", "It is red today.")])
    code, out, _ = Terminal(monkeypatch, capsys)("inspect", data)
    assert code == 0
    assert "It is {+blue+} today." in out and "It is [-red-] today." in out and "user: Why?" in out


def test_deep_finds_what_no_single_row_shows(tmp_path, quick):
    rows = [
        row("p", "As an AI model, yes.", "b"),
        row("P", "as an ai model,  yes.", "b"),
        "{broken",
        row("q", "a", "b"),
    ]
    found = run(write_jsonl(tmp_path / "d.jsonl", [*rows, row("q", "b", "a")]), deep=True)
    assert found.flags == {
        "refusal": 2,
        "self_identification": 2,
        "contradiction": 2,
        "duplicate_prompt": 2,
        "near_duplicate_prompt": 2,
        "duplicate": 1,
        "near_duplicate": 1,
    }
    contradiction = found.problems[0]
    assert (contradiction.name, contradiction.places) == ("contradiction", ["d.jsonl:4", "d.jsonl:5"])


def test_deep_flags_are_those_of_score(tmp_path, quick):
    data = write_jsonl(tmp_path / "d.jsonl", [*pair_rows(40), *pair_rows(9, seed=0), *pair_rows(5, seed=3)])
    scored = curate.score(data, tmp_path / "o.parquet", add_flags="all").flags
    deep = run(data, deep=True).flags
    assert deep["near_duplicate"] == 9
    assert {flag: deep.get(flag) for flag in NAMES} == {flag: scored.get(flag) for flag in NAMES}


def test_leaks_alone_need_no_deep_look(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(3))
    evaluation = write_jsonl(tmp_path / "eval.jsonl", [{"prompt": pair_rows(3)[1]["prompt"]}])
    found = run(data, decontaminate=evaluation)
    assert found.flags["leaked"] == 1
    assert next(one for one in found.problems if one.name == "leaked").places == ["d.jsonl:2"]
    with pytest.raises(InputError, match=r"none\.jsonl"):
        run(data, decontaminate=tmp_path / "none.jsonl")


def test_equal_within_a_token_limit(tmp_path, demo_models):
    ends = "the sun rises in the east and sets in the west as everybody knows"
    data = write_jsonl(tmp_path / "d.jsonl", [row("Why?", f"{ends} well", f"{ends} badly"), row("Why?", "a", "b")])
    tokenizer = str(demo_models / "policy")
    assert run(data, tokenizer=tokenizer, max_length=20).flags["identical_truncated"] == 1
    assert "identical_truncated" not in run(data, tokenizer=tokenizer, max_length=500).flags


@pytest.mark.parametrize(("more", "told"), [({"max_length": 9}, "tokenizer="), ({"tokenizer": "x"}, "max_length=N")])
def test_half_a_limit_is_refused(tmp_path, more, told):
    with pytest.raises(SettingsError, match=told):
        run(write_jsonl(tmp_path / "d.jsonl", pair_rows(3)), **more)


def test_candidates_are_compared_too(tmp_path, quick):
    rows = [*candidate_rows(4), "{broken", *candidate_rows(2, seed=1)]
    evaluation = write_jsonl(tmp_path / "eval.jsonl", [{"prompt": "p 3"}])
    found = run(write_jsonl(tmp_path / "d.jsonl", rows), deep=True, decontaminate=evaluation)
    said = {one.name: one.places for one in found.problems if one.name in (*NAMES, "leaked")}
    places = ["d.jsonl:6", "d.jsonl:7"]
    assert said == {"leaked": ["d.jsonl:4"], "duplicate_prompt": places, "near_duplicate_prompt": places}


def test_candidates_have_no_token_limit(tmp_path):
    with pytest.raises(SettingsError, match="These rows are candidates"):
        run(write_jsonl(tmp_path / "d.jsonl", candidate_rows()), tokenizer="x", max_length=9)


def test_a_missing_package_stops_before_the_data_is_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(MissingExtra, match="hygiene"):
        run(write_jsonl(tmp_path / "d.jsonl", pair_rows(3)), deep=True)


def test_json_holds_all_of_it(tmp_path, monkeypatch, capsys):
    data = write_jsonl(tmp_path / "d.jsonl", [row("Why?", "It is blue today.", ""), row("Why?", "a b c", "d")])
    _, out, _ = Terminal(monkeypatch, capsys)("inspect", data, "--json")
    said = json.loads(out)
    assert said["problems"][0] == {
        "name": "empty",
        "severity": "high",
        "rows": 1,
        "meaning": FLAG_MEANINGS["empty"],
        "places": ["d.jsonl:1"],
    }
    assert said["length"]["longer_wins"] == 1.0
    assert {one["chosen"] for one in said["examples"]} == {"It is blue today.", "a b c"}
