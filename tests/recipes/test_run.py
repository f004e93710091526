"""Runs that go through, stop, are mended, changed or killed."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import polars as pl
import pytest

import curate
from curate.errors import CurateError, SettingsError, StoreError
from curate.jobs import job, steps
from curate.progress import Silent
from curate.recipes import resolve
from curate.storage.workspace import Workspace

from .helpers import contents, go, ran, write_pairs, write_recipe


class Told(Silent):
    """Remembers the notes."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The small recipe; the working folder holds its data."""
    monkeypatch.chdir(tmp_path)
    write_pairs(tmp_path / "d.jsonl")
    return write_recipe(tmp_path)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def failing(monkeypatch):
    """A function that lets a command raise until it is called with nothing."""

    def let(name, error):
        def fail(*_):
            raise error

        changed = {**steps(), name: replace(job(name), run=fail)}
        monkeypatch.setattr(resolve, "jobs_of_steps", lambda: changed)

    def mend():
        monkeypatch.setattr(resolve, "jobs_of_steps", steps)

    let.mend = mend
    return let


def test_steps_run_one_after_another(file, out):
    result = go(file, out)
    assert ran(result) == ["score", "select", "export"]
    assert pl.read_parquet(out / "01-score.parquet").height == 20
    # floor(0.2 * 20)
    assert pl.read_parquet(out / "02-select.parquet").height == 4
    assert result.final == out / "03-export"
    assert (out / "03-export" / "trl_config.py").exists()
    assert sorted(path.name for path in out.iterdir()) == [
        "01-score.parquet",
        "02-select.parquet",
        "03-export",
        "run.json",
    ]


def test_the_outputs_are_those_of_the_commands(file, out, tmp_path):
    go(file, out)
    models = {"policy": "fake:1", "reference": "fake:2", "reward": ("fake:3",)}
    curate.score("d.jsonl", tmp_path / "01-score.parquet", **models)
    curate.select(tmp_path / "01-score.parquet", tmp_path / "02-select.parquet", by="bees", top="20%")
    for name in ("01-score.parquet", "02-select.parquet"):
        assert (out / name).read_bytes() == (tmp_path / name).read_bytes()


def test_the_record_names_settings_data_and_models_and_no_path(file, out, tmp_path):
    go(file, out)
    record = json.loads((out / "run.json").read_text())
    assert record["recipe"] == "small"
    assert [step["name"] for step in record["steps"]] == ["score", "select", "export"]
    score, select, _ = record["steps"]
    assert score["data"][0][0]["name"] == "d.jsonl"
    assert score["measured_with"]["policy"]["model"] == "fake:1"
    assert select["settings"] == {"by": "bees", "top": "20%"}
    assert select["data"] == [{"step": "score"}]
    assert select["output"][0]["name"] == "02-select.parquet"
    assert str(tmp_path) not in (out / "run.json").read_text()


def test_the_same_command_again_runs_nothing(file, out):
    go(file, out)
    before = contents(out)
    assert ran(go(file, out)) == []
    assert contents(out) == before


def test_two_runs_give_the_same_bytes(file, out, tmp_path):
    go(file, out)
    go(file, tmp_path / "other")
    assert contents(out) == contents(tmp_path / "other")


