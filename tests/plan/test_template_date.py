"""Chat templates that print the date: one date a run, whatever the day on which its parts are done."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import curate.plan.template_date
import curate.recipes.check
from curate.errors import SettingsError, StoreError
from curate.recipes.check import prepare
from curate.recipes.file import read_recipe
from curate.recipes.run import RunResult, day_of, run
from curate.scorers.model_scorers import ModelScorer
from curate.tokens import HubTokenizer
from tests.commands.helpers import Notes, prompt_rows, read_manifest, run_generate, run_pair, run_score, write_jsonl
from tests.commands.terminal import Terminal

FIRST, SECOND = date(2024, 3, 5), date(2024, 3, 6)
PRINTS = "{{ '<|im_start|>system\nToday is ' + strftime_now('%d %B %Y') + '.<|im_end|>\n' }}"
SAYS = PRINTS.replace("' + strftime_now('%d %B %Y') + '", "05 March 2024")
PAIRS = [{"prompt": f"name {i} birds", "chosen": f"{i} hens", "rejected": "no", "score": i} for i in range(6)]
POOL = [
    {"prompt": f"name {i} birds", "responses": [f"{i} hens", "no", "an owl"], "rewards": [3, 1, 2]} for i in range(4)
]
Today = Callable[[date], None]


def model(demo_models: Path, folder: Path, which: str, before: str) -> str:
    """The demo's model, its chat template with something before it."""
    folder.mkdir(parents=True)
    for file in (demo_models / which).iterdir():
        if file.name != "chat_template.jinja":
            (folder / file.name).symlink_to(file)
    template = (demo_models / which / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").write_text(before + template)
    return str(folder)


@pytest.fixture(scope="module")
def place(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dates")
    for which in ("policy", "reference", "reward"):
        model(demo_models, folder / "prints" / which, which, PRINTS)
        model(demo_models, folder / "says" / which, which, SAYS)
    write_jsonl(folder / "pairs.jsonl", PAIRS)
    write_jsonl(folder / "pool.jsonl", POOL)
    write_jsonl(folder / "prompts.jsonl", prompt_rows(3))
    return folder


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> Iterator[Today]:
    def set_day(day: date) -> None:
        for module in (curate.plan.template_date, curate.recipes.check):
            monkeypatch.setattr(module, "today", lambda: day)

    set_day(FIRST)
    yield set_day


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that a chat template writes."""
    texts: list[str] = []
    template = HubTokenizer.template

    def remember(self: HubTokenizer, *given: Any) -> str:
        texts.append(template(self, *given))
        return texts[-1]

    monkeypatch.setattr(HubTokenizer, "template", remember)
    return texts


def models(place: Path, kind: str = "prints") -> dict[str, str]:
    return {which: str(place / kind / which) for which in ("policy", "reference")}


def test_the_day_of_the_run_is_printed_told_and_kept(
    place: Path, tmp_path: Path, today: Today, rendered: list[str]
) -> None:
    notes = Notes()
    run_score(place / "pairs.jsonl", tmp_path / "a.parquet", notes, **models(place), unconditional=True)
    assert all("Today is 05 March 2024." in text for text in rendered)
    assert "2024-03-05" in notes.about("--template-date")
    measured_with = read_manifest(tmp_path / "a.parquet")["measured_with"]
    assert {name: facts.get("template_date") for name, facts in measured_with.items()} == {
        **dict.fromkeys(("policy", "policy_alone", "reference"), "2024-03-05"),
        "edit": None,
    }
    run_score(place / "pairs.jsonl", tmp_path / "b.parquet", **models(place, "says"), unconditional=True)
    numbers = [pl.read_parquet(tmp_path / f"{name}.parquet").select(pl.col("^.*(logps|alone)$")) for name in "ab"]
    assert numbers[0].equals(numbers[1])
    assert numbers[0].width == 6


def jobs(place: Path) -> dict[str, Callable[..., Any]]:
    both = models(place)
    reward = str(place / "prints" / "reward")
    judge = f"judge:{place / 'prints' / 'policy'}"
    pairs, pool = place / "pairs.jsonl", place / "pool.jsonl"
    return {
        "score": lambda out, to=None, **more: run_score(pairs, out, to, **both, reward=(reward,), **more),
        "trl": lambda out, to=None, **more: run_score(pairs, out, to, **both, match="trl", max_length=128, **more),
        "judge": lambda out, to=None, **more: run_score(
            pairs, out, to, reward=(judge,), set_=["judge.max_tokens=4"], **more
        ),
        "pair": lambda out, to=None, **more: run_pair(pool, out, to, **both, **more),
        "generate": lambda out, to=None, **more: run_generate(
            place / "prompts.jsonl", out, to, policy=both["policy"], samples=2, max_tokens=4, **more
        ),
    }


@pytest.mark.parametrize("job", ["score", "trl", "judge", "pair", "generate"])
def test_the_same_date_gives_the_same_bytes_on_any_day(
    job: str, place: Path, tmp_path: Path, today: Today, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # a tiny model's answers hold no rating
    monkeypatch.setattr("curate.scorers.judging.Question.read", lambda _, answer: (1.0 + len(answer) % 9, 1.0))
    start = jobs(place)[job]
    start(tmp_path / "a.parquet", template_date="2024-03-05")
    assert rendered
    assert all("05 March 2024" in text for text in rendered)
    today(SECOND)
    start(tmp_path / "b.parquet", template_date="2024-03-05")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    rendered.clear()
    start(tmp_path / "c.parquet")
    assert all("06 March 2024" in text for text in rendered)
    assert (tmp_path / "a.parquet").read_bytes() != (tmp_path / "c.parquet").read_bytes()


@pytest.mark.parametrize("job", ["score", "pair", "generate"])
def test_a_resumed_run_keeps_its_day(
    job: str, place: Path, tmp_path: Path, today: Today, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = jobs(place)[job]
    start(tmp_path / "whole.parquet")
    with monkeypatch.context() as patched:
        stop_after_one(patched, job)
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path / "o.parquet")
    today(SECOND)
    with pytest.raises(StoreError, match="template_date"):
        start(tmp_path / "o.parquet", template_date="2024-03-06")
    start(tmp_path / "o.parquet")
    assert (tmp_path / "o.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    start(tmp_path / "new.parquet")
    assert (tmp_path / "new.parquet").read_bytes() != (tmp_path / "whole.parquet").read_bytes()


def stop_after_one(patched: pytest.MonkeyPatch, job: str) -> None:
    """The first model's work is done and the run stopped; where there is one model, in the midst of it."""
    place = "curate.scorers.generation.Generation" if job == "generate" else "curate.scorers.model_scorers.ModelScorer"
    target, name = place.rsplit(".", 1)
    kind = getattr(__import__(target, fromlist=[name]), name)
    measure, calls = kind.measure, []

    def measured(self: Any, batch: Any) -> Any:
        calls.append(self.name)
        if len(calls) > 1 or job == "generate":
            raise KeyboardInterrupt
        return measure(self, batch)

    patched.setattr(kind, "measure", measured)


def test_a_finished_score_is_not_done_again_on_another_day(place: Path, tmp_path: Path, today: Today) -> None:
    start = jobs(place)["score"]
    start(tmp_path / "o.parquet")
    whole = (tmp_path / "o.parquet").read_bytes()
    today(SECOND)
    notes = Notes()
    start(tmp_path / "o.parquet", notes)
    assert "already done" in notes.about("already done")
    assert "2024" not in "".join(notes.said)
    assert (tmp_path / "o.parquet").read_bytes() == whole
    start(tmp_path / "o.parquet", template_date="2024-03-06")
    assert read_manifest(tmp_path / "o.parquet")["measured_with"]["policy"]["template_date"] == "2024-03-06"


def test_fresh_takes_the_new_day(place: Path, tmp_path: Path, today: Today, monkeypatch: pytest.MonkeyPatch) -> None:
    start = jobs(place)["score"]
    with monkeypatch.context() as patched:
        stop_after_one(patched, "score")
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path / "o.parquet")
    today(SECOND)
    start(tmp_path / "o.parquet", fresh=True)
    assert read_manifest(tmp_path / "o.parquet")["measured_with"]["policy"]["template_date"] == "2024-03-06"


def test_other_processes_print_the_same_day(place: Path) -> None:
    tokenizer = HubTokenizer(models(place)["policy"])
    tokenizer.fix_day(FIRST)
    sent = pickle.loads(pickle.dumps(tokenizer))
    assert "Today is 05 March 2024." in sent.template([{"role": "user", "content": "hi"}], True)


def test_a_template_without_a_date_is_left_alone(demo_models: Path, place: Path, tmp_path: Path, today: Today) -> None:
    notes = Notes()
    policy = str(demo_models / "policy")
    run_score(place / "pairs.jsonl", tmp_path / "a.parquet", notes, policy=policy)
    assert notes.about("date") == ""
    today(SECOND)
    run_score(place / "pairs.jsonl", tmp_path / "b.parquet", policy=policy)
    run_score(place / "pairs.jsonl", tmp_path / "c.parquet", policy=policy, template_date="2020-01-01")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "c.parquet").read_bytes()
    assert "template_date" not in json.dumps(read_manifest(tmp_path / "a.parquet"))


