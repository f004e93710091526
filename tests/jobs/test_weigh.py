import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import InputError, SettingsError, StoreError
from curate.jobs.weigh import WeighSettings, weigh
from curate.progress import Silent
from curate.settings import make, parse_options
from curate.weighing.registry import all_methods
from tests.commands.helpers import MODELS, pair_rows, read_manifest, rows_of, run_score, run_select, write_jsonl
from tests.commands.terminal import Terminal
from tests.metrics.tables import random_table
from tests.weighing.plain import columns

METHODS = ["gamma-po", "madpo", "amapo", "bpo", "repo", "beta-dpo"]
TYPES = {
    "gamma_po_margin": "double",
    "madpo_weight": "double",
    "madpo_reverted": "bool",
    "amapo_margin": "double",
    "bpo_margin": "double",
    "bpo_binding": "string",
    "chosen_degraded": "bool",
    "repo_gap": "double",
    "repo_active": "bool",
    "beta_dpo_weight": "double",
    "weight": "double",
    "target_margin": "double",
    "margin": "double",
}


@pytest.fixture
def curate(monkeypatch, capsys):
    return Terminal(monkeypatch, capsys)


@pytest.fixture
def data(tmp_path):
    """A table that nobody's `curate` made: no manifest, 12 rows, one without a policy's log-probability."""
    return write_table(tmp_path / "t.parquet")


def holed_rows():
    frame = random_table(seed=1, rows=12)
    rows = [{"prompt": f"p {i}", **row} for i, row in enumerate(frame.iter_rows(named=True))]
    rows[4] |= {"policy_chosen_logps": None, "chosen_reward": None}
    return rows


def write_table(path):
    pq.write_table(pa.Table.from_pylist(holed_rows()), path)
    return path


def run_weigh(path, out, method, set_=(), **more):
    values = {"data": (str(path),), "out": out, "method": method, "options": parse_options(list(set_)), **more}
    return weigh(make(WeighSettings, values), Silent())


def test_every_method_takes_part():
    assert {name.replace("-", "_") for name in METHODS} == set(all_methods())


@pytest.mark.parametrize("method", METHODS)
def test_the_rows_stay_and_the_methods_columns_stand_beside_them(tmp_path, data, method):
    out = tmp_path / "o.parquet"
    result = run_weigh(data, out, method)
    made = columns(method, pl.DataFrame(holed_rows()))
    assert (result.out, result.method, result.rows, result.nulls) == (out, method.replace("-", "_"), 12, 1)
    assert pl.read_parquet(out).select(pl.read_parquet(data).columns).equals(pl.read_parquet(data))
    assert pq.read_schema(out).names == [*pq.read_schema(data).names, *made, "margin"]
    for name, values in made.items():
        assert pl.read_parquet(out)[name].to_list() == values.to_list()
        assert [row for row, value in enumerate(values.to_list()) if value is None] == [4]
    types = {name: str(pq.read_schema(out).field(name).type) for name in [*made, "margin"]}
    assert types == {name: TYPES[name] for name in types}


@pytest.mark.parametrize("method", METHODS)
def test_the_reward_margin_stands_in_margin(tmp_path, data, method):
    run_weigh(data, tmp_path / "o.parquet", method)
    for row in rows_of(tmp_path / "o.parquet"):
        wanted = None if row["chosen_reward"] is None else row["chosen_reward"] - row["rejected_reward"]
        assert row["margin"] == wanted


def test_no_rewards_no_margin(tmp_path):
    frame = random_table(seed=2, rows=4).drop("chosen_reward", "rejected_reward")
    frame.write_parquet(tmp_path / "t.parquet")
    run_weigh(tmp_path / "t.parquet", tmp_path / "o.parquet", "amapo")
    names = pq.read_schema(tmp_path / "o.parquet").names
    assert "margin" not in names
    assert "target_margin" in names


def test_the_summary_counts_nulls_and_tells_of_numbers_only(tmp_path, data):
    result = run_weigh(data, tmp_path / "o.parquet", "bpo")
    assert [(column.name, column.nulls) for column in result.columns] == [("bpo_margin", 1), ("margin", 1)]
    assert result.parameters == {"beta": 0.1, "alpha": 0.3}


