"""Labels of single responses by their own rating: which get one, what is counted, and what is refused."""

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from curate.errors import InputError, SettingsError
from curate.exporters.labels import Labels
from curate.schema import Record
from tests.exporters.golden import run_export, write

PAIRS = [  # prompt, chosen and its rating, rejected and its rating
    ("p", "both good", 9.0, "good too", 8.0),
    ("p", "good", 8.5, "bad", 2.0),
    ("q", "so so", 5.0, "bad", 1.0),
    ("q", "just at", 7.0, "the limits", 3.0),
    ("r", "both bad", 2.5, "worse", 0.0),
]


def data(folder: Path, pairs=PAIRS) -> Path:
    names = ("prompt", "chosen", "score_chosen", "rejected", "score_rejected")
    return write(folder / "d.jsonl", [dict(zip(names, one, strict=True)) for one in pairs])


def labelled(folder: Path) -> dict[str, bool]:
    rows = pl.read_parquet(folder / "train.parquet").to_dicts()
    return {f"{row['prompt'][0]['content']}: {row['completion'][0]['content']}": row["label"] for row in rows}


def test_each_response_is_labelled_by_its_own_rating(tmp_path) -> None:
    result = run_export(data(tmp_path), tmp_path / "out", "kto", desirable_above=7.0, undesirable_below=3.0)
    assert labelled(tmp_path / "out") == {
        "p: both good": True,
        "p: good too": True,  # rejected, and still good
        "p: good": True,
        "p: bad": False,
        "q: bad": False,
        "r: both bad": False,  # chosen, and still bad
        "r: worse": False,
    }
    assert (result.pairs, result.rows) == (5, 7)
    assert result.labels == {"desirable": 3, "undesirable": 4, "in between, or unrated": 3}
    manifest = json.loads(pq.read_schema(tmp_path / "out" / "train.parquet").metadata[b"curate"])
    assert manifest["settings"]["desirable_above"] == 7.0
    assert manifest["rows"]["left_out"] == {"response in between, or unrated": 3}
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| `export` | 5 | 7 | 3: response in between, or unrated |" in card
    assert "curate export d.jsonl --to kto --desirable-above 7.0 --undesirable-below 3.0 -o OUT" in card


@pytest.mark.parametrize("limit", [{"desirable_above": 5.0}, {"undesirable_below": 5.0}])
def test_one_limit_is_both(tmp_path, limit) -> None:
    run_export(data(tmp_path), tmp_path / "out", "kto", **limit)
    found = labelled(tmp_path / "out")
    assert "q: so so" not in found  # exactly at the limit
    assert found["q: just at"] is True
    assert found["q: the limits"] is False


def test_a_response_without_a_rating_is_left_out() -> None:
    record = Record(({"role": "user", "content": "p"},), ("a", "b"), (1, 0), {"reward": (None, 9.0)})
    assert Labels(5.0, 5.0).of(record) == (True, None)
    assert Labels(5.0, 5.0).of(Record(record.prompt, ("a", "b"), (0, 1))) == (None, None)


def test_a_response_of_several_pairs_is_counted_once(tmp_path) -> None:
    pairs = [("p", "a", 9.0, f"b{i}", 5.0) for i in range(3)] + [("p", "a", 9.0, "c", 0.0)]
    result = run_export(data(tmp_path, pairs), tmp_path / "out", "kto", desirable_above=7.0, undesirable_below=3.0)
    assert result.labels == {"desirable": 1, "undesirable": 1, "in between, or unrated": 3}


def test_without_limits_the_pair_decides(tmp_path) -> None:
    result = run_export(data(tmp_path), tmp_path / "out", "kto")
    assert result.labels == {}
    assert labelled(tmp_path / "out")["p: good too"] is False


@pytest.mark.parametrize(("above", "below"), [(3.0, 7.0), (-1.0, 0.0)])
def test_overlapping_limits_are_refused(tmp_path, above, below) -> None:
    with pytest.raises(SettingsError, match="both desirable and undesirable") as caught:
        run_export(data(tmp_path), tmp_path / "out", "kto", desirable_above=above, undesirable_below=below)
    assert caught.value.where == f"--desirable-above {above}"


def test_pairs_have_no_labels(tmp_path) -> None:
    with pytest.raises(SettingsError, match="A row of trl is a pair") as caught:
        run_export(data(tmp_path), tmp_path / "out", "trl", undesirable_below=3.0)
    assert caught.value.setting == "undesirable_below"


def test_data_without_ratings_is_refused(tmp_path) -> None:
    bare = write(tmp_path / "b.jsonl", [{"prompt": "p", "chosen": "a", "rejected": "b"}])
    with pytest.raises(SettingsError, match="No response has a rating"):
        run_export(bare, tmp_path / "out", "kto", desirable_above=1.0)
    assert not (tmp_path / "out").exists()


def test_limits_that_no_response_meets_are_an_error_and_leave_nothing(tmp_path) -> None:
    with pytest.raises(InputError, match="No response has a label"):
        run_export(data(tmp_path), tmp_path / "out", "kto", desirable_above=90.0, undesirable_below=-90.0)
    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]


@pytest.mark.parametrize(
    ("limits", "said"), [((90.0, 3.0), "no response is desirable"), ((7.0, -1.0), "no response is undesirable")]
)
def test_one_label_alone_is_a_warning(limits, said) -> None:
    given = {True: 0, False: 3} if limits[0] == 90.0 else {True: 3, False: 0}
    assert said in (Labels(*limits).warning(given) or "")
    assert Labels(*limits).warning({True: 1, False: 1}) is None
    assert Labels().warning({True: 1}) is None
