import hashlib
import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate
import curate.exporters.folder as folder_module
from curate.cards.plots import PLOTS
from curate.errors import InputError, SettingsError, StoreError
from curate.settings import parse_options
from tests.exporters.golden import CHOSEN, FORMATS, PROMPTS, REJECTED, rows, run_export, says, write

LOGPS = {"ref_chosen_logps": [-3.25, -1.5], "ref_rejected_logps": [-4.0, -2.75]}


@pytest.fixture
def data(tmp_path):
    return write(tmp_path / "d.jsonl", rows())


def bytes_of(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def read(folder):
    return pl.read_parquet(folder / "train.parquet").to_dicts()


def manifest_of(folder):
    return json.loads(pq.read_schema(folder / "train.parquet").metadata[b"curate"])


@pytest.mark.parametrize("to", FORMATS)
def test_the_same_input_gives_the_same_bytes(tmp_path, data, to) -> None:
    first = run_export(data, tmp_path / "one", to)
    run_export(data, tmp_path / "deep" / "two", to)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "deep" / "two")
    assert first.files == tuple(sorted(bytes_of(tmp_path / "one")))
    run_export(data, tmp_path / "one", to)  # in place of an earlier export
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "deep" / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.jsonl", "deep", "one"]


def test_trl_keeps_what_margin_aware_trainers_read(tmp_path) -> None:
    extra = LOGPS | {"weight": [0.5, 2.0], "target_margin": [0.1, 0.2], "margin": [1, 3], "dcrm": [0.1, 0.2]}
    result = run_export(write(tmp_path / "d.jsonl", rows(**extra)), tmp_path / "out", "trl")
    carried = ("ref_chosen_logps", "ref_rejected_logps", "weight", "target_margin", "margin")
    assert result.columns == ("prompt", "chosen", "rejected", *carried)
    assert [[row[name] for name in carried] for row in read(tmp_path / "out")] == [
        [-3.25, -4.0, 0.5, 0.1, 1.0],
        [-1.5, -2.75, 2.0, 0.2, 3.0],
    ]


def test_no_margin_is_made_up_for_trl_dpo(tmp_path, data) -> None:
    assert run_export(data, tmp_path / "out", "trl").columns == ("prompt", "chosen", "rejected")


def test_one_reference_column_alone_is_left_out(tmp_path) -> None:
    data = write(tmp_path / "d.jsonl", rows(ref_chosen_logps=[-1.0, -2.0]))
    assert run_export(data, tmp_path / "out", "trl").columns == ("prompt", "chosen", "rejected")


@pytest.mark.parametrize("to", ["trl-reward", "openrlhf", "ms-swift"])
def test_a_margin_column_goes_before_the_rewards(tmp_path, to) -> None:
    data = write(tmp_path / "d.jsonl", rows(margin=[7.0, 8.0]))
    run_export(data, tmp_path / "out", to)
    path = next((tmp_path / "out").glob("train.*"))
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_ndjson(path)
    assert frame["margin"].to_list() == [7.0, 8.0]


def test_a_margin_column_that_is_null_everywhere_gives_way_to_the_rewards(tmp_path) -> None:
    data = write(tmp_path / "d.jsonl", rows(margin=[None, None]))
    run_export(data, tmp_path / "out", "trl-reward")
    assert [row["margin"] for row in read(tmp_path / "out")] == [0.5, 2.5]
    assert manifest_of(tmp_path / "out")["margin"] == "difference of the rewards"


def test_a_row_without_the_number_that_a_trainer_reads_is_set_aside(tmp_path) -> None:
    data = write(tmp_path / "d.jsonl", rows(margin=[7.0, None]))
    result = run_export(data, tmp_path / "out", "trl-reward")
    assert result.rejected == {"there is no margin, which the trainer reads of every row": 1}
    assert [row["margin"] for row in read(tmp_path / "out")] == [7.0]


def test_without_rewards_there_is_no_margin(tmp_path) -> None:
    table = [{"prompt": "a", "chosen": "b", "rejected": "c"}]
    result = run_export(write(tmp_path / "d.jsonl", table), tmp_path / "out", "trl-reward")
    assert result.columns == ("chosen", "rejected")


