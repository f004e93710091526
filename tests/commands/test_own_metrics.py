"""Whole commands with metrics from the user's own file."""

import json
import random
from pathlib import Path

import polars as pl
import pytest

import curate as face
from curate.errors import CurateError, StoreError
from curate.metrics.catalogue import installed

from .helpers import (
    MODELS,
    Notes,
    candidate_rows,
    pair_rows,
    read_manifest,
    run_pair,
    run_score,
    run_select,
    write_jsonl,
)

OWN = '''import polars as pl

from curate.metrics.registry import metric


@metric(unit="reward units per token", prefer="low")
def per_token(reward_margin: pl.Series, chosen_tokens: pl.Series, *, offset: float = 1.0) -> pl.Series:
    """Reward margin per chosen token.

    Formula: reward_margin / (n(y+) + offset)
    """
    return reward_margin / (chosen_tokens + offset)
'''
REWARD = """
def score(batch):
    with open("calls.txt", "a") as file:
        file.write("called\\n")
    return [float(len(one["response"])) for one in batch]
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The working folder, with pairs, candidates and a file of metrics."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    write_jsonl(tmp_path / "d.jsonl", pair_rows(12))
    write_jsonl(tmp_path / "c.jsonl", candidate_rows(8))
    (tmp_path / "mine.py").write_text(OWN)
    return tmp_path


def expected(frame: pl.DataFrame, offset: float = 1.0) -> list[float]:
    margin = frame["chosen_reward"] - frame["rejected_reward"]
    return (margin / (frame["chosen_tokens"] + offset)).to_list()


def three_lines(err: str, *said: str) -> None:
    lines = [line for line in err.splitlines() if line.strip().startswith(("error:", "where:", "try:"))]
    assert [line.split(":")[0].strip() for line in lines] == ["error", "where", "try"], err
    assert "Traceback" not in err
    for word in said:
        assert word in err


def test_score_adds_the_column_and_names_the_file_by_its_hash(curate, place):
    run_score(place / "d.jsonl", place / "plain.parquet")
    assert curate("score", "d.jsonl", "-o", "s.parquet", "--metrics", "mine.py", "--set", "per_token.offset=2")[0] == 0
    frame = pl.read_parquet("s.parquet")
    assert frame["per_token"].to_list() == pytest.approx(expected(frame, 2.0))
    assert frame.drop("per_token").equals(pl.read_parquet("plain.parquet"))
    manifest, plain = read_manifest(place / "s.parquet"), read_manifest(place / "plain.parquet")
    assert list(manifest["settings"]["metrics"]) == ["mine.py"]
    assert len(manifest["settings"]["metrics"]["mine.py"]) == 32
    assert manifest["metrics"]["per_token"] == {"offset": 2.0}
    assert "metrics" not in plain["settings"]


def test_select_ranks_by_it_from_its_declared_end(curate, place):
    run_score(place / "d.jsonl", place / "s.parquet")
    code, out, _ = curate(
        "select", "s.parquet", "--metrics", "mine.py", "--by", "per_token", "--top", 3, "-o", "o.parquet"
    )
    assert code == 0
    assert "per_token (computed here), lowest first" in out
    scored, kept = pl.read_parquet("s.parquet"), pl.read_parquet("o.parquet")
    assert sorted(kept["per_token"]) == pytest.approx(sorted(expected(scored))[:3])
    assert read_manifest(place / "o.parquet")["settings"]["metrics"].keys() == {"mine.py"}
    # a second condition reads the column that the first run wrote
    run_select(place / "o.parquet", place / "w.parquet", where="per_token < 0")
    assert pl.read_parquet("w.parquet").height == sum(value < 0 for value in kept["per_token"])


def test_pair_ranks_by_it(curate, place):
    words = ["pair", "c.jsonl", "-o", "p.parquet", "--metrics", "mine.py", "--best-of-n2", "--by", "per_token"]
    assert curate(*words, "--order", "highest")[0] == 0
    frame = pl.read_parquet("p.parquet")
    assert frame["per_token"].to_list() == pytest.approx(expected(frame))
    # brute force over all ordered pairs of usable responses, tokens being words
    rows = {row["id"]: row for row in candidate_rows(8)}
    for row in frame.iter_rows(named=True):
        one = rows[row["id"]]
        triples = list(zip(one["responses"], one["rewards"], one["finish_reasons"], strict=True))
        values = [
            (a - b) / (len(first.replace(",", " , ").replace(".", " . ").split()) + 1)
            for first, a, finish in triples
            for other, b, _ in triples
            if None not in (a, b) and first != other and finish != "length" and a > b
        ]
        assert row["per_token"] == pytest.approx(max(values))


def test_two_calls_in_one_process_have_their_own(place):
    for folder, offset in (("a", 1.0), ("b", 9.0)):
        (place / folder).mkdir()
        (place / folder / "mine.py").write_text(OWN.replace("= 1.0", f"= {offset}"))
        face.score("d.jsonl", f"{folder}.parquet", metrics=f"{folder}/mine.py")
    face.score("d.jsonl", "none.parquet")
    one, two, none = (pl.read_parquet(f"{name}.parquet") for name in ("a", "b", "none"))
    assert one["per_token"].to_list() == pytest.approx(expected(one, 1.0))
    assert two["per_token"].to_list() == pytest.approx(expected(two, 9.0))
    assert "per_token" not in none.columns
    assert "per_token" not in face.catalogue()
    with pytest.raises(CurateError, match="neither a metric nor a column called per_token"):
        face.select("none.parquet", "o.parquet", by="per_token", top="1")


def test_a_finished_output_is_not_the_same_command_s_after_an_edit(place):
    def again() -> str:
        notes = Notes()
        run_score(place / "d.jsonl", place / "s.parquet", notes, metrics=metrics)
        return notes.about("already done")

    metrics = "mine.py"
    assert [again(), bool(again())] == ["", True]
    (place / "mine.py").write_text(OWN.replace("= 1.0", "= 3.0"))
    assert [again(), bool(again())] == ["", True]
    frame = pl.read_parquet("s.parquet")
    assert frame["per_token"].to_list() == pytest.approx(expected(frame, 3.0))
    metrics = ()
    assert again() == ""
    assert "per_token" not in pl.read_parquet("s.parquet").columns


def test_a_stopped_run_is_not_resumed_after_an_edit(place, monkeypatch):
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("curate.jobs.score_table.write_rows", stopped)
        with pytest.raises(KeyboardInterrupt):
            run_score(place / "d.jsonl", place / "s.parquet", metrics="mine.py")
    (place / "mine.py").write_text(OWN.replace("= 1.0", "= 3.0"))
    with pytest.raises(StoreError, match=r"settings\.metrics\.mine\.py: "):
        run_score(place / "d.jsonl", place / "s.parquet", metrics="mine.py")
    with pytest.raises(StoreError, match=r"settings\.metrics: "):
        run_score(place / "d.jsonl", place / "s.parquet")
    (place / "mine.py").write_text(OWN)
    (place / "elsewhere").mkdir()
    (place / "mine.py").rename(place / "elsewhere" / "mine.py")
    run_score(place / "d.jsonl", place / "s.parquet", metrics="elsewhere/mine.py")
    assert "per_token" in pl.read_parquet("s.parquet").columns


def test_what_was_measured_outlives_a_metric_that_raises(curate, place):
    """And the fixed file gives the bytes of a run that never failed."""
    (place / "reward_of_own_metrics.py").write_text(REWARD)
    words = ["score", "d.jsonl", "--metrics", "mine.py", "--reward", "python:reward_of_own_metrics:score"]
    (place / "mine.py").write_text(OWN.replace("return reward", 'return {}["a"] + reward'))
    code, _, err = curate(*words, "-o", "s.parquet")
    assert code == 2
    three_lines(err, "The metric per_token raised KeyError: 'a'", "mine.py:12, in per_token")
    assert not (place / "s.parquet").exists()
    calls = (place / "calls.txt").read_text()
    (place / "mine.py").write_text(OWN)
    assert curate(*words, "-o", "s.parquet")[0] == 0
    assert (place / "calls.txt").read_text() == calls
    assert curate(*words, "-o", "t.parquet")[0] == 0
    assert (place / "s.parquet").read_bytes() == (place / "t.parquet").read_bytes()


def test_pair_stopped_by_its_metric_resumes_with_a_fixed_one(place):
    (place / "mine.py").write_text(OWN.replace("return reward", "return 1 / 0 + reward"))
    wanted = {"metrics": "mine.py", "by": "per_token"}
    with pytest.raises(CurateError, match="per_token raised ZeroDivisionError"):
        run_pair(place / "c.jsonl", place / "p.parquet", **wanted)
    (place / "mine.py").write_text(OWN)
    run_pair(place / "c.jsonl", place / "p.parquet", **wanted)
    run_pair(place / "c.jsonl", place / "q.parquet", **wanted)
    assert (place / "p.parquet").read_bytes() == (place / "q.parquet").read_bytes()


def test_a_column_of_another_form_of_the_file_is_computed_again(place):
    run_score(place / "d.jsonl", place / "s.parquet", metrics="mine.py", **MODELS)
    wanted = {"by": "per_token", "top": "100%", "metrics": "mine.py"}
    assert not run_select(place / "s.parquet", place / "o.parquet", **wanted).computed
    (place / "mine.py").write_text(OWN.replace("= 1.0", "= 3.0"))
    assert run_select(place / "s.parquet", place / "o.parquet", **wanted).computed
    frame = pl.read_parquet("o.parquet")
    assert frame["per_token"].to_list() == pytest.approx(expected(frame, 3.0))


def test_the_better_end_of_a_metric_that_is_not_given_is_not_guessed(curate, place):
    run_score(place / "d.jsonl", place / "s.parquet", metrics="mine.py")
    code, _, err = curate("select", "s.parquet", "--by", "per_token", "--top", 2, "-o", "o.parquet")
    assert code == 2
    three_lines(err, "its better end is not known", "--metrics", "--order=lowest")
    low = run_select(place / "s.parquet", place / "o.parquet", by="per_token", top="2", order="lowest")
    given = run_select(place / "s.parquet", place / "g.parquet", by="per_token", top="2", metrics="mine.py")
    assert low.cut == given.cut
    assert run_select(place / "s.parquet", place / "w.parquet", by="per_token", above=0.0).kept


def test_an_export_keeps_it_with_the_other_scores(place):
    run_score(place / "d.jsonl", place / "s.parquet", metrics="mine.py")
    run_select(place / "s.parquet", place / "o.parquet", by="dcrm", top="100%")
    face.export("o.parquet", "out", to="trl", keep_scores=True)
    made = pl.read_parquet("out/train.parquet")
    assert made["curate_per_token"].to_list() == pl.read_parquet("o.parquet")["per_token"].to_list()


def test_the_card_of_a_folder_says_what_it_means(place):
    run_score(place / "d.jsonl", place / "folder", metrics="mine.py")
    assert (
        "| `per_token` | double | reward units per token | Reward margin per chosen token. |"
        in (place / "folder" / "README.md").read_text()
    )


def test_a_metric_that_cannot_be_computed_is_reported(place):
    (place / "mine.py").write_text(OWN.replace("chosen_tokens", "chosen_tokenz"))
    notes = Notes()
    run_score(place / "d.jsonl", place / "s.parquet", notes, metrics="mine.py")
    assert notes.about("per_token") == (
        "per_token is not computed: it reads chosen_tokenz, which this run does not measure."
    )
    with pytest.raises(CurateError, match="per_token needs the column chosen_tokenz"):
        run_pair(place / "c.jsonl", place / "p.parquet", metrics="mine.py", by="per_token")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, ["There is no such file of metrics.", "--metrics mine.py"]),
        ("1 / 0\n", ["ZeroDivisionError", "mine.py:1"]),
        ("x = 1\n", ["mine.py declares no metric", "Decorate a function"]),
        (OWN.replace("def per_token", "def bees"), ["two metrics called bees", "mine.py:6"]),
        (OWN.replace("def per_token", "def pair_id"), ["pair_id has the name of a column", "mine.py:6"]),
        (OWN.replace("return reward", "return [0] or reward"), ["returned a list, not a Polars Series", "mine.py:6"]),
        (OWN.replace("return reward_margin", "return reward_margin.head(2)"), ["per_token"]),
    ],
)
@pytest.mark.parametrize("command", ["score", "select", "pair"])
def test_refusals_are_three_lines(curate, place, command, source, said):
    run_score(place / "d.jsonl", place / "s.parquet")
    (place / "mine.py").unlink()
    if source is not None:
        (place / "mine.py").write_text(source)
    words = {
        "score": ["d.jsonl"],
        "select": ["s.parquet", "--by", "per_token", "--top", 2],
        "pair": ["c.jsonl", "--by", "per_token"],
    }
    code, _, err = curate(command, *words[command], "--metrics", "mine.py", "-o", "o.parquet")
    assert code == 2
    three_lines(err, *said)
    assert not (place / "o.parquet").exists()


def test_candidates_have_no_metrics(curate, place):
    code, _, err = curate("score", "c.jsonl", "-o", "o.parquet", "--metrics", "mine.py")
    assert code == 2
    three_lines(err, "These rows are candidates", "--metrics mine.py", "`curate pair`")


def test_metrics_prints_it(curate, place):
    (place / "bare.py").write_text(OWN.replace("per_token", "bare").replace('    """Reward', '    _ = """Reward'))
    code, out, _ = curate("metrics", "--metrics", "mine.py", "--metrics", "bare.py")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "lower" in lines["per_token"] and "Reward margin per chosen token." in lines["per_token"]
    assert "no docstring" in lines["bare"]
    assert {"dcrm", "bees"} <= lines.keys()
    code, out, _ = curate("metrics", "per_token", "--metrics", "mine.py")
    assert "offset=1.0" in out and "reward_margin / (n(y+) + offset)" in out and "mine.py" in out
    assert "source" not in out
    code, _, err = curate("metrics", "per_token")
    assert code == 2
    three_lines(err, "There is no metric per_token.")
    assert curate("metrics", "--metrics", "no.py")[0] == 2


def test_the_order_of_rows_changes_nothing(place):
    rows = pair_rows(12)
    random.Random(1).shuffle(rows)
    write_jsonl(place / "e.jsonl", rows)
    for name in ("d", "e"):
        run_score(place / f"{name}.jsonl", place / f"{name}.parquet", metrics="mine.py")
    first, second = (pl.read_parquet(f"{name}.parquet").sort("id") for name in ("d", "e"))
    assert first.equals(second)


def test_an_installed_package_s_metric_needs_no_option(place, monkeypatch):
    """Its version is in the manifest, and another version is another setting."""

    def version(number):
        info = place / "own_package.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: own-package\nVersion: {number}\n")
        (info / "entry_points.txt").write_text("[curate.metrics]\nany = mine_of_a_package\n")
        installed.cache_clear()

    run_score(place / "d.jsonl", place / "plain.parquet")
    plain = read_manifest(place / "plain.parquet")
    (place / "mine_of_a_package.py").write_text(OWN)
    try:
        version(1)
        run_score(place / "d.jsonl", place / "s.parquet")
        assert read_manifest(place / "s.parquet")["settings"] == plain["settings"]
        assert read_manifest(place / "s.parquet")["versions"] == {**plain["versions"], "own-package": "1"}
        selected = run_select(place / "s.parquet", place / "o.parquet", by="per_token", top="3")
        assert selected.order == "lowest" and not selected.computed
        assert read_manifest(place / "o.parquet")["versions"] == {"own-package": "1"}
        notes = Notes()
        run_score(place / "d.jsonl", place / "s.parquet", notes)
        assert notes.about("already done")
        version(2)
        notes = Notes()
        run_score(place / "d.jsonl", place / "s.parquet", notes)
        assert not notes.about("already done")
        assert read_manifest(place / "s.parquet")["versions"]["own-package"] == "2"
    finally:
        monkeypatch.undo()
        installed.cache_clear()


RECIPE = """\
name: own
about: Rank by a metric of my own.
inputs:
  metrics: mine.py
