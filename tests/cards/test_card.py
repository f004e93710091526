"""A card of real outputs: what it says, in which order, and that texts of others stay text."""

import json
import re
from pathlib import Path

import pytest
import yaml

import curate
from tests.commands.helpers import candidate_rows, pair_rows, write_jsonl
from tests.exporters.golden import run_export

HEADINGS = [
    "# {}",
    "## Two of the pairs",
    "## Before and after",
    "## What is in it",
    "## Made from",
    "## Rows",
    "## Make it again",
    "## Columns",
    "## How it was made",
]


def headings(card: str) -> list[str]:
    return [line for line in card.split("\n") if re.match("##? ", line)]


def section(card: str, title: str) -> str:
    return card.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scored table, a selection of it as a folder, and exports of that."""
    folder = tmp_path_factory.mktemp("made")
    rows = [{**row, "score_chosen": float(i), "score_rejected": 2.0} for i, row in enumerate(pair_rows(8))]
    write_jsonl(folder / "pairs.jsonl", [*rows, "{broken"])
    curate.score(folder / "pairs.jsonl", folder / "scored.parquet", policy="fake:1", reference="fake:2")
    curate.select(folder / "scored.parquet", folder / "best", by="reward_margin", top="25%")
    run_export(folder / "best", folder / "for_trl", "trl")
    return folder


@pytest.mark.parametrize(("name", "title"), [("best", "best"), ("for_trl", "Preference data for trl")])
def test_a_card_says_what_a_reader_asks_in_this_order(made: Path, name: str, title: str) -> None:
    card = (made / name / "README.md").read_text()
    assert headings(card) == [line.format(title) for line in HEADINGS]
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["size_categories"] == ["n<1K"]
    assert front["configs"][0]["data_files"] == {"best": "data-*.parquet", "for_trl": "train.parquet"}[name]
    for picture in ("plot-values.png", "plot-lengths.png"):
        assert f"]({picture})" in card
        assert (made / name / picture).read_bytes().startswith(b"\x89PNG")
    assert json.loads(card.split("```json\n")[1].split("\n```")[0])["command"] in ("select", "export")


def test_the_two_pairs_are_the_best_and_the_middle_one(made: Path) -> None:
    shown = section((made / "for_trl" / "README.md").read_text(), "Two of the pairs")
    assert re.findall(r"### (.*)", shown) == ["Best by `reward_margin`", "In the middle by `reward_margin`"]
    # rewards 0..7 against 2: the two best margins are 5 and 4
    assert re.findall(r"`reward_margin` (\S+)$", shown, re.M) == ["5", "4"]


def test_figures_before_and_after_the_selection(made: Path) -> None:
    shown = section((made / "for_trl" / "README.md").read_text(), "Before and after")
    assert "|  | all rows (8) | rows kept (2) |" in shown
    assert "| reward margin, mean | 1.5 | 4.5 |" in shown  # (0 + ... + 7) / 8 - 2, and (6 + 7) / 2 - 2
    assert "`reward_margin`" not in shown  # said once
    assert "| chosen / rejected length, median |" in shown
    assert "| share of source x | 0.375 | 0.5 |" in shown


def test_what_ranked_the_rows_stands_first(made: Path, tmp_path: Path) -> None:
    curate.select(made / "scored.parquet", tmp_path / "o", by="dpo_margin", top="50%")
    lines = section((tmp_path / "o" / "README.md").read_text(), "Before and after").strip().split("\n")
    assert lines[2].startswith("| `dpo_margin`, mean | ")


def test_figures_before_and_after_pairing(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "c.jsonl", candidate_rows(4))
    curate.pair(data, tmp_path / "out")
    shown = section((tmp_path / "out" / "README.md").read_text(), "Before and after")
    assert "|  | max-min pairs (2) | new pairs (1) |" in shown
    assert "| `dcrm`, mean |" in shown


def test_rows_left_out_are_counted_step_by_step_with_the_reason(made: Path) -> None:
    shown = section((made / "for_trl" / "README.md").read_text(), "Rows")
    assert "| `score` | 9 | 8 | 1: the line is not valid JSON |" in shown
    assert "| `select` | 8 | 2 | 6: not within --top 25% |" in shown
    assert "| `export` | 2 | 2 |  |" in shown


def test_models_and_commands_are_named(made: Path) -> None:
    card = (made / "best" / "README.md").read_text()
    assert "| `fake:1` | policy |" in section(card, "Made from")
    assert "curate select scored.parquet --by reward_margin --top 25% -o OUT" in section(card, "Make it again")
    assert str(made) not in card


def test_the_commands_of_a_card_make_the_same_output_again(made: Path, tmp_path: Path, monkeypatch) -> None:
    from typer.testing import CliRunner

    from curate.cli.app import app

    card = (made / "best" / "README.md").read_text()
    (tmp_path / "pairs.jsonl").write_bytes((made / "pairs.jsonl").read_bytes())
    monkeypatch.chdir(tmp_path)
    for line in section(card, "Make it again").split("```sh\n")[1].split("\n```")[0].split("\n"):
        assert CliRunner().invoke(app, line.split()[1:], catch_exceptions=False).exit_code == 0
    assert (tmp_path / "OUT" / "data-00000.parquet").read_bytes() == (made / "best" / "data-00000.parquet").read_bytes()


def test_candidates_are_shown_with_their_responses(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "c.jsonl", candidate_rows(4))
    curate.score(data, tmp_path / "out", policy="fake:1", rows_as="candidates")
    shown = section((tmp_path / "out" / "README.md").read_text(), "Two of the rows")
    assert "Response 1 of " in shown
    assert "### The first" in shown


def test_data_without_scores_has_two_plots_too(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", [{"prompt": "p", "chosen": "a b", "rejected": "a"}] * 3)
    run_export(data, tmp_path / "out", "verl")
    shown = section((tmp_path / "out" / "README.md").read_text(), "What is in it")
    assert "How many words longer the chosen response is than the rejected: from 1 to 1, median 1." in shown
    assert "chosen (blue) from 2 to 2, median 2; rejected (orange) from 1 to 1, median 1." in shown


HOSTILE = "```\n# Owned\n![x](http://evil/p.png)\n<script>alert(1)</script>\n~~~\n---\nconfigs: []\n"


def test_hostile_texts_and_names_stay_text(tmp_path: Path) -> None:
    row = {"prompt": HOSTILE, "chosen": f"Yes. {HOSTILE}", "rejected": f"No. {HOSTILE}", "a`|<b>\nc": 1}
    data = write_jsonl(tmp_path / "<b>d|`.jsonl", [row, row, {**row, "prompt": "short"}])
    curate.select(data, tmp_path / "*o* <i>", where="LENGTH(prompt) > 10 OR prompt = '|<b>'")
    card = (tmp_path / "*o* <i>" / "README.md").read_text()
    outside = re.sub(r"^(`{3,})\w+\n.*?^\1$", "", card, flags=re.M | re.S)
    assert "| 1: where: LENGTH(prompt) \\> 10 OR prompt = '\\|\\<b\\>' |" in card
    outside = re.sub(r"^- n<1K$", "", outside, flags=re.M)
    outside = re.sub(r"(`+)[^\n]*?[^`]\1(?!`)", "", outside)
    assert not re.search(r"(?<!\\)[<>]|Owned|evil", outside)
    assert headings(outside) == ["# \\*o\\* \\<i\\>", *HEADINGS[1:2], *HEADINGS[3:]]
    assert list(yaml.safe_load(card.split("---\n")[1])) == ["configs", "size_categories", "tags"]


def test_a_table_without_texts_has_a_card_too(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", [{"dcrm": float(i)} for i in range(3)])
    curate.select(data, tmp_path / "out", by="dcrm", top="2")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "`dcrm`: from 1 to 2, median 1.5." in card
    assert "of the pairs" not in card


def test_a_single_file_gets_no_card(made: Path) -> None:
    assert sorted(path.name for path in made.iterdir()) == [
        "best",
        "for_trl",
        "pairs.jsonl",
        "scored.parquet",
        "scored.rejects.parquet",
    ]
