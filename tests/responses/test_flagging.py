import json

import polars as pl
import pytest

import curate
from curate.cards.commands import command_of
from curate.errors import InputError, SettingsError, StoreError
from curate.hygiene.duplicates import Duplicates
from curate.hygiene.flags import NAMES
from curate.schema import FLAG_MEANINGS
from tests.commands.helpers import (
    MODELS,
    Notes,
    candidate_rows,
    pair_rows,
    read_manifest,
    rows_of,
    run_score,
    write_jsonl,
)

ENDS = "The sun rises in the east and sets in the west, as everybody who has ever looked at it knows"


def row(prompt, chosen, rejected, **more):
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, **more}


ROWS = [
    row("Why is the sky blue?", "Because of scattering.", "As an AI language model, no."),
    row("why is the  sky blue?", "Because of scattering.", "As an AI language model, no."),
    row("Where does the sun rise?", f"{ENDS} well.", f"{ENDS} badly."),
    row("Why is the sky blue?", "As an AI language model, no.", "Because of scattering."),
]


def flags_of(path):
    return [one["flags"] for one in rows_of(path)]


@pytest.fixture
def data(tmp_path):
    return write_jsonl(tmp_path / "d.jsonl", ROWS)


def test_flags_are_found_over_the_whole_table_and_counted(tmp_path, data):
    asked = ["contradiction", "duplicate", "self_identification"]
    result = run_score(data, tmp_path / "o.parquet", add_flags=asked)
    found = flags_of(tmp_path / "o.parquet")
    assert [[flag for flag in one if flag in NAMES] for one in found] == [
        ["contradiction", "self_identification"],
        ["duplicate", "contradiction", "self_identification"],
        [],
        ["contradiction", "self_identification"],
    ]
    manifest = read_manifest(tmp_path / "o.parquet")
    assert manifest["flags_from"] == {"flags": ["duplicate", "contradiction", "self_identification"]}
    counted = {flag: number for flag, number in manifest["flags"].items() if flag in NAMES}
    assert counted == {"contradiction": 3, "duplicate": 1, "self_identification": 3}
    assert counted.items() <= result.flags.items()


def test_without_them_nothing_changes(tmp_path, data):
    run_score(data, tmp_path / "o.parquet")
    assert not {flag for one in flags_of(tmp_path / "o.parquet") for flag in one} & set(NAMES)
    assert "flags_from" not in read_manifest(tmp_path / "o.parquet")