@pytest.mark.parametrize(
    ("method", "set_", "population"),
    [
        ("gamma-po", [], "all 11 measured rows, under the frozen policy"),
        ("gamma-po", ["gamma_po.batch=3"], "consecutive batches of 3 among 11 measured rows, under the frozen policy"),
        ("gamma-po", ["gamma_po.batch=11"], "all 11 measured rows, under the frozen policy"),
        (
            "gamma-po",
            ["gamma_po.batch=10"],
            "consecutive batches of 10 among 11 measured rows, under the frozen policy",
        ),
        ("gamma-po", ["gamma-po.batch=all"], "all 11 measured rows, under the frozen policy"),
        ("amapo", [], "all 11 measured rows, under the frozen policy"),
        ("madpo", [], "all 11 measured rows, under the frozen policy"),
    ],
)
def test_the_manifest_says_which_rows_stood_in_for_the_batch(tmp_path, data, method, set_, population):
    run_weigh(data, tmp_path / "o.parquet", method, set_)
    assert read_manifest(tmp_path / "o.parquet")["population"] == population


def test_the_manifest(tmp_path, data):
    run_weigh(data, tmp_path / "o.parquet", "madpo", ["madpo.lambda=2"])
    manifest = read_manifest(tmp_path / "o.parquet")
    assert manifest["parameters"] == {"c_max": 2.0, "c_min": 0.5, "lambda": 2.0, "tau": 2.0}
    assert {key: manifest[key] for key in ("command", "method", "preset", "rows", "history")} == {
        "command": "weigh",
        "method": "madpo",
        "preset": None,
        "rows": {"written": 12, "null": 1, "rejected": {}},
        "history": [],
    }
    assert len(manifest["inputs"]) == 1


def test_a_preset_fills_in_what_was_not_set(tmp_path, data):
    result = run_weigh(data, tmp_path / "o.parquet", "gamma-po", ["gamma_po.tau=7"], preset="gemma-2-9b-it")
    wanted = {"beta": 10.0, "ratio": 0.5, "tau": 7.0, "form": "simpo", "batch": 256, "steps": 20}
    assert result.parameters == read_manifest(tmp_path / "o.parquet")["parameters"] == wanted
    assert read_manifest(tmp_path / "o.parquet")["preset"] == "gemma-2-9b-it"


@pytest.mark.parametrize("method", METHODS)
def test_json_lines_give_what_parquet_gives(tmp_path, data, method):
    lines = write_jsonl(tmp_path / "t.jsonl", holed_rows())
    run_weigh(lines, tmp_path / "j.parquet", method)
    run_weigh(data, tmp_path / "o.parquet", method)
    assert rows_of(tmp_path / "j.parquet") == rows_of(tmp_path / "o.parquet")


def test_what_was_weighed_can_be_weighed_again(tmp_path, data):
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    run_weigh(data, first, "madpo")
    run_weigh(first, second, "amapo")
    names = pq.read_schema(second).names
    assert {"madpo_weight", "weight", "amapo_margin", "target_margin"} <= set(names)
    assert len(names) == len(set(names))
    assert [entry["method"] for entry in read_manifest(second)["history"]] == ["madpo"]
    run_weigh(second, tmp_path / "c.parquet", "repo")
    row = rows_of(tmp_path / "c.parquet")[0]
    assert row["weight"] == float(row["repo_active"])


def test_a_table_that_curate_scored(tmp_path):
    lines = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(lines, tmp_path / "s.parquet", **MODELS)
    for method in METHODS:
        assert run_weigh(tmp_path / "s.parquet", tmp_path / "o.parquet", method).nulls == 0
        assert read_manifest(tmp_path / "o.parquet")["history"][0]["command"] == "score"


def test_beta_dpo_weighs_the_rows_it_is_given(tmp_path):
    """A weight that `score` computed over other rows is not this table's."""
    lines = write_jsonl(tmp_path / "d.jsonl", pair_rows(30))
    run_score(lines, tmp_path / "s.parquet", **MODELS)
    run_select(tmp_path / "s.parquet", tmp_path / "t.parquet", by="dpo_margin", top="8")
    run_weigh(tmp_path / "t.parquet", tmp_path / "o.parquet", "beta-dpo")
    frame = pl.read_parquet(tmp_path / "o.parquet")
    wanted = columns("beta_dpo", frame.drop("beta_dpo_weight", "weight"))["weight"].to_list()
    assert frame["weight"].to_list() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("method", "more", "what"),
    [
        ("gama-po", {}, "There is no method gama-po."),
        ("gamma-po", {"preset": "llama"}, "gamma_po has no preset llama."),
        ("madpo", {"preset": "llama-3-8b-it"}, "madpo has no preset llama-3-8b-it."),
        ("gamma-po", {"set_": ["gamma_po.tua=1"]}, "gamma_po has no parameter tua."),
        ("gamma-po", {"set_": ["madpo.tau=1"]}, "madpo is not the method of this run."),
        ("gamma-po", {"set_": ["dcrm.eps=1"]}, "dcrm is not the method of this run."),
        ("gamma-po", {"set_": ["gamma_po.tau=0"]}, "gamma_po.tau cannot be '0'"),
    ],
)
def test_bad_settings_are_refused_before_any_data_is_read(tmp_path, method, more, what):
    with pytest.raises(SettingsError) as error:
        run_weigh(tmp_path / "missing.parquet", tmp_path / "o.parquet", method, **more)
    assert error.value.what.startswith(what)
    assert error.value.hint
    assert list(tmp_path.iterdir()) == []


