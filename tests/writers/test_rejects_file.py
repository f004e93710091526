"""Rows that cannot be used: kept in a file of their own, counted, in place before the output and never without it."""

import json

import polars as pl
import pytest

import curate
from curate.errors import InputError, SettingsError, StoreError
from curate.readers.contract import Reject
from curate.readers.unusable import reject_table
from curate.writers.rejects_file import RejectsFile
from tests.commands.helpers import (
    pair_rows,
    read_manifest,
    rows_of,
    run_generate,
    run_pair,
    run_score,
    run_select,
    write_jsonl,
)
from tests.commands.terminal import Terminal

NOT_JSON, NOT_AN_OBJECT = "the line is not valid JSON", "the line is not a JSON object"
REASONS = {NOT_JSON: 2, NOT_AN_OBJECT: 1}
LOGPS = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")
BROKEN = [
    {"source": "d.jsonl:2", "reason": NOT_JSON, "row": "{broken"},
    {"source": "d.jsonl:5", "reason": NOT_AN_OBJECT, "row": "[1]"},
    {"source": "d.jsonl:8", "reason": NOT_JSON, "row": "{also"},
]


@pytest.fixture
def data(tmp_path):
    """Ten rows and three lines that are none; `x` is the row's number."""
    more = dict.fromkeys(LOGPS, -2.5) | {"chosen_tokens": 3, "rejected_tokens": 4}
    rows = [row | {"x": float(row["id"])} | more for row in pair_rows(10)]
    for place, text in ((1, "{broken"), (4, "[1]"), (7, "{also")):
        rows.insert(place, text)
    return write_jsonl(tmp_path / "d.jsonl", rows)


def weigh(data, out, **more):
    return curate.weigh(data, out, method="repo", **more)


def select(data, out, **more):
    return run_select(data, out, **{"by": "x", "top": "50%", **more})


def export(data, out, **more):
    return curate.export(data, out.with_suffix(""), "trl", **more)


JOBS = {"select": select, "weigh": weigh, "score": run_score, "generate": run_generate, "export": export}


@pytest.mark.parametrize("job", JOBS)
def test_broken_lines_are_kept_and_counted_by_every_command(tmp_path, data, job):
    result = JOBS[job](data, tmp_path / "o.parquet")
    assert result.rejected == REASONS
    assert result.rejects == tmp_path / "o.rejects.parquet"
    assert rows_of(result.rejects) == BROKEN
    written = tmp_path / "o" / "train.parquet" if job == "export" else result.out
    assert read_manifest(written)["rows"]["rejected"] == REASONS


@pytest.mark.parametrize("job", JOBS)
def test_strict_makes_the_first_of_them_an_error(tmp_path, data, job):
    with pytest.raises(InputError, match=NOT_JSON) as caught:
        JOBS[job](data, tmp_path / "o.parquet", strict=True)
    assert caught.value.where == "d.jsonl:2"
    assert not (tmp_path / "o.parquet").exists() and not (tmp_path / "o.rejects.parquet").exists()


def test_inspect_counts_the_same_rows(data):
    assert {reason: count for reason, (count, _) in curate.inspect(data).rejected.items()} == REASONS


@pytest.mark.parametrize("name", ["d.json", "d.csv", "d.jsonl"])
def test_a_share_is_of_the_rows_that_could_be_read(tmp_path, name):
    """Of 8 rows 2 are broken: floor(50% of 6) = 3 are kept."""
    if name == "d.csv":
        lines = ["x,y", "0,a", "1,b,c", "2,c", "3,d", "4", "5,f", "6,g", "7,h"]
    elif name == "d.json":
        lines = ["[" + ",".join(["3", *(json.dumps({"x": i}) for i in (0, 2, 3, 5, 6, 7)), "{}"]) + "]"]
    else:
        lines = ["null", *(json.dumps({"x": i}) for i in (0, 2, 3, 5, 6, 7)), "{"]
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    result = run_select(tmp_path / name, tmp_path / "o.parquet", by="x", top="50%")
    assert (result.rows, result.kept, sum(result.rejected.values())) == (6, 3, 2)
    assert [row["x"] for row in rows_of(result.out)] == [5, 6, 7]
    assert pl.read_parquet(result.rejects).height == 2