@pytest.mark.parametrize("to", [name for name in FORMATS if name != "kto"])
def test_scores_are_kept_on_demand_only(tmp_path, to) -> None:
    table = rows(pair_id=["a", "b"], chosen_tokens=[3, 4], dcrm=[0.5, None], flags=[["tie"], []], repo_active=[True, 0])
    data = write(tmp_path / "d.jsonl", table)
    assert not [name for name in run_export(data, tmp_path / "one", to).columns if name.startswith("curate_")]
    kept = run_export(data, tmp_path / "two", to, keep_scores=True).columns
    assert {"curate_pair_id", "curate_chosen_tokens", "curate_dcrm", "curate_chosen_reward"} <= set(kept)
    assert not {"curate_flags", "curate_source"} & set(kept)
    path = next((tmp_path / "two").glob("train.*"))
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_ndjson(path)
    assert frame["curate_dcrm"].to_list() == [0.5, None]
    assert frame["curate_chosen_tokens"].to_list() == [3, 4]
    if to == "verl":
        assert not any(kind.is_nested() for kind in frame.dtypes)


def test_kto_has_no_place_for_scores(tmp_path, data) -> None:
    with pytest.raises(SettingsError, match="one response"):
        run_export(data, tmp_path / "out", "kto", keep_scores=True)


def test_kto_writes_equal_rows_once(tmp_path) -> None:
    table = [{"prompt": "p", "chosen": "a", "rejected": side} for side in ("b", "c", "b")]
    table.append({"prompt": "q", "chosen": "a", "rejected": "b"})
    result = run_export(write(tmp_path / "d.jsonl", table), tmp_path / "out", "kto")
    assert (result.pairs, result.rows) == (4, 5)
    found = [(r["prompt"][0]["content"], r["completion"][0]["content"], r["label"]) for r in read(tmp_path / "out")]
    assert found == [("p", "a", True), ("p", "b", False), ("p", "c", False), ("q", "a", True), ("q", "b", False)]


def test_bad_rows_are_set_aside_and_counted(tmp_path) -> None:
    table = [*rows(), "{broken", {"prompt": "p", "chosen": "a"}, {"prompt": "p", "chosen": "ä", "rejected": None}]
    data = write(tmp_path / "d.jsonl", table)
    result = run_export(data, tmp_path / "out", "trl")
    assert (result.pairs, result.rows, sum(result.rejected.values())) == (2, 2, 3)
    assert result.rejects == tmp_path / "out.rejects.parquet"
    found = pl.read_parquet(result.rejects)
    assert found.columns == ["source", "reason", "row"]
    assert sorted(found["source"]) == [f"d.jsonl:{i}" for i in (3, 4, 5)]
    assert any("ä" in row for row in found["row"])
    assert manifest_of(tmp_path / "out")["rows"] == {
        "pairs": 2,
        "written": 2,
        "rejected": dict(sorted(result.rejected.items())),
    }
    write(data, rows())
    assert run_export(data, tmp_path / "out", "trl").rejects is None
    assert not (tmp_path / "out.rejects.parquet").exists()


def test_strict_makes_a_bad_row_an_error(tmp_path) -> None:
    data = write(tmp_path / "d.jsonl", [*rows(), {"prompt": "p", "chosen": "a"}])
    with pytest.raises(InputError, match="A row cannot be used"):
        run_export(data, tmp_path / "out", "trl", strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]


def test_no_usable_row_is_an_error_and_leaves_nothing(tmp_path) -> None:
    table = [{"prompt": [says("user", "hm"), says("user", "hm?")], "chosen": "a", "rejected": "b"}]
    data = write(tmp_path / "d.jsonl", table)
    with pytest.raises(InputError, match="No row can be used") as caught:
        run_export(data, tmp_path / "out", "llamafactory")
    assert "alternate" in caught.value.what
    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]


