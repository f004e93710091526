"""Pairs that a trainer would read as something else, or learn nothing from, go to the rejects with the reason."""

import json

import datasets
import polars as pl
import pytest

from curate.errors import RowError
from curate.exporters.refusals import TIMESTAMP, refuse_pair
from curate.exporters.registry import Pair, all_exporters
from curate.exporters.trainers.axolotl import AXOLOTL
from curate.exporters.trainers.llamafactory import LLAMAFACTORY
from curate.exporters.trainers.ms_swift import MS_SWIFT
from curate.exporters.trainers.nemo_rl import NEMO_RL

from .golden import FORMATS, rows, run_export, says, write


def refused(tmp_path, to, **row):
    """The reason for which this row is left out of an export that keeps the two golden ones."""
    result = run_export(write(tmp_path / "d.jsonl", [*rows(), row]), tmp_path / "out", to)
    assert (result.pairs, sum(result.rejected.values())) == (2, 1)
    kept = pl.read_parquet(result.rejects)
    assert kept["source"].to_list() == ["d.jsonl:3"]
    assert json.loads(kept["row"][0])["rejected"] == row["rejected"]
    assert kept["reason"].to_list() == list(result.rejected)
    return kept["reason"][0]


READ_AS_THEY_ARE = ("trl", "trl-reward")
EMPTY = [
    ({"chosen": "", "rejected": "no"}, "the chosen response is empty"),
    ({"chosen": "yes", "rejected": " \n"}, "the rejected response is empty"),
    ({"chosen": "yes", "rejected": "yes"}, "both responses are the same"),
    ({"chosen": "yes", "rejected": "yes\n"}, "both responses are the same"),
]


@pytest.mark.parametrize("to", [to for to in FORMATS if to not in READ_AS_THEY_ARE])
@pytest.mark.parametrize(("row", "reason"), EMPTY)
def test_what_teaches_nothing_is_refused(tmp_path, to, row, reason) -> None:
    assert reason in refused(tmp_path, to, prompt="Is it?", **row, chosen_reward=1.0, rejected_reward=0.0)


@pytest.mark.parametrize("to", READ_AS_THEY_ARE)
@pytest.mark.parametrize("row", [row for row, _ in EMPTY])
def test_trl_keeps_every_pair_as_it_is(tmp_path, to, row) -> None:
    scores = {"chosen_reward": 1.0, "rejected_reward": 0.0}
    data = write(tmp_path / "d.jsonl", [*rows(), {"prompt": "Is it?", **row, **scores}])
    result = run_export(data, tmp_path / "out", to)
    assert (result.pairs, result.rows, result.rejected) == (3, 3, {})
    last = pl.read_parquet(tmp_path / "out" / "train.parquet").to_dicts()[-1]
    assert [last[side][-1]["content"] for side in ("chosen", "rejected")] == [row["chosen"], row["rejected"]]


@pytest.mark.parametrize("to", FORMATS)
def test_a_prompt_that_ends_with_the_assistant_is_refused_by_every_trainer(tmp_path, to) -> None:
    prompt = [says("user", "Is it?"), says("assistant", "Well,")]
    answers = {"chosen": [says("assistant", "it is")], "rejected": [says("assistant", "no way")]}
    assert "ends with the assistant" in refused(
        tmp_path, to, prompt=prompt, **answers, chosen_reward=1.0, rejected_reward=0.0
    )


@pytest.mark.parametrize(("exporter", "words"), [(LLAMAFACTORY, 3), (MS_SWIFT, 7)])
def test_words_that_stand_for_media_are_refused_where_the_trainer_replaces_them(exporter, words) -> None:
    assert len(exporter.placeholders) == words
    for word in exporter.placeholders:
        text = f"See {word} here."
        user = says("user", "Look.")
        for pair in (
            Pair((user,), text, "b"),
            Pair((user,), "a", text),
            Pair((says("user", text),), "a", "b"),
            Pair((says("system", text), user), "a", "b"),
        ):
            with pytest.raises(RowError, match=f"{exporter.name} takes {word}"):
                refuse_pair(pair, exporter)
    for other in all_exporters().values():
        if not other.placeholders:
            refuse_pair(Pair((says("user", "Look."),), "See <image> here.", "b"), other)


DATES = [
    *("2020-01-01", "1677-12-31", "2020-01-01 10", "2020-01-01 10:00", "2020-01-01T10:00:59", "2020-01-01T10:00:59Z"),
    *("2020-01-01T10:00:59+02:00", "2020-01-01T10:00:59+0200", "2020-01-01 10:00-05"),
]
NO_DATES = [
    "2020-01",
    "2020-01-01 1000",
    "20200101",
    "10:00",
    "2020/01/01",
    " 2020-01-01",
    "2020-01-01.",
    "2020-01-01T10:00:00.5",
    "12",
]


@pytest.mark.parametrize("text", [*DATES, *NO_DATES])
def test_dates_are_what_the_json_reader_of_datasets_takes_for_one(tmp_path, text) -> None:
    path = write(tmp_path / "d.jsonl", [{"text": text}])
    found = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert (found[0]["text"] != text) == (text in DATES)
    assert bool(TIMESTAMP.fullmatch(text)) == (text in DATES)


@pytest.mark.parametrize("side", ["chosen", "rejected"])
def test_dates_are_refused_where_a_trainer_reads_json(tmp_path, side) -> None:
    row = {"prompt": "When?", "chosen": "Today", "rejected": "Never", side: "2020-01-01"}
    assert "a date for a timestamp" in refused(tmp_path, NEMO_RL.name, **row)
    assert [one.name for one in all_exporters().values() if one.kind == "jsonl"] == [NEMO_RL.name]
    assert run_export(tmp_path / "d.jsonl", tmp_path / "other", "trl").rows == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (" yes", "white space"),
        ("yes\n", "white space"),
        ("<think>\nhm\n</think>\n\nyes", "</think>"),
        ("user", "would find the response"),
        ("dummy", "would find the response"),
        ("[[dummy_message]]", "would find the response"),
        ("assistant", "would find the response"),
        ("You are a helpful assistant.", "would find the response"),
        ("26 Jul 2024", "would find the response"),
        ("7", "would find the response"),
        ("2031", "would find the response"),
    ],
)
def test_axolotl_refuses_what_it_would_look_for_in_vain_or_find_too_early(text, reason) -> None:
    user = (says("user", "Which?"),)
    for pair in (Pair(user, text, "Neither one."), Pair(user, "Neither one.", text)):
        with pytest.raises(RowError, match=reason):
            AXOLOTL.rows(pair)


@pytest.mark.parametrize("text", ["Yes.", "Nope", "42 apples", "12345", "Ask the user.", "x = 1"])
def test_axolotl_takes_short_responses(text) -> None:
    assert AXOLOTL.rows(Pair((says("user", "Which?"),), text, "Neither one."))[0]["chosen"]["content"] == text


def test_llamafactory_refuses_what_its_templates_replace() -> None:
    for prompt in ((says("user", "Print {{idx}}."),), (says("system", ""), says("user", "Hi"))):
        with pytest.raises(RowError, match="llamafactory"):
            LLAMAFACTORY.rows(Pair(prompt, "a", "b"))
    # a template puts the user's {{content}} in its place once, and the assistant's {{idx}} stays
    assert LLAMAFACTORY.rows(Pair((says("user", "Print {{content}}."),), "{{idx}}", "b"))