def test_trl_prints_the_day_of_training(place: Path, tmp_path: Path, today: Today) -> None:
    notes = Notes()
    jobs(place)["trl"](tmp_path / "a.parquet", notes)
    assert "with the date of that day" in notes.about("TRL renders")


@pytest.mark.parametrize("value", ["2024-3-5", "yesterday", "0", "1709596800", "2024-02-30", "05-03-2024", ""])
def test_what_is_no_day(value: str, place: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="template_date cannot be"):
        jobs(place)["score"](tmp_path / "o.parquet", template_date=value)


def test_the_command_line(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    curate = Terminal(monkeypatch, capsys)
    words = ("score", place / "pairs.jsonl", "-o", tmp_path / "o.parquet", "--policy", models(place)["policy"])
    code, _, told = curate(*words, "--template-date", "2024-03-05")
    assert (code, "2024-03-05" in told) == (0, True)
    code, _, told = curate(*words, "--template-date", "March")
    assert (code, "a day is written YYYY-MM-DD" in told, "--template-date" in told) == (2, True, True)


RECIPE = """\
name: dated
about: Two steps with models.
steps:
  - run: score
    with: {{data: {data}, policy: {policy}}}
  - run: score
    id: again
    with: {{data: "${{steps.score}}", reference: {reference}{more}}}
"""


def go(place: Path, out: Path, more: str = "", fresh: bool = False, to: Notes | None = None) -> RunResult:
    path = out.with_name("dated.yaml")
    path.write_text(RECIPE.format(data=place / "pairs.jsonl", **models(place), more=more))
    return run(prepare(read_recipe(path), {}, out, None if fresh else day_of(out)), to or Notes(), fresh=fresh)


def days(out: Path) -> list[str]:
    found = [read_manifest(out / name)["measured_with"] for name in ("01-score.parquet", "02-again.parquet")]
    return [found[0]["policy"]["template_date"], found[1]["reference"]["template_date"]]


def test_a_recipe_has_one_day(place: Path, tmp_path: Path, today: Today, monkeypatch: pytest.MonkeyPatch) -> None:
    go(place, tmp_path / "whole")
    with monkeypatch.context() as patched:
        measure = ModelScorer.measure

        def stop(self: ModelScorer, batch: Any) -> Any:
            if self.name == "reference":
                raise KeyboardInterrupt
            return measure(self, batch)

        patched.setattr(ModelScorer, "measure", stop)
        with pytest.raises(KeyboardInterrupt):
            go(place, tmp_path / "out")
    today(SECOND)
    go(place, tmp_path / "out")
    assert days(tmp_path / "out") == ["2024-03-05"] * 2
    for name in ("01-score.parquet", "02-again.parquet", "run.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    # a finished run is not done again because the day is another
    assert all(step.result is None for step in go(place, tmp_path / "out").steps)
    go(place, tmp_path / "out", fresh=True)
    assert days(tmp_path / "out") == ["2024-03-06"] * 2


def test_a_step_may_name_its_own_day(place: Path, tmp_path: Path, today: Today) -> None:
    more = ", template_date: 2020-01-01"
    go(place, tmp_path / "out", more)
    today(SECOND)
    assert all(step.result is None for step in go(place, tmp_path / "out", more).steps)
    assert days(tmp_path / "out") == ["2024-03-05", "2020-01-01"]


def test_a_recipe_without_dates_keeps_none(demo_models: Path, place: Path, tmp_path: Path, today: Today) -> None:
    path = tmp_path / "plain.yaml"
    data = place / "pairs.jsonl"
    path.write_text(f"name: plain\nabout: One.\nsteps:\n  - run: score\n    with: {{data: {data}, policy: fake:1}}\n")
    for day in (FIRST, SECOND):
        today(day)
        prepared = prepare(read_recipe(path), {}, tmp_path / "out", day_of(tmp_path / "out"))
        assert (prepared.day, prepared.steps[0].settings.template_date) == (None, None)
        run(prepared, Notes())
    assert "template_date" not in (tmp_path / "out" / "run.json").read_text()