@pytest.mark.parametrize("name", ["score", "select", "export"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a defect"), SettingsError("no", "", "")])
def test_a_stopped_run_goes_on_with_the_step_that_was_not_done(file, out, tmp_path, failing, name, error):
    failing(name, error)
    with pytest.raises(type(error)):
        go(file, out)
    failing.mend()
    steps = ["score", "select", "export"]
    assert ran(go(file, out)) == steps[steps.index(name) :]
    go(file, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_an_error_says_in_which_step_it_arose(file, out, failing):
    failing("select", SettingsError("What is wrong.", setting="by", value="bees", hint="Fix it."))
    with pytest.raises(SettingsError) as caught:
        go(file, out)
    assert "small.yaml, line 20, step select: by: bees" in caught.value.where


def test_changed_settings_of_an_unfinished_run_are_refused(file, out, failing):
    failing("export", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        go(file, out)
    failing.mend()
    with pytest.raises(StoreError) as caught:
        go(file, out, **{"select.top": "50%"})
    assert 'steps.02-select.settings.top: "20%" -> "50%"' in caught.value.what
    assert "--fresh" in caught.value.hint
    assert ran(go(file, out, fresh=True, **{"select.top": "50%"})) == ["score", "select", "export"]
    assert pl.read_parquet(out / "02-select.parquet").height == 10


def test_changed_data_of_an_unfinished_run_is_refused(file, out, tmp_path, failing):
    failing("select", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        go(file, out)
    failing.mend()
    write_pairs(tmp_path / "d.jsonl", 21)
    with pytest.raises(StoreError, match=r"01-score\.data"):
        go(file, out)


def test_after_an_error_the_mended_command_keeps_what_still_holds(file, out, failing):
    failing("select", SettingsError("no", "", ""))
    with pytest.raises(SettingsError):
        go(file, out)
    failing.mend()
    assert ran(go(file, out, **{"select.top": "50%"})) == ["select", "export"]


def test_of_a_finished_run_only_what_changed_is_made_anew(file, out):
    go(file, out)
    first = contents(out)
    assert ran(go(file, out, **{"export.to": "kto"})) == ["export"]
    assert ran(go(file, out, **{"select.top": "50%"})) == ["select", "export"]
    assert ran(go(file, out, **{"select.top": "50%", "score.max_length": "9999"})) == ["score", "select", "export"]
    assert ran(go(file, out)) == ["score", "select", "export"]
    assert contents(out) == first


def test_a_missing_output_is_made_again(file, out):
    go(file, out)
    before = contents(out)
    (out / "02-select.parquet").unlink()
    assert ran(go(file, out)) == ["select"]
    assert contents(out) == before


def test_an_output_that_someone_changed_is_not_built_on(file, out):
    go(file, out)
    pl.read_parquet(out / "01-score.parquet").head(3).write_parquet(out / "01-score.parquet")
    with pytest.raises(StoreError, match="changed since"):
        go(file, out)
    assert pl.read_parquet(out / "01-score.parquet").height == 3
    (out / "01-score.parquet").unlink()
    assert ran(go(file, out)) == ["score"]


def test_fresh_does_every_step_anew(file, out):
    go(file, out)
    assert ran(go(file, out, fresh=True)) == ["score", "select", "export"]


def test_a_fresh_run_that_is_stopped_takes_no_older_output_for_its_own(file, out, failing):
    go(file, out)
    failing("select", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        go(file, out, fresh=True)
    failing.mend()
    assert ran(go(file, out)) == ["select", "export"]


def test_unfinished_work_of_a_step_does_not_outlive_fresh(file, out, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("curate.jobs.score.measure_responses", interrupted)
        with pytest.raises(KeyboardInterrupt):
            go(file, out)
    assert (out / "01-score.parquet.work").is_dir()
    assert ran(go(file, out, fresh=True, policy="fake:9")) == ["score", "select", "export"]


def test_a_kill_between_a_steps_output_and_its_record_loses_nothing(file, out, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("curate.recipes.run.Record.put", killed)
        with pytest.raises(KeyboardInterrupt):
            go(file, out)
    assert not (out / "run.json").exists()
    # the score is there, and not measured again
    assert ran(go(file, out)) == ["select", "export"]
    go(file, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_a_stop_before_a_steps_new_output_does_not_take_the_old_one_for_it(file, out, failing):
    go(file, out)
    failing("select", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        go(file, out, **{"select.top": "50%"})
    failing.mend()
    assert ran(go(file, out, **{"select.top": "50%"})) == ["select", "export"]
    assert pl.read_parquet(out / "02-select.parquet").height == 10


@pytest.mark.parametrize(
    "given",
    [
        {"data": "nowhere.jsonl"},
        {"policy": "./no/model"},
        {"policy": None},
        {"select.by": "beez"},
        {"select.top": "1000%"},
        {"export.to": "trll"},
        {"score.reference": "null"},
        {"score.reward": "python:no_such_module_at_all:f"},
    ],
)
def test_what_can_be_known_is_refused_before_anything_is_made(file, out, failing, given):
    failing("score", AssertionError("the first step ran"))
    with pytest.raises(CurateError):
        go(file, out, **given)
    assert not out.exists()


def test_an_error_in_the_first_step_leaves_no_folder(file, out, failing):
    failing("score", SettingsError("no", "", ""))
    with pytest.raises(SettingsError):
        go(file, out)
    assert not out.exists()


def test_a_disk_that_refuses_the_tidying_up_does_not_hide_the_error(file, out, failing, monkeypatch):
    failing("score", SettingsError("no"))

    def refuses(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("curate.recipes.run.shutil.rmtree", refuses)
    with pytest.raises(SettingsError, match="no"):
        go(file, out)


def test_the_place_must_be_a_runs_own(file, out, tmp_path):
    out.mkdir()
    (out / "precious.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"precious\.txt"):
        go(file, out)
    for place in (tmp_path / "o.parquet", tmp_path / "d.jsonl"):
        with pytest.raises(StoreError, match="folder"):
            go(file, place)
    (out / "precious.txt").unlink()
    assert len(ran(go(file, out))) == 3
    with pytest.raises(StoreError, match="own output folder"):
        go(file, out, data=str(out / "01-score.parquet"))


def test_a_run_stopped_at_once_can_be_run_again(file, out):
    (out / "run.work").mkdir(parents=True)
    assert len(ran(go(file, out))) == 3
    assert not (out / "run.work").exists()


def test_the_place_of_another_recipe_is_refused(file, out, tmp_path):
    go(file, out)
    other = write_recipe(tmp_path, ("name: small", "name: other"))
    with pytest.raises(StoreError, match="recipe small"):
        go(other, out)
    assert ran(go(other, out, fresh=True)) == ["score", "select", "export"]


def test_two_runs_in_one_place_exclude_each_other(file, out, failing):
    out.mkdir()
    with Workspace(out / "run", {}), pytest.raises(StoreError, match="Another run"):
        go(file, out)


def test_a_step_may_read_any_earlier_one(file, tmp_path):
    file = write_recipe(tmp_path, ("data: ${steps.select}", "data: ['${steps.select}', '${steps.score}']"))
    result = go(file, tmp_path / "out")
    assert pl.read_parquet(tmp_path / "out" / "03-export" / "train.parquet").height == 4 + 20
    assert ran(result) == ["score", "select", "export"]


def test_the_python_face(file, tmp_path):
    result = curate.run(file.path, set={"policy": "fake:1", "select.top": 5})
    assert result.out.resolve() == (tmp_path / "small").resolve()
    assert pl.read_parquet(tmp_path / "small" / "02-select.parquet").height == 5
    assert curate.run(str(file.path), "small", set={"policy": "fake:1", "select.top": "5"}).steps[0].result is None
    assert curate.plan_run(file.path, set={"policy": "fake:1"}).steps[1].rows == 4


BLOCKING = """
import time
from pathlib import Path

def score(batch):
    calls = Path("calls.txt")
    calls.write_text(calls.read_text() + "." if calls.exists() else ".")
    for _ in range(6000):
        if not Path("block").exists() or len(calls.read_text()) < 3:
            break
        time.sleep(0.01)
    return [float(len(b["response"])) for b in batch]
"""


@pytest.mark.faults
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(file, out, tmp_path):
    (tmp_path / "blocking_reward.py").write_text(BLOCKING)
    write_pairs(tmp_path / "d.jsonl", 800)
    words = [sys.executable, "-c", "from curate.cli import main; main()", "run", "small.yaml"]
    words += ["--set", "policy=fake:1", "--set", "score.reward=python:blocking_reward:score"]
    calls = tmp_path / "calls.txt"

    def start(place):
        return subprocess.Popen([*words, "-o", place], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    (tmp_path / "block").touch()
    running = start("out")
    while not calls.exists() or len(calls.read_text()) < 3:
        assert running.poll() is None, running.communicate()[1]
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    (tmp_path / "block").unlink()
    for place in ("out", "whole"):
        running = start(place)
        assert running.wait() == 0, running.communicate()[1]
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_a_damaged_record_is_not_believed_and_the_steps_run_again(file, out, share):
    go(file, out)
    before, path = contents(out), out / "run.json"
    content = bytearray(path.read_bytes())
    place = content.index(b'"', int(share * (len(content) - 100))) + 1
    content[place] ^= 1
    path.write_bytes(content)
    told = Told()
    assert ran(go(file, out, reporter=told)) == ["score", "select", "export"]
    assert any("run.json failed its checksum" in note for note in told.notes)
    assert contents(out) == before


@pytest.mark.parametrize("number", [1, 2])
def test_a_step_stopped_before_its_work_was_cleared_leaves_none_of_it(file, out, tmp_path, monkeypatch, number):
    """Killed after a step's output was put in place: as `finish` begins, or while it removes what it renamed."""
    finish = Workspace.finish

    def killed(self):
        if self.out.name == "01-score.parquet":
            if number == 2:
                self.folder.rename(self.folder.with_name(f".{self.folder.name}.done"))
            (out / ".01-score.parquet.lock").touch()
            raise KeyboardInterrupt
        finish(self)

    monkeypatch.setattr(Workspace, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        go(file, out)
    (out / ".01-score.parquet.lock").touch()
    assert ran(go(file, out)) == ["select", "export"]
    names = ["01-score.parquet", "02-select.parquet", "03-export", "run.json"]
    assert sorted(one.name for one in out.iterdir()) == names