def test_bpo_of_one_model_is_refused(tmp_path):
    frame = random_table(seed=3, rows=5)
    same = frame.with_columns(ref_chosen_logps="policy_chosen_logps", ref_rejected_logps="policy_rejected_logps")
    same.write_parquet(tmp_path / "t.parquet")
    with pytest.raises(SettingsError, match="differs from the reference"):
        run_weigh(tmp_path / "t.parquet", tmp_path / "o.parquet", "bpo")
    assert not (tmp_path / "o.parquet").exists()


def test_the_input_is_not_replaced(data):
    before = data.read_bytes()
    with pytest.raises(StoreError, match="its own input"):
        run_weigh(data, data, "repo")
    assert data.read_bytes() == before


def test_the_command(curate, tmp_path, data):
    words = ("weigh", data, "-o", tmp_path / "o.parquet", "--method", "gamma-po", "--preset", "llama-3-8b-it")
    code, out, _ = curate(*words)
    assert code == 0
    assert "gamma_po_margin" in out
    frame = pl.read_parquet(tmp_path / "o.parquet")
    assert frame["gamma_po_margin"].mean() == pytest.approx(4.0)
    assert frame["target_margin"].to_list() == frame["gamma_po_margin"].to_list()
    assert read_manifest(tmp_path / "o.parquet")["preset"] == "llama-3-8b-it"


def test_the_quiet_command_says_nothing(curate, tmp_path, data):
    assert curate("weigh", data, "-o", tmp_path / "o.parquet", "--method", "repo", "-q") == (0, "", "")
    assert (tmp_path / "o.parquet").exists()


def test_the_command_sets_parameters(curate, tmp_path, data):
    words = ("--method", "madpo", "--set", "madpo.lambda=3", "--set", "madpo.tau=0")
    assert curate("weigh", data, "-o", tmp_path / "o.parquet", *words)[0] == 0
    assert read_manifest(tmp_path / "o.parquet")["parameters"]["lambda"] == 3.0


def test_madpo_without_rewards_is_refused_with_2(curate, tmp_path):
    random_table(seed=4, rows=3).select("policy_chosen_logps").write_parquet(tmp_path / "t.parquet")
    code, _, err = curate("weigh", tmp_path / "t.parquet", "-o", tmp_path / "o.parquet", "--method", "madpo")
    assert code == 2
    assert "chosen_reward" in err
    assert "Traceback" not in err
    assert not (tmp_path / "o.parquet").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--method", "gamma-pi"),
        ("--method", "gamma-po", "--preset", "gpt"),
        ("--method", "gamma-po", "--set", "repo.gamma=1"),
        ("--method", "gamma-po", "--set", "gamma_po.gamma=1"),
        (),
    ],
)
def test_bad_words_end_with_2(curate, tmp_path, data, words):
    code, _, err = curate("weigh", data, "-o", tmp_path / "o.parquet", *words)
    assert code == 2
    assert "Traceback" not in err
    assert not (tmp_path / "o.parquet").exists()


def test_a_table_without_rows_is_refused(tmp_path):
    random_table(seed=5, rows=3).head(0).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match="no rows"):
        run_weigh(tmp_path / "t.parquet", tmp_path / "o.parquet", "gamma-po")


@pytest.mark.parametrize("method", METHODS)
def test_a_table_without_a_measured_row(tmp_path, method):
    frame = random_table(seed=6, rows=3)
    frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in frame.columns).write_parquet(
        tmp_path / "t.parquet"
    )
    result = run_weigh(tmp_path / "t.parquet", tmp_path / "o.parquet", method)
    assert (result.rows, result.nulls) == (3, 3)
    assert json.dumps(read_manifest(tmp_path / "o.parquet")["rows"]) == '{"null": 3, "rejected": {}, "written": 3}'
