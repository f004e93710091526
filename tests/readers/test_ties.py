"""`--ties`: rows that say that neither response is better are set aside, kept with a flag, or stop the run."""

import pyarrow.parquet as pq
import pytest

from curate.errors import InputError
from curate.jobs.inspect import InspectSettings, inspect
from curate.progress import Silent
from curate.settings import make
from tests.commands.helpers import read_manifest, run_score, write_jsonl
from tests.exporters.golden import run_export

SIDES = {"prompt": "q", "response_a": "a", "response_b": "b"}
TIES = {
    "winner": [SIDES | {"winner": "model_b"}, SIDES | {"winner": "tie (bothbad)"}],
    "one-hot": [SIDES | {"winner_a": 0, "winner_b": 1}, SIDES | {"winner_a": 0, "winner_b": 0}],
    "scores": [SIDES | {"score_a": 1, "score_b": 2}, SIDES | {"score_a": 2, "score_b": 2}],
    "strength": [
        {"prompt": "q", "response_1": "a", "response_2": "b", "preference_strength": strength} for strength in (2, 0)
    ],
    "ranks": [
        {"prompt": "q", "completions": [{"completion": "a", "rank": 2}, {"completion": "b", "rank": rank}]}
        for rank in (1, 2)
    ],
}


@pytest.fixture(params=TIES)
def data(tmp_path, request):
    return write_jsonl(tmp_path / "ties.jsonl", TIES[request.param])


def read(path):
    return pq.read_table(path).to_pylist()


def said(side):
    return side[-1]["content"]


def test_by_default_a_tie_is_set_aside_with_its_reason(data, tmp_path):
    result = run_score(data, tmp_path / "o.parquet")
    assert result.rows == 1 and [reason[:26] for reason in result.rejected] == ["neither response is better"]
    assert [(said(r["chosen"]), r["flags"]) for r in read(tmp_path / "o.parquet")] == [("b", [])]
    assert "ties" not in read_manifest(tmp_path / "o.parquet")["staged_from"]


def test_kept_ties_are_flagged_once_in_their_own_order(data, tmp_path):
    assert run_score(data, tmp_path / "o.parquet", ties="keep").flags == {"tie": 1}
    rows = read(tmp_path / "o.parquet")
    assert [(said(r["chosen"]), said(r["rejected"]), r["flags"]) for r in rows] == [
        ("b", "a", []),
        ("a", "b", ["tie"]),
    ]
    assert rows[1].get("reward_margin") in (None, 0.0)
    assert read_manifest(tmp_path / "o.parquet")["staged_from"]["ties"] == "keep"


def test_another_choice_measures_again(data, tmp_path):
    assert [run_score(data, tmp_path / "o.parquet", ties=ties).rows for ties in ("drop", "keep", "drop")] == [1, 2, 1]


def test_error_stops_and_leaves_nothing(data, tmp_path):
    with pytest.raises(InputError, match="A row is a tie: neither response is better"):
        run_score(data, tmp_path / "o.parquet", ties="error")
    assert not (tmp_path / "o.parquet").exists()


def test_inspect_follows_it_too(tmp_path):
    data = write_jsonl(tmp_path / "ties.jsonl", TIES["scores"])
    for ties, rows in (("drop", 1), ("keep", 2)):
        found = inspect(make(InspectSettings, {"data": (str(data),), "ties": ties}), Silent())
        assert found.rows == rows and found.flags.get("tie", 0) == rows - 1


def test_export_follows_it_too(data, tmp_path):
    for ties, rows in (("drop", 1), ("keep", 2)):
        assert run_export(data, tmp_path / ties, "trl", ties=ties).rows == rows
    with pytest.raises(InputError, match="A row is a tie"):
        run_export(data, tmp_path / "error", "trl", ties="error")


def test_equal_rewards_of_a_named_pair_are_no_tie_of_the_data(tmp_path):
    row = {"prompt": "q", "chosen": "a", "rejected": "b", "chosen_score": 1, "rejected_score": 1}
    data = write_jsonl(tmp_path / "pairs.jsonl", [row])
    assert run_score(data, tmp_path / "o.parquet", ties="error").flags == {"tie": 1}
