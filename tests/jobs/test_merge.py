"""`curate score --shard` and `curate merge`: the bytes of one run, and nothing else than one whole run."""

import shutil
from datetime import date

import polars as pl
import pytest

from curate.errors import CurateError, SettingsError, StoreError
from curate.jobs.merge import MergeSettings, merge
from curate.progress import Silent
from curate.responses.sharing import measuring
from curate.settings import make
from tests.commands.helpers import Notes, candidate_rows, pair_rows, run_score, write_jsonl

ROWS = 40
SETTINGS = {"policy": "fake:1", "reference": "fake:2", "reward": ("fake:3",), "embedder": "fake:4", "batch_tokens": 60}


def run_merge(shards, out, to=None, **more):
    return merge(make(MergeSettings, {"data": tuple(map(str, shards)), "out": out, **more}), to or Silent())


def measured(data, folder, of, **settings):
    """The files of all shares."""
    places = [folder / f"shard-{number}.parquet" for number in range(1, of + 1)]
    for number, place in enumerate(places, 1):
        run_score(data, place, **settings, shard=f"{number}/{of}")
    return places


@pytest.fixture
def data(tmp_path):
    rows = pair_rows(ROWS)
    rows[7]["chosen"] = rows[3]["chosen"]
    rows[7]["prompt"] = rows[3]["prompt"]
    return write_jsonl(tmp_path / "d.jsonl", [*rows, "{broken"])