def test_the_summary_says_how_many_were_set_aside(tmp_path, data, monkeypatch, capsys):
    curate_command = Terminal(monkeypatch, capsys)
    code, out, _ = curate_command("select", data, "--by", "x", "--top", "50%", "-o", tmp_path / "o.parquet")
    assert code == 0
    assert "5 of 10 rows kept" in out and "3 more could not be read" in out and "o.rejects.parquet" in out
    code, out, _ = curate_command("weigh", data, "--method", "repo", "-o", tmp_path / "w.parquet")
    assert code == 0 and "3 more could not be read" in out


def test_what_is_not_kept_and_what_cannot_be_read_stay_apart(tmp_path, data):
    out = tmp_path / "o.parquet"
    result = select(data, out, rejects=tmp_path / "not_kept.parquet")
    assert [row["x"] for row in rows_of(tmp_path / "not_kept.parquet")] == [0, 1, 2, 3, 4]
    assert rows_of(result.rejects) == BROKEN
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(SettingsError, match="3 rows could not be read"):
        select(data, out, rejects=tmp_path / "o.rejects.parquet")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_without_broken_lines_the_place_may_hold_what_is_not_kept(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", [{"x": float(i)} for i in range(4)])
    place = tmp_path / "o.rejects.parquet"
    for _ in range(2):
        assert select(data, tmp_path / "o.parquet", rejects=place).rejects is None
        assert [row["x"] for row in rows_of(place)] == [0, 1]
    select(data, tmp_path / "o.parquet")
    assert place.exists()  # what another command wrote there is not taken for an earlier run's broken lines


def test_another_file_in_the_place_is_not_replaced(tmp_path, data):
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "o.rejects.parquet")
    for job in JOBS.values():
        with pytest.raises(StoreError, match="did not write"):
            job(data, tmp_path / "o.parquet")
    assert pl.read_parquet(tmp_path / "o.rejects.parquet").columns == ["a"]
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.endswith(".work")) == [
        "d.jsonl",
        "o.rejects.parquet",
    ]


@pytest.mark.parametrize("job", [*JOBS, "pair"])
def test_an_earlier_runs_file_goes_when_there_are_none_now(tmp_path, data, job):
    run = {**JOBS, "pair": run_pair}[job]
    run(data, tmp_path / "o.parquet")
    assert (tmp_path / "o.rejects.parquet").exists()
    whole = write_jsonl(tmp_path / "w.jsonl", [json.loads(line) for line in data.open() if '"id"' in line])
    assert run(whole, tmp_path / "o.parquet").rejects is None
    assert not (tmp_path / "o.rejects.parquet").exists()


@pytest.mark.parametrize("job", [*JOBS, "pair"])
def test_where_the_output_cannot_be_written_the_earlier_files_stay(tmp_path, data, job, monkeypatch):
    run = {**JOBS, "pair": run_pair}[job]
    fewer = write_jsonl(tmp_path / "f.jsonl", [line.rstrip() for line in data.open()][1:])
    more = {"rejects": tmp_path / "n.parquet"} if job == "select" else {}
    run(data, tmp_path / "o.parquet", **more)
    before = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("curate.writers.parquet._write_file", full)
        patched.setattr("curate.exporters.folder._write_parquet", full)
        with pytest.raises(StoreError, match="full"):
            run(fewer, tmp_path / "o.parquet", **more)
    after = {
        path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and ".work" not in str(path)
    }
    assert after == before


@pytest.mark.parametrize("job", [*JOBS, "pair"])
def test_the_file_is_in_place_before_the_output_is(tmp_path, data, job, monkeypatch):
    run = {**JOBS, "pair": run_pair}[job]
    seen = []
    place = RejectsFile.place

    def placed(self):
        place(self)
        seen.append(((tmp_path / "o.parquet").exists() or (tmp_path / "o").exists(), self.path.exists()))

    monkeypatch.setattr(RejectsFile, "place", placed)
    run(data, tmp_path / "o.parquet")
    assert seen == [(False, True)]


def test_nothing_is_left_of_a_run_that_ends_before_the_output(tmp_path):
    table = reject_table([Reject("a:1", "why", "{")])
    with pytest.raises(RuntimeError), RejectsFile(tmp_path / "o.parquet") as rejects:
        rejects.add([table, table])
        assert (rejects.path, dict(rejects.reasons)) == (tmp_path / "o.rejects.parquet", {"why": 2})
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
