import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import InputError
from curate.readers import open_source
from curate.readers.files.paths import find_files

ROW = '{"a": 1}\n'


def names(data):
    return [path.name for path in find_files(str(data))]


@pytest.fixture
def tree(tmp_path):
    for name in ["b.jsonl", "a.json", "sub/c.jsonl", "sub/deep/d.csv.gz", "README.md", ".hidden.json", ".git/x.json"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(ROW)
    pq.write_table(pa.table({"reason": ["x"]}), tmp_path / "old.rejects.parquet")
    return tmp_path


def test_a_folder_gives_its_data_files_sorted(tree):
    assert names(tree) == ["a.json", "b.jsonl", "c.jsonl", "d.csv.gz"]


def test_globs_are_sorted_and_recursive(tree):
    assert names(tree / "*") == ["a.json", "b.jsonl"]
    assert names(tree / "**" / "*.jsonl") == ["b.jsonl", "c.jsonl"]
    assert names(tree / "s*") == ["c.jsonl", "d.csv.gz"]


def test_a_name_with_brackets_is_a_file_first(tmp_path):
    (tmp_path / "x[1].jsonl").write_text(ROW)
    assert names(tmp_path / "x[1].jsonl") == ["x[1].jsonl"]


def test_rejects_are_read_when_named(tree):
    assert names(tree / "old.rejects.parquet") == ["old.rejects.parquet"]


@pytest.mark.parametrize(
    "name", ["no.jsonl", "*.parquet.gz", "*.md", "empty", "no/such/*.json", "b.jsonn", "x" * 999, "\0"]
)
def test_what_is_not_there(tree, name):
    (tree / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        find_files(str(tree / name))
    assert caught.value.what and caught.value.where and caught.value.hint


def test_a_slip_of_the_pen_is_answered_with_the_name(tree):
    with pytest.raises(InputError, match=r"Did you mean b.jsonl"):
        find_files(str(tree / "b.jsnl"))


def saved(folder, rows=5, shards=2):
    data = datasets.Dataset.from_dict({"a": list(range(rows))})
    data.select(list(reversed(range(rows)))).save_to_disk(folder, num_shards=shards)


def test_saved_data_set_keeps_its_order(tmp_path):
    saved(tmp_path / "d")
    source = open_source([str(tmp_path / "d")])
    assert [row["a"] for chunk in source.chunks(2) for row in chunk.rows] == [4, 3, 2, 1, 0]


def test_shards_are_read_as_the_description_lists_them(tmp_path):
    saved(tmp_path / "d")
    state = json.loads((tmp_path / "d" / "state.json").read_text())
    state["_data_files"].reverse()
    (tmp_path / "d" / "state.json").write_text(json.dumps(state))
    assert names(tmp_path / "d") == ["data-00001-of-00002.arrow", "data-00000-of-00002.arrow"]
    (tmp_path / "d" / "data-00000-of-00002.arrow").unlink()
    with pytest.raises(InputError, match="lacks its files"):
        find_files(str(tmp_path / "d"))


@pytest.mark.parametrize("splits", [["train", "test"], ["only"], ["one", "two"]])
def test_saved_splits(tmp_path, splits):
    whole = datasets.DatasetDict({split: datasets.Dataset.from_dict({"split": [split]}) for split in splits})
    whole.save_to_disk(tmp_path / "d")
    if len(splits) > 1:
        with pytest.raises(InputError, match=", ".join(splits)) as caught:
            open_source([str(tmp_path / "d")])
        assert all(str(tmp_path / "d" / split) in caught.value.hint for split in splits)
    for name in ["d"] if len(splits) == 1 else [f"d/{split}" for split in splits]:
        (chunk,) = open_source([str(tmp_path / name)]).chunks(10)
        assert chunk.rows == [{"split": Path(name).name if len(splits) > 1 else splits[0]}]


def test_broken_descriptions(tmp_path):
    for name, text in [("state.json", "{"), ("state.json", "[]"), ("dataset_dict.json", '{"splits": 3}')]:
        folder = tmp_path / f"{name}{len(text)}"
        folder.mkdir()
        (folder / name).write_text(text)
        with pytest.raises(InputError):
            find_files(str(folder))