steps:
  - run: score
    with: {data: d.jsonl}
  - run: select
    with:
      {data: "${steps.score}", by: per_token, top: 3, metrics: "${inputs.metrics}", options: {per_token: {offset: 2}}}
  - run: export
    with: {data: "${steps.select}", to: trl, keep_scores: true}
"""


@pytest.fixture
def recipe(place):
    (place / "own.yaml").write_text(RECIPE)
    return "own.yaml"


def ran(recipe: str, **given: object) -> list[str]:
    return [step.name for step in face.run(recipe, **given).steps if step.result is not None]


def test_a_recipe_s_step_runs_again_when_its_file_has_changed(place, recipe):
    assert ran(recipe) == ["score", "select", "export"]
    assert ran(recipe) == []
    frame = pl.read_parquet("own/02-select.parquet")
    scored = pl.read_parquet("own/01-score.parquet")
    assert sorted(frame["per_token"]) == pytest.approx(sorted(expected(scored, 2.0))[:3])
    assert "curate_per_token" in pl.read_parquet("own/03-export/train.parquet").columns
    (place / "mine.py").rename(place / "moved.py")
    (place / "moved.py").rename(place / "mine.py")
    assert ran(recipe) == []
    (place / "mine.py").write_text(OWN.replace('prefer="low"', 'prefer="high"'))
    assert ran(recipe) == ["select", "export"]
    frame = pl.read_parquet("own/02-select.parquet")
    assert sorted(frame["per_token"]) == pytest.approx(sorted(expected(scored, 2.0))[-3:])
    steps = json.loads((place / "own" / "run.json").read_text())["steps"]
    assert [list(step["settings"].get("metrics", {})) for step in steps] == [[], ["mine.py"], []]


def test_a_recipe_says_before_it_runs_what_its_metric_lacks(place, recipe):
    (place / "mine.py").write_text(OWN.replace("chosen_tokens", "policy_chosen_logps"))
    for call in (lambda: face.run(recipe), lambda: face.plan_run(recipe)):
        with pytest.raises(CurateError, match="per_token needs the column policy_chosen_logps") as caught:
            call()
        assert "step select" in caught.value.where
    assert not (place / "own").exists()


def test_a_recipe_s_error_names_its_line_and_the_file_s(place, recipe):
    (place / "mine.py").write_text(f"{OWN}1 / 0\n")
    with pytest.raises(CurateError, match="ZeroDivisionError") as caught:
        face.run(recipe)
    assert caught.value.where.startswith("own.yaml, line 10, step select: mine.py:13")
    with pytest.raises(CurateError, match="There is no such file of metrics") as caught:
        face.run(recipe, set={"select.metrics": "no.py"})
    assert "no.py" in caught.value.where


def test_a_plan_says_which_file_it_runs(place, recipe):
    plan = face.plan_run(recipe)
    assert "select: runs the Python file mine.py." in plan.notes
    assert plan.steps[1].rows == 3


def test_a_metric_is_known_only_in_the_step_that_names_its_file(place, recipe):
    (place / recipe).write_text(RECIPE.replace('metrics: "${inputs.metrics}", ', ""))
    with pytest.raises(CurateError, match="per_token"):
        face.run(recipe)


def test_an_edit_during_a_recipe_s_run_changes_nothing_of_it(place, recipe, monkeypatch):
    from curate.recipes.check import prepare
    from curate.recipes.file import read_recipe
    from curate.recipes.run import run

    prepared = prepare(read_recipe(Path(recipe)), {}, Path("own"))
    (place / "mine.py").write_text(OWN.replace("return reward_margin", "return -reward_margin"))
    run(prepared, Notes())
    scored, frame = pl.read_parquet("own/01-score.parquet"), pl.read_parquet("own/02-select.parquet")
    assert sorted(frame["per_token"]) == pytest.approx(sorted(expected(scored, 2.0))[:3])
    held = json.loads((place / "own" / "run.json").read_text())["steps"][1]["settings"]["metrics"]
    assert held == read_manifest(place / "own" / "02-select.parquet")["settings"]["metrics"]
    assert ran(recipe) == ["select", "export"]
