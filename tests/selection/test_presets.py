import re

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import SettingsError
from curate.metrics.registry import all_metrics
from curate.schema import REWARD
from curate.selection.presets import PRESETS, with_preset
from curate.settings import SelectSettings, make
from tests.commands.helpers import MODELS, pair_rows, read_manifest, rows_of, run_score, run_select, write_jsonl


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets")
    rewards = ("given=columns", "a=fake:3", "b=fake:4", "c=fake:5")
    run_score(
        write_jsonl(folder / "d.jsonl", pair_rows(60)),
        folder / "s.parquet",
        unconditional=True,
        reward=rewards,
        **MODELS,
    )
    return folder / "s.parquet"


def settings(**given):
    return make(SelectSettings, {"data": ("d",), "out": "o.parquet", **given})


# of 60 rows: shares are of them, and rip keeps what its column says
KEPT = {"bees": 6, "alignment-potential": 24, "dpo-gap": 6, "easy-first": 30, "ifd-gap": 48, "chosen-reward": 30}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_its_settings_given_by_hand(scored, tmp_path, name):
    result = run_select(scored, tmp_path / "o.parquet", preset=name)
    run_select(scored, tmp_path / "p.parquet", **PRESETS[name].settings)
    assert rows_of(tmp_path / "o.parquet") == rows_of(tmp_path / "p.parquet")
    table = pl.read_parquet(scored)
    by_value = {
        "rip": int((table["rip"] == 1).sum()),
        "ifd": int((table["ifd"] <= 1).sum()) // 10,
        "rm-votes": int((table["rm_votes"] >= 0.5).sum()),
        "ppl-diff": int((table["ppl_diff"] < 0).sum()),
        "air": int((table["air"] == 1).sum()),
    }
    assert result.kept == (KEPT | by_value)[name]
    assert 0 < result.kept < 60
    assert result.preset == name


def test_the_hardest_are_of_smallest_margin_and_the_easy_of_largest(scored, tmp_path):
    margins = pl.read_parquet(scored)["dpo_margin"].sort()
    run_select(scored, tmp_path / "hard.parquet", preset="dpo-gap")
    run_select(scored, tmp_path / "easy.parquet", preset="easy-first")
    assert pl.read_parquet(tmp_path / "hard.parquet")["dpo_margin"].max() == margins[5]
    assert pl.read_parquet(tmp_path / "easy.parquet")["dpo_margin"].min() == margins[30]


def test_the_highest_ifd_up_to_one_are_kept(scored, tmp_path):
    values = pl.read_parquet(scored)["ifd"]
    useful = values.filter(values <= 1).sort(descending=True)
    assert 10 <= useful.len() < 60
    run_select(scored, tmp_path / "o.parquet", preset="ifd")
    kept = pl.read_parquet(tmp_path / "o.parquet")["ifd"].sort(descending=True)
    assert kept.to_list() == useful.head(useful.len() // 10).to_list()


def test_half_of_the_votes_are_enough(scored, tmp_path):
    run_select(scored, tmp_path / "o.parquet", preset="rm-votes")
    shares = set(pl.read_parquet(tmp_path / "o.parquet")["rm_votes"])
    assert 0.5 in shares and min(pl.read_parquet(scored)["rm_votes"]) < 0.5
    assert shares <= {0.5, 0.75, 1.0}


def test_the_manifest_says_what_the_preset_became(scored, tmp_path):
    run_select(scored, tmp_path / "o.parquet", preset="bees")
    assert read_manifest(tmp_path / "o.parquet")["settings"] == {"preset": "bees", "by": "bees", "top": "10%"}


def test_what_is_set_goes_before_the_preset():
    assert with_preset(settings(preset="bees", top="25%")).top == "25%"
    bottom = with_preset(settings(preset="bees", bottom="5%"))
    assert (bottom.by, bottom.top, bottom.bottom) == ("bees", None, "5%")
    by = with_preset(settings(preset="bees", by="dcrm"))
    assert (by.by, by.top) == ("dcrm", "10%")
    more = with_preset(settings(preset="rip", one_per_prompt=True, where="x > 1"))
    assert (more.by, more.above, more.one_per_prompt, more.where) == ("rip", 0.0, True, "x > 1")
    without = settings(by="bees", top="10%")
    assert with_preset(without) is without


def test_an_unknown_preset_is_guessed(scored, tmp_path):
    with pytest.raises(SettingsError) as caught:
        run_select(scored, tmp_path / "o.parquet", preset="bess")
    assert "bees" in caught.value.hint
    assert not (tmp_path / "o.parquet").exists()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_of_known_metrics_and_cite_a_paper(name):
    preset = PRESETS[name]
    assert preset.settings["by"] in {*all_metrics(), REWARD.chosen}
    assert re.search(r", (arXiv|NeurIPS) [\d.]+$|^arXiv [\d.]+$", preset.source)


def test_a_preset_needs_what_its_metric_reads(tmp_path):
    table = pa.table({"pair_id": ["a", "b"], "chosen_reward": [1.0, 2.0], "rejected_reward": [0.0, 0.0]})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(SettingsError, match="policy_chosen_logps"):
        run_select(tmp_path / "t.parquet", tmp_path / "o.parquet", preset="bees")