def test_the_pair_of_a_row_of_candidates_is_written_with_its_margin(tmp_path) -> None:
    base = {"prompt": "p", "all_generated_responses": ["a", "b", "c"], "all_rm_scores": [1.0, 2.0, 5.0]}
    data = write(tmp_path / "d.jsonl", [{**base, "chosen": "c", "rejected": "a"}, base])
    result = run_export(data, tmp_path / "out", "trl-reward")
    assert result.rejected == {"a response of the pair is missing": 1}
    assert read(tmp_path / "out")[0]["margin"] == 4.0


def test_candidates_without_a_pair_are_refused(tmp_path) -> None:
    data = write(tmp_path / "d.jsonl", [{"prompt": "p", "responses": ["a", "b"], "rewards": [1.0, 2.0]}])
    with pytest.raises(InputError, match="names no chosen and rejected"):
        run_export(data, tmp_path / "out", "trl")


@pytest.mark.parametrize(("word", "hint"), [("tlr", "Did you mean trl"), ("zzz", "Known: argilla, axolotl")])
def test_an_unknown_format_is_refused_with_a_hint(tmp_path, data, word, hint) -> None:
    with pytest.raises(SettingsError) as caught:
        run_export(data, tmp_path / "out", word)
    assert hint in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_format_is_found_with_underscores_too(tmp_path, data) -> None:
    assert run_export(data, tmp_path / "out", "nemo_rl").format == "nemo-rl"


@pytest.mark.parametrize("names", [["notes.txt"], ["train.parquet"], ["README.md"]])
def test_a_folder_of_somebody_else_is_not_replaced(tmp_path, data, names) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in names:
        (out / name).write_text("mine")
    with pytest.raises(StoreError, match="something else"):
        run_export(data, out, "trl")
    assert [(out / name).read_text() for name in names] == ["mine"] * len(names)


def test_one_format_replaces_another(tmp_path, data) -> None:
    run_export(data, tmp_path / "out", "llamafactory")
    run_export(data, tmp_path / "out", "trl")
    assert sorted(bytes_of(tmp_path / "out")) == ["README.md", *PLOTS, "train.parquet", "trl_config.py"]


@pytest.mark.parametrize("name", ["out.parquet", "d.jsonl"])
def test_the_output_must_be_a_folder(tmp_path, data, name) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        run_export(data, tmp_path / name, "trl")
    assert data.exists()


def test_an_export_does_not_replace_its_own_input(tmp_path, data) -> None:
    run_export(data, tmp_path / "out", "trl")
    with pytest.raises(StoreError, match="own input"):
        run_export(tmp_path / "out" / "train.parquet", tmp_path / "out", "verl")
    assert (tmp_path / "out" / "train.parquet").exists()