@pytest.mark.parametrize(("of", "split"), [(1, True), (3, True), (3, False)])
def test_merged_shards_are_the_bytes_of_one_run(data, tmp_path, monkeypatch, of, split):
    """By batches, as in small data; and by whole windows."""
    monkeypatch.setattr(measuring, "WHOLE_WINDOWS", 16 if split else 0)
    monkeypatch.setattr("curate.responses.stage.CHUNK_ROWS", 4)
    whole = run_score(data, tmp_path / "one.parquet", **SETTINGS)
    shards = measured(data, tmp_path, of, **SETTINGS)
    merged = run_merge(reversed(shards), tmp_path / "m.parquet")
    assert (tmp_path / "m.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()
    rejects = [tmp_path / f"{name}.rejects.parquet" for name in ("m", "one")]
    assert rejects[0].read_bytes() == rejects[1].read_bytes()
    assert (merged.rows, merged.rejected, merged.metrics) == (whole.rows, whole.rejected, whole.metrics)
    assert not list(tmp_path.glob("*.work"))


def test_every_number_is_measured_once_and_about_equally(data, tmp_path):
    shards = [pl.read_parquet(one) for one in measured(data, tmp_path, 3, **SETTINGS)]
    together = pl.concat(shards).select("scorer", "key")
    assert together.is_duplicated().sum() == 0
    counts = dict(together["scorer"].value_counts().iter_rows())
    assert counts == {"policy": 79, "reference": 79, "reward.fake_3": 79, "edit": 40, "embedding": 40}
    for shard in shards:
        assert 10 < shard.filter(scorer="policy").height < 45


def test_candidates_and_judges_are_shared_out_too(tmp_path):
    data = write_jsonl(tmp_path / "c.jsonl", candidate_rows(20))
    settings = {"policy": "fake:1", "reward": ("a=judge:fake:5", "b=fake:3"), "batch_tokens": 100}
    run_score(data, tmp_path / "one.parquet", **settings)
    run_merge(measured(data, tmp_path, 3, **settings), tmp_path / "m.parquet")
    assert (tmp_path / "m.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_a_merge_opens_no_model(data, tmp_path, monkeypatch):
    shards = measured(data, tmp_path, 2, **SETTINGS)

    def opened(*_):
        raise AssertionError("a model was opened")

    monkeypatch.setattr("curate.scorers.model_scorers.open_logprobs", opened)
    monkeypatch.setattr("curate.scorers.model_scorers.open_rewards", opened)
    monkeypatch.setattr("curate.scorers.embedding_distance.open_embeddings", opened)
    run_merge(shards, tmp_path / "m.parquet")
    again = Notes()
    run_merge(shards, tmp_path / "m.parquet", again)
    assert again.about("already done")


def test_several_processes_measure_a_share(data, tmp_path):
    settings = {"policy": "fake:1", "batch_tokens": 60}
    run_score(data, tmp_path / "one.parquet", **settings)
    shards = measured(data, tmp_path, 2, **settings, workers=2)
    run_merge(shards, tmp_path / "m.parquet")
    assert (tmp_path / "m.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_a_stopped_shard_measures_nothing_twice(data, tmp_path, monkeypatch):
    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("curate.jobs.score.write_share", dies)
        with pytest.raises(KeyboardInterrupt):
            run_score(data, tmp_path / "s.parquet", **SETTINGS, shard="1/2")
    with monkeypatch.context() as patched:
        patched.setattr("curate.engines.local.Here.measure", dies)
        result = run_score(data, tmp_path / "s.parquet", **SETTINGS, shard="1/2")
    again = run_score(data, tmp_path / "s.parquet", **SETTINGS, shard="1/2")
    assert again == result
    assert sum(result.measured.values()) == pl.read_parquet(tmp_path / "s.parquet").height


def test_what_is_not_one_whole_run_is_refused(data, tmp_path):
    one, two, three = measured(data, tmp_path, 3, policy="fake:1")
    copy = shutil.copy(one, tmp_path / "copy.parquet")
    table = tmp_path / "table.parquet"
    run_score(data, table, policy="fake:1")
    (tmp_path / "other").mkdir()
    other = measured(data, tmp_path / "other", 3, policy="fake:2")[1]
    (tmp_path / "half").mkdir()
    half = measured(data, tmp_path / "half", 2, policy="fake:1")[1]
    for given, what, where in [
        ((one, three), "1 shard of 3 missing: 2/3", one),
        ((two,), "2 shards of 3 missing: 1/3, 3/3", two),
        ((one, copy, two, three), "given twice", copy),
        ((one, other, three), "other settings or data", other),
        ((one, half, three), "shard 2/2", half),
        ((one, table, three), "not a shard", table),
    ]:
        with pytest.raises(CurateError, match=what) as caught:
            run_merge(given, tmp_path / "m.parquet")
        assert str(where) in caught.value.where
        assert caught.value.hint
        assert not (tmp_path / "m.parquet").exists()


def test_data_that_changed_since_is_refused(data, tmp_path):
    shards = measured(data, tmp_path, 2, policy="fake:1")
    write_jsonl(data, pair_rows(ROWS + 1))
    with pytest.raises(StoreError, match="changed since"):
        run_merge(shards, tmp_path / "m.parquet")
    assert not (tmp_path / "m.parquet").exists()


def test_a_shard_that_lacks_numbers_is_refused(data, tmp_path):
    shards = measured(data, tmp_path, 2, policy="fake:1")
    import pyarrow.parquet as pq

    table = pq.read_table(shards[0])
    pq.write_table(table.slice(3), shards[0])
    with pytest.raises(StoreError, match="3 are missing and 0 there twice"):
        run_merge(shards, tmp_path / "m.parquet")


@pytest.mark.parametrize("more", [{"out": "folder"}, {"cache": "numbers"}, {"shard": "3/2"}])
def test_settings_that_cannot_be_shared_out_are_refused(data, tmp_path, more):
    values = {"data": (str(data),), "out": tmp_path / "s.parquet", "shard": "1/2", **more}
    with pytest.raises(SettingsError) as caught:
        run_score(data, values.pop("out"), **{key: one for key, one in values.items() if key != "data"})
    assert caught.value.setting in more


DATED = (
    "{% for m in messages %}{{ m['role'] }} on {{ strftime_now('%Y-%m-%d') }}: {{ m['content'] }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}assistant on {{ strftime_now('%Y-%m-%d') }}: {% endif %}"
)


def test_the_day_of_the_shards_is_the_day_of_the_merge(tmp_path, monkeypatch, demo_models):
    """And shards that were begun on two days are of two runs."""
    template = tmp_path / "dated.jinja"
    template.write_text(DATED)
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(6))
    settings = {"policy": str(demo_models / "policy"), "chat_template": template, "device": "cpu"}

    def on(day):
        monkeypatch.setattr("curate.plan.template_date.today", lambda: date(2026, 1, day))

    on(1)
    run_score(data, tmp_path / "one.parquet", **settings)
    shards = measured(data, tmp_path, 2, **settings)
    on(2)
    run_merge(shards, tmp_path / "m.parquet")
    assert (tmp_path / "m.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()
    run_score(data, tmp_path / "late.parquet", **settings, shard="2/2")
    with pytest.raises(StoreError, match='"2026-01-01" -> "2026-01-02"') as caught:
        run_merge([shards[0], tmp_path / "late.parquet"], tmp_path / "m2.parquet")
    assert "--template-date" in caught.value.hint