def test_flags_of_numbers_come_first(tmp_path):
    rows = [row("p", "I'm sorry, no.", "b", score_chosen=0.0, score_rejected=1.0)] * 2
    run_score(write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o.parquet", add_flags="duplicate")
    assert flags_of(tmp_path / "o.parquet") == [["refusal", "rm_disagrees"], ["refusal", "rm_disagrees", "duplicate"]]


def test_the_chunks_in_which_data_is_read_do_not_matter(tmp_path, data, monkeypatch):
    asked = ["duplicate", "near_duplicate", "near_duplicate_prompt", "repeated_response"]
    run_score(data, tmp_path / "one.parquet", add_flags=asked)
    monkeypatch.setattr("curate.responses.stage.CHUNK_ROWS", 1)
    run_score(data, tmp_path / "two.parquet", add_flags=asked)
    assert flags_of(tmp_path / "one.parquet") == flags_of(tmp_path / "two.parquet")
    assert flags_of(tmp_path / "one.parquet")[1][1:] == ["duplicate", "near_duplicate", "near_duplicate_prompt"]


def test_a_finished_table_is_made_again_for_other_flags_only(tmp_path, data):
    out, notes = tmp_path / "o.parquet", Notes()
    run_score(data, out, add_flags="duplicate")
    held = out.read_bytes()
    run_score(data, out, notes, add_flags=("duplicate",))
    assert notes.about("already done") and out.read_bytes() == held
    run_score(data, out, add_flags="duplicate,contradiction")
    assert "contradiction" in flags_of(out)[0]


def test_a_scored_table_gets_flags_without_its_models(tmp_path, data):
    run_score(data, tmp_path / "s.parquet", **MODELS)
    run_score(tmp_path / "s.parquet", tmp_path / "f.parquet", add_flags="duplicate")
    before, after = (pl.read_parquet(tmp_path / name) for name in ("s.parquet", "f.parquet"))
    assert before.drop("flags").equals(after.select(before.columns).drop("flags"))
    assert "duplicate" in after["flags"][1]


@pytest.mark.parametrize(("limit", "flagged"), [(12, True), (60, False)])
def test_equal_within_the_limit_of_the_policy(tmp_path, data, limit, flagged):
    run_score(data, tmp_path / "o.parquet", add_flags="identical_truncated", max_length=limit, **MODELS)
    assert ("identical_truncated" in flags_of(tmp_path / "o.parquet")[2]) == flagged
    assert read_manifest(tmp_path / "o.parquet")["flags_from"]["limit"] == {"as": "policy"}


def test_equal_within_the_limit_of_a_tokenizer(tmp_path, data, demo_models):
    tokenizer = str(demo_models / "policy")
    run_score(data, tmp_path / "o.parquet", add_flags="identical_truncated", tokenizer=tokenizer, max_length=60)
    assert ["identical_truncated" in one for one in flags_of(tmp_path / "o.parquet")] == [False, False, True, False]
    assert read_manifest(tmp_path / "o.parquet")["flags_from"]["limit"]["max_length"] == 60


def test_a_limit_measured_elsewhere_does_not_count(tmp_path, data, demo_models):
    """The table says which pairs another limit cut; with a smaller one, more pairs are."""
    run_score(data, tmp_path / "s.parquet", max_length=1000, **MODELS)
    how = {"tokenizer": str(demo_models / "policy"), "max_length": 60}
    run_score(tmp_path / "s.parquet", tmp_path / "o.parquet", add_flags="identical_truncated", **how)
    assert "identical_truncated" in flags_of(tmp_path / "o.parquet")[2]


@pytest.mark.parametrize("more", [{}, {"tokenizer": "words", "max_length": 9}, MODELS])
def test_without_a_limit_it_is_refused_by_name(tmp_path, data, more):
    with pytest.raises(SettingsError, match=r"identical_truncated cannot be found[\s\S]*max_length=N"):
        run_score(data, tmp_path / "o.parquet", add_flags="identical_truncated", **more)


def test_all_leaves_it_out_with_a_note(tmp_path, data, monkeypatch):
    monkeypatch.setattr("curate.hygiene.language._detector", lambda among: Mute())
    notes = Notes()
    run_score(data, tmp_path / "o.parquet", notes, add_flags="all")
    assert "identical_truncated is not looked for" in notes.about("identical_truncated")
    wanted = [flag for flag in NAMES if flag != "identical_truncated"]
    facts = read_manifest(tmp_path / "o.parquet")["flags_from"]
    assert facts["flags"] == wanted
    assert set(facts["versions"]) == {"rensa", "lingua-language-detector"}


class Mute:
    def detect_languages_in_parallel_of(self, texts):
        return [None] * len(texts)


def test_leaks_are_flagged_and_told_by_evaluation(tmp_path, data):
    evaluation, notes = write_jsonl(tmp_path / "eval.jsonl", [{"question": "Why is the sky blue"}]), Notes()
    run_score(data, tmp_path / "o.parquet", notes, decontaminate=evaluation)
    assert ["leaked" in one for one in flags_of(tmp_path / "o.parquet")] == [True, True, False, True]
    assert "3 rows with a prompt of" in notes.about("leaked")
    manifest = read_manifest(tmp_path / "o.parquet")
    assert "eval.jsonl" in json.dumps(manifest["flags_from"]["decontaminate"])
    assert str(tmp_path) not in json.dumps(manifest)


def test_the_command_on_a_card_looks_for_the_same_flags(tmp_path, data):
    evaluation = write_jsonl(tmp_path / "eval.jsonl", [{"question": "Why is the sky blue"}])
    run_score(data, tmp_path / "o.parquet", add_flags=["duplicate", "contradiction"], decontaminate=evaluation)
    assert command_of(read_manifest(tmp_path / "o.parquet")) == (
        "curate score d.jsonl --decontaminate eval.jsonl --add-flags duplicate,contradiction -o OUT.parquet"
    )


def test_an_evaluation_that_is_not_there_stops_before_anything_is_read(tmp_path, data):
    with pytest.raises(InputError, match=r"none\.jsonl"):
        run_score(data, tmp_path / "o.parquet", decontaminate=tmp_path / "none.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]


def test_the_output_does_not_replace_an_evaluation(tmp_path, data):
    evaluation = tmp_path / "eval.parquet"
    pl.DataFrame({"prompt": ["Why?"]}).write_parquet(evaluation)
    with pytest.raises(StoreError, match="replace its own input"):
        run_score(data, evaluation, decontaminate=evaluation)
    assert pl.read_parquet(evaluation)["prompt"].to_list() == ["Why?"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("near_dup", "Did you mean near_duplicate"),
        ("refusal", "is always looked for"),
        ("leaked", "decontaminate="),
        ("duplicate,contradicton", "Did you mean contradiction"),
    ],
)
def test_what_no_check_finds_is_refused(tmp_path, data, asked, told):
    with pytest.raises(SettingsError, match=told):
        run_score(data, tmp_path / "o.parquet", add_flags=asked)


def test_candidates_have_the_flags_of_all_their_responses(tmp_path, monkeypatch):
    monkeypatch.setattr("curate.hygiene.language._detector", lambda among: Mute())
    one = {"prompt": "Why is it so?", "responses": [f"{ENDS} well.", "No.", "As an AI language model, no."]}
    rows = [one, one, {"prompt": "And this?", "responses": ["Yes.", f"{ENDS.upper()} well.", ""]}]
    evaluation = write_jsonl(tmp_path / "eval.jsonl", [{"question": "And this"}])
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    result = run_score(data, tmp_path / "o.parquet", add_flags="all", decontaminate=evaluation)
    again = ["duplicate", "duplicate_prompt", "near_duplicate", "near_duplicate_prompt"]
    assert flags_of(tmp_path / "o.parquet") == [
        ["refusal", "self_identification"],
        ["refusal", *again, "self_identification"],
        ["empty", "repeated_response", "near_duplicate_response", "leaked"],
    ]
    assert result.flags == {"refusal": 2, "self_identification": 2} | dict.fromkeys(
        [*again, "empty", "repeated_response", "near_duplicate_response", "leaked"], 1
    )
    assert curate.inspect(data, deep=True, decontaminate=evaluation).flags == result.flags


@pytest.mark.parametrize("asked", ["contradiction", "identical_truncated"])
def test_candidates_have_no_flags_that_compare_two_sides(tmp_path, asked):
    data = write_jsonl(tmp_path / "d.jsonl", candidate_rows())
    with pytest.raises(SettingsError, match="These rows are candidates"):
        run_score(data, tmp_path / "o.parquet", add_flags=asked)


def test_bad_rows_do_not_shift_flags(tmp_path):
    rows = [*pair_rows(3), "{broken", {"prompt": "p"}, *pair_rows(3)]
    run_score(write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o.parquet", add_flags="duplicate")
    assert ["duplicate" in one for one in flags_of(tmp_path / "o.parquet")] == [False] * 3 + [True] * 3


def test_every_flag_has_a_meaning():
    assert {*NAMES, "leaked"} <= set(FLAG_MEANINGS)


def test_stopped_while_flagging_it_resumes_to_the_same_bytes(tmp_path, data, monkeypatch):
    asked = {"add_flags": ["duplicate", "near_duplicate"], **MODELS}
    run_score(data, tmp_path / "whole.parquet", **asked)
    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(Duplicates, "found", stop)
        run_score(data, tmp_path / "o.parquet", **asked)
    assert not (tmp_path / "o.parquet").exists()
    with monkeypatch.context() as again:
        again.setattr("curate.backends.fake.FakeBackend.logps", stop)  # nothing is measured again
        run_score(data, tmp_path / "o.parquet", **asked)
    assert (tmp_path / "o.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def stop(*_):
    raise KeyboardInterrupt