def test_what_stops_half_way_leaves_the_earlier_export(tmp_path, data, monkeypatch) -> None:
    run_export(data, tmp_path / "out", "openrlhf")
    before = bytes_of(tmp_path / "out")
    write(data, [*rows(), {"prompt": "p", "chosen": "a"}])

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder_module, "export_card", full)
    with pytest.raises(StoreError, match="disk is full"):
        run_export(data, tmp_path / "out", "openrlhf")
    assert bytes_of(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.jsonl", "out"]


def test_exports_can_be_read_and_exported_again(tmp_path, data) -> None:
    run_export(data, tmp_path / "one", "trl-reward")
    run_export(tmp_path / "one" / "train.parquet", tmp_path / "two", "trl")
    found = read(tmp_path / "two")
    assert [row["prompt"] for row in found] == list(PROMPTS)
    assert [row["chosen"][0]["content"] for row in found] == list(CHOSEN)
    assert [row["rejected"][0]["content"] for row in found] == list(REJECTED)
    assert [row["margin"] for row in found] == [0.5, 2.5]
    assert manifest_of(tmp_path / "two")["history"][0]["settings"]["to"] == "trl-reward"
    assert str(tmp_path) not in json.dumps(manifest_of(tmp_path / "two"))


def test_more_rows_than_a_chunk_are_all_written_in_order(tmp_path) -> None:
    count = 10_000
    table = pa.table({"prompt": [f"p {i}" for i in range(count)], "chosen": ["a"] * count, "rejected": ["b"] * count})
    pq.write_table(table, tmp_path / "d.parquet")
    for to in ("trl", "nemo-rl"):
        assert run_export(tmp_path / "d.parquet", tmp_path / to, to).rows == count
    prompts = [row["prompt"][0]["content"] for row in read(tmp_path / "trl")]
    assert prompts == table["prompt"].to_pylist()
    lines = (tmp_path / "nemo-rl" / "train.jsonl").read_text().splitlines()
    assert [json.loads(line)["context"][0]["content"] for line in lines] == prompts


@pytest.mark.parametrize(
    ("extra", "trainer"),
    [({}, "DPOTrainer(model"), (LOGPS, "CuratedDPOTrainer(model"), ({"weight": [1.0, 2.0]}, "CuratedDPOTrainer(model")],
)
def test_the_trl_script_fits_the_columns(tmp_path, extra, trainer) -> None:
    run_export(write(tmp_path / "d.jsonl", rows(**extra)), tmp_path / "out", "trl")
    script = (tmp_path / "out" / "trl_config.py").read_text()
    compile(script, "trl_config.py", "exec")
    assert f"trainer = {trainer}" in script
    assert ('LOSS, OPTIONS = "dpo", {}' in script) == bool(extra)


@pytest.mark.parametrize(
    ("method", "options", "line"),
    [
        ("gamma-po", ["gamma_po.beta=5"], "LOSS, OPTIONS = \"simpo\", {'beta': 5.0}"),
        ("gamma-po", ["gamma_po.beta=0.2", "gamma_po.form=dpo"], "LOSS, OPTIONS = \"dpo\", {'beta': 0.2}"),
        ("amapo", [], "LOSS, OPTIONS = \"simpo\", {'beta': 2.0}"),
        ("beta-dpo", [], 'LOSS, OPTIONS = "dpo", {}'),
        ("repo", [], "LOSS, OPTIONS = \"repo\", {'gamma': 0.4}"),
        ("bpo", [], "LOSS, OPTIONS = \"bpo\", {'beta': 0.1, 'alpha': 0.3}"),
    ],
)
def test_the_trl_script_names_the_loss_of_the_weights(tmp_path, method, options, line) -> None:
    measured = {"policy_chosen_logps": [-1.0, -2.0], "policy_rejected_logps": [-3.0, -4.0]}
    tokens = {"chosen_tokens": [2, 3], "rejected_tokens": [4, 5]}
    data = write(tmp_path / "d.jsonl", rows(**LOGPS, **measured, **tokens))
    curate.weigh(data, tmp_path / "w.parquet", method=method, options=parse_options(options))
    curate.select(tmp_path / "w.parquet", tmp_path / "s.parquet", where="chosen_tokens > 0")
    run_export(tmp_path / "s.parquet", tmp_path / "out", "trl")
    script = (tmp_path / "out" / "trl_config.py").read_text()
    assert line in script
    assert ("remove_columns(['weight'])" in script) == (method == "repo")


def test_target_margins_of_unknown_origin_name_no_loss(tmp_path) -> None:
    run_export(write(tmp_path / "d.jsonl", rows(target_margin=[0.1, 0.2])), tmp_path / "out", "trl")
    assert "NAME-OF-THE-LOSS" in (tmp_path / "out" / "trl_config.py").read_text()


def test_what_proves_the_reference_columns_goes_with_them(tmp_path) -> None:
    proofs = {"policy_chosen_logps": [-1.0, -2.0], "policy_rejected_logps": [-3.0, -4.0], "chosen_tokens": [2, 3]}
    run_export(write(tmp_path / "d.jsonl", rows(**LOGPS, **proofs)), tmp_path / "out", "trl")
    row = read(tmp_path / "out")[0]
    assert (row["curate_policy_chosen_logps"], row["curate_chosen_tokens"]) == (-1.0, 2)
    run_export(write(tmp_path / "e.jsonl", rows(**proofs)), tmp_path / "bare", "trl")
    assert set(read(tmp_path / "bare")[0]) == {"prompt", "chosen", "rejected"}
