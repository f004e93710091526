import json
import math
import random
from fractions import Fraction

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import CurateError, SettingsError, StoreError
from tests.commands.helpers import MODELS, Notes, pair_rows, read_manifest, rows_of, run_score, run_select, write_jsonl


def table(count=100, seed=0, holes=True):
    """Random rows with many equal values, NaN and null."""
    rng = random.Random(seed)
    special = [None, float("nan")] if holes else []
    return [
        {
            "pair_id": f"{rng.getrandbits(64):016x}",
            "prompt": f"p {rng.randint(0, count // 3)}",
            "chosen": f"c {i}",
            "rejected": f"r {i}",
            "m": rng.choice([*special, 0.0, 1.0, 2.0, rng.gauss(0, 1), rng.gauss(0, 1)]),
            "group": rng.choice("abc"),
            "n": rng.randint(0, 9),
            "chosen_reward": float(rng.randint(0, 2)),
            "rejected_reward": float(rng.randint(0, 2)),
        }
        for i in range(count)
    ]


def save(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def known(row):
    return row["m"] is not None and math.isfinite(row["m"])


def best_first(rows, high=True):
    return sorted((r for r in rows if known(r)), key=lambda r: (-r["m"] if high else r["m"], r["pair_id"]))


def chosen(path):
    return [row["chosen"] for row in rows_of(path)]


def in_order(rows, kept):
    names = {row["chosen"] for row in kept}
    return [row["chosen"] for row in rows if row["chosen"] in names]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("amount", ["10%", "29%", "2.5%", "100%", "7", "1000"])
@pytest.mark.parametrize("end", ["top", "bottom"])
def test_ends_are_those_of_a_plain_sort(tmp_path, seed, amount, end):
    rows = table(100 + seed, seed)
    count = math.floor(Fraction(amount[:-1]) * len(rows) / 100) if amount.endswith("%") else int(amount)
    result = run_select(save(tmp_path / "t.parquet", rows), tmp_path / "o.parquet", by="m", **{end: amount})
    wanted = in_order(rows, best_first(rows, high=end == "top")[:count])
    assert chosen(tmp_path / "o.parquet") == wanted
    assert (result.rows, result.kept) == (len(rows), len(wanted))


def test_the_cut_is_the_least_good_value_kept(tmp_path):
    data = save(tmp_path / "t.parquet", [{"pair_id": str(i), "m": float(i)} for i in range(10)])
    for given, cut in (({"top": "3"}, 7.0), ({"top": "3", "order": "lowest"}, 2.0), ({"top": "3", "below": 9.0}, 7.0)):
        assert run_select(data, tmp_path / "o.parquet", by="m", **given).cut == cut
    assert run_select(data, tmp_path / "o.parquet", by="m", above=99.0).cut is None


def test_29_percent_of_100_is_29(tmp_path):
    rows = table(100, holes=False)
    data = save(tmp_path / "t.parquet", rows)
    for percent in range(1, 101):
        assert run_select(data, tmp_path / "o.parquet", by="m", top=f"{percent}%").kept == percent


@pytest.mark.parametrize(("count", "amount", "kept"), [(10, "50%", (2, 7)), (10, "3", (3, 6)), (9, "3", (3, 6))])
def test_the_middle_leaves_out_as_many_at_either_end(tmp_path, count, amount, kept):
    rows = [{"pair_id": str(i), "chosen": f"c{i}", "m": float(-i)} for i in range(count)]
    run_select(save(tmp_path / "t.parquet", rows), tmp_path / "o.parquet", by="m", middle=amount)
    assert chosen(tmp_path / "o.parquet") == [f"c{i}" for i in range(*kept)]


def test_bounds_are_exclusive_and_join(tmp_path):
    rows = table()
    data = save(tmp_path / "t.parquet", rows)
    run_select(data, tmp_path / "o.parquet", by="m", above=0.0)
    assert chosen(tmp_path / "o.parquet") == [r["chosen"] for r in rows if known(r) and r["m"] > 0]
    run_select(data, tmp_path / "o.parquet", by="m", above=-0.5, below=1.0)
    assert chosen(tmp_path / "o.parquet") == [r["chosen"] for r in rows if known(r) and -0.5 < r["m"] < 1]
    run_select(data, tmp_path / "o.parquet", by="m", top="30", below=1.0)
    assert chosen(tmp_path / "o.parquet") == in_order(rows, [r for r in best_first(rows)[:30] if r["m"] < 1])


def test_order_can_be_turned_around(tmp_path):
    rows = table()
    run_select(save(tmp_path / "t.parquet", rows), tmp_path / "o.parquet", by="m", top="20%", order="lowest")
    assert chosen(tmp_path / "o.parquet") == in_order(rows, best_first(rows, high=False)[:20])


def test_share_within_each_group(tmp_path):
    rows = table(200)
    run_select(save(tmp_path / "t.parquet", rows), tmp_path / "o.parquet", by="m", top="15%", per="group")
    kept = []
    for group in "abc":
        inside = [row for row in rows if row["group"] == group]
        kept += best_first(inside)[: len(inside) * 15 // 100]
    assert chosen(tmp_path / "o.parquet") == in_order(rows, kept)


def test_one_per_prompt(tmp_path):
    rows = table(120, holes=False)
    run_select(save(tmp_path / "t.parquet", rows), tmp_path / "o.parquet", by="m", one_per_prompt=True)
    best = {}
    for row in best_first(rows):
        best.setdefault(row["prompt"], row)
    assert chosen(tmp_path / "o.parquet") == in_order(rows, best.values())


def test_drop_ties(tmp_path):
    rows = table()
    run_select(save(tmp_path / "t.parquet", rows), tmp_path / "o.parquet", drop_ties=True)
    assert chosen(tmp_path / "o.parquet") == [r["chosen"] for r in rows if r["chosen_reward"] != r["rejected_reward"]]


def test_where_alone_and_before_the_share(tmp_path):
    rows = table()
    data = save(tmp_path / "t.parquet", rows)
    run_select(data, tmp_path / "o.parquet", where="n >= 3 AND \"group\" = 'a'")
    inside = [r for r in rows if r["n"] >= 3 and r["group"] == "a"]
    assert chosen(tmp_path / "o.parquet") == [r["chosen"] for r in inside]
    run_select(data, tmp_path / "o.parquet", by="m", top="50%", where="n >= 3")
    inside = [r for r in rows if r["n"] >= 3]
    assert chosen(tmp_path / "o.parquet") == in_order(rows, best_first(inside)[: len(inside) // 2])


@pytest.mark.parametrize(
    "where",
    [
        "(select 1)",
        "m > (select 1)",
        "m > (select max(m) from self)",
        "nothing > 1",
        "n + 1",
        "1",
        "true",
        "drop table x",
        "n > 1; drop table x",
        "",
        "n > 'a' +",
        "m in (select m from read_csv('/etc/passwd'))",
        "exists (select 1)",
    ],
)
def test_where_is_an_expression_of_columns_and_nothing_else(tmp_path, where):
    data = save(tmp_path / "t.parquet", table())
    with pytest.raises(SettingsError):
        run_select(data, tmp_path / "o.parquet", where=where)
    assert not (tmp_path / "o.parquet").exists()


def test_rejects_hold_the_other_rows_with_a_reason_each(tmp_path):
    rows = table()
    result = run_select(
        save(tmp_path / "t.parquet", rows),
        tmp_path / "o.parquet",
        by="m",
        top="20%",
        where="n >= 2",
        drop_ties=True,
        one_per_prompt=True,
        left_out=tmp_path / "no.parquet",
    )
    kept, rest = rows_of(tmp_path / "o.parquet"), rows_of(tmp_path / "no.parquet")
    assert len(kept) + len(rest) == len(rows)
    assert {r["chosen"] for r in kept} | {r["chosen"] for r in rest} == {r["chosen"] for r in rows}
    assert all(row["reject_reason"] for row in rest)
    for row in rest:
        if row["n"] < 2:
            assert row["reject_reason"] == "where: n >= 2"
        elif row["chosen_reward"] == row["rejected_reward"]:
            assert row["reject_reason"] == "tie"
    assert sum(result.reasons.values()) == len(rest)
    assert [row["chosen"] for row in rest] == in_order(rows, rest)
    said, of_rest = (read_manifest(tmp_path / f"{name}.parquet") for name in ("o", "no"))
    assert of_rest == said | {"part": "not kept"} != said


def test_rejects_and_output_must_differ(tmp_path):
    data = save(tmp_path / "t.parquet", table())
    with pytest.raises(CurateError):
        run_select(data, tmp_path / "o.parquet", by="m", top="20%", left_out=tmp_path / "o.parquet")


def test_nothing_written_when_the_rejects_place_is_bad(tmp_path):
    data = save(tmp_path / "t.parquet", table())
    with pytest.raises(StoreError):
        run_select(data, tmp_path / "o.parquet", by="m", top="20%", left_out=tmp_path / "no.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.parquet"]


def test_ties_without_pair_id_go_to_the_earlier_row(tmp_path):
    rows = [{"chosen": f"c{i}", "m": float(i % 2)} for i in range(10)]
    run_select(save(tmp_path / "t.parquet", rows), tmp_path / "o.parquet", by="m", top="3")
    assert chosen(tmp_path / "o.parquet") == ["c1", "c3", "c5"]


def test_ties_do_not_depend_on_the_order_of_rows(tmp_path):
    rows = [{**row, "m": 1.0} for row in table(40)]
    run_select(save(tmp_path / "t.parquet", rows), tmp_path / "o.parquet", by="m", top="7")
    run_select(save(tmp_path / "u.parquet", rows[::-1]), tmp_path / "v.parquet", by="m", top="7")
    assert chosen(tmp_path / "o.parquet") == chosen(tmp_path / "v.parquet")[::-1]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_foreign_tables_of_other_kinds(tmp_path, kind):
    rows = [{"prompt": "p", "chosen": f"c{i}", "rejected": "r", "m": float(i)} for i in range(10)]
    data = tmp_path / f"t.{kind}"
    if kind == "jsonl":
        write_jsonl(data, rows)
    else:
        pl.DataFrame(rows).write_csv(data)
    run_select(data, tmp_path / "o.parquet", by="m", top="30%")
    assert chosen(tmp_path / "o.parquet") == ["c7", "c8", "c9"]
    assert pq.read_schema(tmp_path / "o.parquet").names == ["prompt", "chosen", "rejected", "m"]


def scored(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(30))
    run_score(data, tmp_path / "s.parquet", **MODELS)
    return tmp_path / "s.parquet"


def test_dpo_gap_keeps_the_smallest(tmp_path):
    data = scored(tmp_path)
    result = run_select(data, tmp_path / "o.parquet", by="dpo_gap", top="10%")
    gaps = pl.read_parquet(data)["dpo_margin"].sort()[:3].to_list()
    assert sorted(row["dpo_margin"] for row in rows_of(tmp_path / "o.parquet")) == gaps
    assert (result.order, result.cut) == ("lowest", gaps[-1])


def test_a_set_parameter_computes_the_metric_anew_in_place(tmp_path):
    data = scored(tmp_path)
    result = run_select(
        data, tmp_path / "o.parquet", by="dcrm", top="100%", set_=["dcrm.eps=0.1", "dcrm.distance=edit"]
    )
    before, after = pl.read_parquet(data), pl.read_parquet(tmp_path / "o.parquet")
    assert result.computed
    assert after.columns == before.columns
    wanted = [
        (1 / (1 + math.exp(-row["reward_margin"])) - 0.5) / (row["edit_distance_norm"] + 0.1)
        for row in before.to_dicts()
    ]
    assert after["dcrm"].to_list() == pytest.approx(wanted)
    assert after.drop("dcrm").equals(before.drop("dcrm"))
    manifest = read_manifest(tmp_path / "o.parquet")
    assert manifest["metrics"]["dcrm"] == {"distance": ["edit"], "eps": 0.1, "scale": 1.0}
    assert manifest["history"] == [read_manifest(data)]
    assert str(tmp_path) not in json.dumps(manifest)


@pytest.mark.parametrize("null", [None, float("nan"), float("inf")])
def test_a_null_reference_changes_its_own_row_alone_and_is_counted(tmp_path, null):
    rows = [{**row, "edit_distance": 3 + i, "ref_chosen_logps": -5.0 - i} for i, row in enumerate(pair_rows(40))]
    frame = pl.DataFrame(rows).rename({"score_chosen": "chosen_reward", "score_rejected": "rejected_reward"})
    whole = frame.with_columns(ref_rejected_logps=pl.lit(-4.0))
    holed = whole.with_columns(ref_rejected_logps=pl.when(pl.col("id") != 3).then(-4.0).otherwise(null))
    for name, one in (("whole", whole), ("holed", holed)):
        one.write_parquet(tmp_path / f"{name}.parquet")
        run_select(tmp_path / f"{name}.parquet", tmp_path / f"{name}_kept.parquet", by="dcrm", top="100%")
    kept = pl.read_parquet(tmp_path / "whole_kept.parquet")
    assert pl.read_parquet(tmp_path / "holed_kept.parquet").equals(kept.filter(pl.col("id") != 3))
    notes = Notes()
    result = run_select(tmp_path / "holed.parquet", tmp_path / "o.parquet", notes, by="dcrm", top="10%")
    assert (result.kept, result.parameters["dcrm"]["distance"]) == (4, ("edit_count", "logp_sum"))
    note = notes.about("lack")
    assert note.startswith("1 of 40 rows lack ref_chosen_logps or ref_rejected_logps, which dcrm reads")
    assert read_manifest(tmp_path / "o.parquet")["notes"] == [note]


def test_rows_without_a_reference_are_counted_over_all_files(tmp_path):
    for name, missing in (("t0", 1), ("t1", 2), ("t2", 0)):
        reference = [None] * missing + [-1.0] * (5 - missing)
        columns = {"chosen_reward": [1.0] * 5, "rejected_reward": [0.0] * 5, "edit_distance": [3] * 5}
        columns |= {"ref_chosen_logps": reference, "ref_rejected_logps": [-2.0] * 5}
        pl.DataFrame(columns).write_parquet(tmp_path / f"{name}.parquet")
    notes = Notes()
    run_select(tmp_path / "t*.parquet", tmp_path / "o.parquet", notes, by="dcrm", top="100%")
    assert notes.about("lack").startswith("3 of 15 rows lack")


def test_a_metric_is_computed_from_a_foreign_tables_measurements(tmp_path):
    rows = [{"chosen_reward": float(i), "rejected_reward": 5.0, "chosen": str(i)} for i in range(10)]
    result = run_select(save(tmp_path / "t.parquet", rows), tmp_path / "o.parquet", by="reward_margin", top="2")
    assert result.computed
    assert [row["reward_margin"] for row in rows_of(tmp_path / "o.parquet")] == [3.0, 4.0]


def test_a_population_metric_is_of_the_whole_table(tmp_path):
    data = scored(tmp_path)
    run_select(data, tmp_path / "o.parquet", by="alignment_potential", top="5", set_=["alignment_potential.weight=2.5"])
    frame = pl.read_parquet(data)
    reward = frame["reward_margin"].abs()
    alp = (
        frame["policy_chosen_logps"] / frame["chosen_tokens"]
        - frame["policy_rejected_logps"] / frame["rejected_tokens"]
    )
    alp = alp.abs()
    wanted = (reward - reward.mean()) / reward.std(ddof=0) - 2.5 * (alp - alp.mean()) / alp.std(ddof=0)
    best = sorted(wanted.to_list(), reverse=True)[:5]
    found = sorted((row["alignment_potential"] for row in rows_of(tmp_path / "o.parquet")), reverse=True)
    assert found == pytest.approx(best)


def test_same_command_same_bytes(tmp_path):
    data = save(tmp_path / "t.parquet", table())
    found = set()
    for _ in range(2):
        run_select(data, tmp_path / "o.parquet", by="m", top="20%", left_out=tmp_path / "n.parquet")
        found.add(((tmp_path / "o.parquet").read_bytes(), (tmp_path / "n.parquet").read_bytes()))
    assert len(found) == 1


def test_keeping_nothing_writes_an_empty_table_of_the_same_columns(tmp_path):
    rows = table()
    result = run_select(save(tmp_path / "t.parquet", rows), tmp_path / "o.parquet", by="m", above=1e9)
    assert result.kept == 0
    assert pl.read_parquet(tmp_path / "o.parquet").columns == list(rows[0])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"by": "m"},
        {"top": "10%"},
        {"by": "m", "top": "10%", "bottom": "10%"},
        {"by": "m", "top": "0%"},
        {"by": "m", "top": "101%"},
        {"by": "m", "top": "-1"},
        {"by": "m", "top": "ten"},
        {"by": "m", "top": "1/0%"},
        {"by": "m", "top": "nan%"},
        {"by": "nothing", "top": "10%"},
        {"by": "group", "top": "10%"},
        {"by": "dpo_margin", "top": "10%"},
        {"by": "m", "top": "10%", "per": "nothing"},
        {"by": "dcrm", "top": "10%", "set_": ["dcrm.epss=1"]},
        {"by": "dcrm", "top": "10%", "set_": ["dcrm.eps=-1"]},
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, settings):
    data = save(tmp_path / "t.parquet", table())
    with pytest.raises(SettingsError) as caught:
        run_select(data, tmp_path / "o.parquet", **settings)
    assert caught.value.what
    assert caught.value.where, "every error says where"
    assert caught.value.hint, "every error says what to try"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.parquet"]


@pytest.mark.parametrize("chosen", [{"by": "reward_margin", "top": "1"}, {"where": "score_chosen > 0"}])
def test_parameters_of_a_metric_that_is_not_read_are_refused(tmp_path, chosen):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    run_score(data, tmp_path / "s.parquet")
    with pytest.raises(SettingsError, match="does not use dcrm"):
        run_select(tmp_path / "s.parquet", tmp_path / "t.parquet", options={"dcrm": {"eps": "0.5"}}, **chosen)
    assert not (tmp_path / "t.parquet").exists()


def flagged(path, notes=None, **how):
    rows = [{**row, "flags": flags} for row, flags in zip(table(6), FLAGGED, strict=True)]
    result = run_select(save(path / "t.parquet", rows), path / "o.parquet", notes, rejects=path / "r.parquet", **how)
    return result, chosen(path / "o.parquet")


FLAGGED = [["tie"], [], ["refusal", "tie"], None, ["mine"], ["refusal"]]


def test_flags_are_dropped_each_with_its_reason(tmp_path):
    result, kept = flagged(tmp_path, drop_flags="refusal, mine")
    assert kept == ["c 0", "c 1", "c 3"]
    assert result.reasons == {"flag refusal": 2, "flag mine": 1}
    reasons = [row["reject_reason"] for row in rows_of(tmp_path / "r.parquet")]
    assert reasons == ["flag refusal", "flag mine", "flag refusal"]


def test_the_first_flag_named_is_the_reason_and_the_share_is_of_what_is_left(tmp_path):
    result, kept = flagged(tmp_path, drop_flags=("tie", "refusal"), by="n", top="50%")
    assert result.reasons == {"flag tie": 2, "flag refusal": 1, "not within --top 50%": 2}
    assert len(kept) == 1


def test_a_known_flag_that_no_row_has_drops_nothing(tmp_path):
    result, kept = flagged(tmp_path, drop_flags="empty")
    assert (result.reasons, len(kept)) == ({}, 6)


@pytest.mark.parametrize(("flag", "told"), [("refusals", "Did you mean refusal"), ("min", "Did you mean mine")])
def test_a_misspelt_flag_is_refused(tmp_path, flag, told):
    with pytest.raises(SettingsError, match=told):
        flagged(tmp_path, drop_flags=flag)


@pytest.mark.parametrize(
    ("flags", "told"), [({}, "There is no column flags"), ({"flags": "tie"}, "does not hold lists of text")]
)
def test_a_table_without_lists_of_flags_is_refused(tmp_path, flags, told):
    data = save(tmp_path / "t.parquet", [{**row, **flags} for row in table(4)])
    with pytest.raises(SettingsError, match=told):
        run_select(data, tmp_path / "o.parquet", drop_flags="tie")


def test_lists_of_flags_that_are_all_empty_drop_nothing(tmp_path):
    data = save(tmp_path / "t.parquet", [{**row, "flags": []} for row in table(4)])
    assert run_select(data, tmp_path / "o.parquet", drop_flags="tie").kept == 4


def test_a_flag_that_score_did_not_look_for_is_told(tmp_path):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows(6))
    run_score(data, tmp_path / "s.parquet", add_flags="duplicate")
    notes = Notes()
    run_select(tmp_path / "s.parquet", tmp_path / "o.parquet", notes, drop_flags="duplicate,near_duplicate,leaked,tie")
    assert notes.about("no row can have") == (
        "no row can have the flag near_duplicate or leaked: `curate score` looks for it with "
        "--add-flags=near_duplicate --decontaminate=FILE."
    )
