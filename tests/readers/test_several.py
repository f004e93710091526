"""Rows with several chosen or rejected responses: every pair of them, and nothing else."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.readers import open_source, source_notes
from tests.commands.helpers import run_score, write_jsonl
from tests.exporters.golden import run_export

USER = {"role": "user", "content": "q"}


def talk(text):
    return [USER, {"role": "assistant", "content": text}]


def pairs(path, rows=100):
    chunks = list(open_source([str(path)]).chunks(rows))
    for chunk in chunks:
        assert chunk.table.num_rows == len(chunk.rows) == len(chunk.origins) <= rows
        assert [(r["chosen"], r["rejected"]) for r in chunk.table.to_pylist()] == [
            (r["chosen"], r["rejected"]) for r in chunk.rows
        ]
    return [(r["chosen"], r["rejected"]) for chunk in chunks for r in chunk.rows]


@pytest.mark.parametrize(
    ("chosen", "rejected", "made"),
    [
        (["a"], ["x", "y"], [("a", "x"), ("a", "y")]),
        ("a", ["x", "y"], [("a", "x"), ("a", "y")]),
        (["a", "b"], ["x", "y"], [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]),
        (["a", "b"], "x", [("a", "x"), ("b", "x")]),
        (talk("a"), [talk("x"), talk("y")], [(talk("a"), talk("x")), (talk("a"), talk("y"))]),
    ],
    ids=["RewardBench 2", "one text", "RM-Bench", "one rejected", "conversations"],
)
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_each_chosen_response_meets_each_rejected_one(tmp_path, chosen, rejected, made, suffix):
    row = {"prompt": "q", "chosen": chosen, "rejected": rejected}
    path = tmp_path / f"several.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist([row]), path)
    else:
        write_jsonl(path, [row])
    assert pairs(path) == made
    assert pairs(path, rows=1) == made
    assert "each chosen response makes a pair" in source_notes(open_source([str(path)]))[0]


def test_conversations_and_single_texts_are_no_lists(tmp_path):
    row = {"chosen": talk("a"), "rejected": talk("b")}
    assert pairs(write_jsonl(tmp_path / "one.jsonl", [row])) == [(talk("a"), talk("b"))]
    assert source_notes(open_source([str(tmp_path / "one.jsonl")])) == ()


def test_scores_and_models_of_each_side_stay_with_their_responses(tmp_path):
    row = {"prompt": "q", "chosen": ["a", "b"], "rejected": ["x"], "chosen_score": [4.0, 5.0], "rejected_score": [1.0]}
    row |= {"chosen_model": ["m", "n"], "rejected_model": ["o"], "models": ["m", "n", "o"]}
    run_score(write_jsonl(tmp_path / "s.jsonl", [row]), tmp_path / "o.parquet")
    made = pq.read_table(tmp_path / "o.parquet").to_pylist()
    assert [(r["chosen"], r["chosen_model"], r["reward_margin"]) for r in made] == [("a", "m", 3.0), ("b", "n", 4.0)]
    assert [r["models"] for r in made] == [["m", "n", "o"]] * 2


def test_bad_rows_are_rejected_once_with_their_line(tmp_path):
    good = {"prompt": "q", "chosen": ["a"], "rejected": ["x", "y"], "chosen_score": [1.0]}
    bad = [good | {"rejected": []}, good | {"chosen": None}, good | {"chosen_score": [1.0, 2.0]}]
    result = run_score(write_jsonl(tmp_path / "b.jsonl", [good, *bad, good]), tmp_path / "o.parquet")
    assert result.rows == 4 and sum(result.rejected.values()) == 3
    rejects = pq.read_table(tmp_path / "o.rejects.parquet").to_pylist()
    assert [one["source"] for one in rejects] == ["b.jsonl:2", "b.jsonl:3", "b.jsonl:4"]
    assert json.loads(rejects[2]["row"])["chosen_score"] == [1.0, 2.0]


def test_the_output_holds_pairs_that_every_command_reads(tmp_path):
    rows = [{"prompt": f"q{i}", "chosen": ["a", "b"], "rejected": ["x", "y"]} for i in range(3)]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    run_score(data, tmp_path / "o.parquet")
    again = run_score(tmp_path / "o.parquet", tmp_path / "again.parquet")
    assert again.rows == 12 and again.rejected == {}
    assert run_export(tmp_path / "o.parquet", tmp_path / "e1", "trl").rows == 12
    assert run_export(data, tmp_path / "e2", "trl").rows == 12
    files = [pq.read_table(tmp_path / name / "train.parquet").to_pylist() for name in ("e1", "e2")]
    assert files[0] == files[1]
