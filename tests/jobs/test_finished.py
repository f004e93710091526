"""The same `curate score` again on a finished output, and another one on what it wrote."""

import polars as pl
import pyarrow.parquet as pq
import pytest

from curate.errors import SettingsError
from tests.commands.helpers import MODELS, Notes, pair_rows, run_score, run_select, write_jsonl


def test_a_finished_output_is_left_alone_unless_fresh(tmp_path):
    data, out = write_jsonl(tmp_path / "d.jsonl", [*pair_rows(), {"prompt": "p"}]), tmp_path / "o.parquet"
    first = run_score(data, out, **MODELS)
    before = out.stat().st_mtime_ns
    notes = Notes()
    assert run_score(data, out, notes, **MODELS) == first
    assert notes.about("already done") and not notes.steps
    assert out.stat().st_mtime_ns == before
    notes = Notes()
    run_score(data, out, notes, fresh=True, **MODELS)
    assert not notes.about("already done") and notes.steps
    assert run_score(data, out, **MODELS) == first


@pytest.mark.parametrize("change", ["settings", "data", "model", "rejects gone", "rows gone", "unfinished", "damaged"])
def test_an_output_of_another_command_or_not_whole_is_made_again(tmp_path, change):
    rows = [*pair_rows(), {"prompt": "p"}]
    data, out = write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "o"
    run_score(data, out, policy="fake:1")
    wanted = (out / "data-00000.parquet").read_bytes()
    more = {"policy": "fake:2"} if change == "model" else {"policy": "fake:1"}
    if change == "settings":
        more["set_"] = ["dcrm.eps=0.5"]
    elif change == "data":
        write_jsonl(data, rows[1:])
    elif change == "rejects gone":
        (tmp_path / "o.rejects.parquet").unlink()
    elif change == "rows gone":
        shard = out / "data-00000.parquet"
        pq.write_table(pq.read_table(shard).slice(1), shard)
    elif change == "unfinished":
        (tmp_path / "o.work").mkdir()
    elif change == "damaged":
        (out / "data-00000.parquet").write_bytes(wanted[:-9])
    notes = Notes()
    run_score(data, out, notes, **more)
    assert notes.steps and not notes.about("already done")
    if change not in ("settings", "data", "model"):
        assert (out / "data-00000.parquet").read_bytes() == wanted
        assert (tmp_path / "o.rejects.parquet").exists()


def test_an_output_of_select_is_replaced(tmp_path):
    data, out = write_jsonl(tmp_path / "d.jsonl", pair_rows()), tmp_path / "o.parquet"
    scored = run_score(data, tmp_path / "s.parquet", **MODELS)
    run_select(tmp_path / "s.parquet", out, by="dcrm", top="1")
    assert run_score(data, out, **MODELS).rows == scored.rows
    assert pl.read_parquet(out).height == scored.rows


def test_a_function_that_changed_is_called_again(tmp_path, monkeypatch):
    file = tmp_path / "rewards_of_this_test.py"
    file.write_text("def length(rows):\n    return [float(len(row['response'])) for row in rows]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    data, out = write_jsonl(tmp_path / "d.jsonl", pair_rows()), tmp_path / "o.parquet"
    run_score(data, out, reward=("python:rewards_of_this_test:length",))
    file.write_text(file.read_text() + "# another version\n")
    notes = Notes()
    run_score(data, out, notes, reward=("python:rewards_of_this_test:length",))
    assert not notes.about("already done")


def test_a_tokenizers_tokens_are_not_replaced_by_words_unasked(tmp_path, demo_models):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(4))
    tokenizer = str(demo_models / "policy")
    run_score(data, tmp_path / "one.parquet", tokenizer=tokenizer)
    run_select(tmp_path / "one.parquet", tmp_path / "some.parquet", by="edit_distance", top="3")
    for held in ("one", "some"):
        with pytest.raises(SettingsError, match="counted tokens of 'policy'") as caught:
            run_score(tmp_path / f"{held}.parquet", tmp_path / "two.parquet")
        assert "--tokenizer=words" in caught.value.hint
    notes = Notes()
    run_score(tmp_path / "one.parquet", tmp_path / "kept.parquet", notes, tokenizer=tokenizer)
    one, kept = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("one", "kept"))
    assert kept["edit_distance"].equals(one["edit_distance"]) and not notes.said
    run_score(tmp_path / "one.parquet", tmp_path / "words.parquet", notes, tokenizer="words")
    assert "now it counts 'words'" in notes.about("edit distance counted")
