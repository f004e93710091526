"""Signals that land where an exception gets lost, while the command starts, and while it cleans up."""

import signal
import subprocess
import sys

import pytest

from tests.commands.helpers import pair_rows, write_jsonl

JOB = """
import gc, os, signal, sys, time, types, weakref

def send():
    os.kill(os.getpid(), signal.{signal})

def work():
    print("working", flush=True)
    for _ in range(600):
        time.sleep(0.05)
    print("finished", flush=True)

class Thing:
    pass

{job}

module = types.ModuleType("curate.cli.app")
module.app = lambda **_: job()
sys.modules["curate.cli.app"] = module
from curate.cli import main
main()
"""
LOST = {
    "in __del__": """
class Dying:
    def __del__(self):
        send()
        time.sleep(0)
def job():
    Dying()
    work()
""",
    "in a weak reference's callback": """
def job():
    thing = Thing()
    found = weakref.ref(thing, lambda _: (send(), time.sleep(0)))
    del thing
    work()
""",
    "in the garbage collector": """
def job():
    gc.callbacks.append(lambda phase, _: (gc.callbacks.clear(), send(), time.sleep(0)))
    gc.collect()
    work()
""",
    "caught by a library": """
def job():
    try:
        send()
        time.sleep(0)
    except BaseException:
        pass
    work()
""",
    "turned into another error": """
def job():
    try:
        send()
        time.sleep(0)
    except BaseException:
        raise ImportError("numpy failed to import")
""",
}
CLEANS_UP = """
def job():
    try:
        send()
        work()
    finally:
        for _ in range(30):
            time.sleep(0.05)
        print("clean", flush=True)
"""


def run(job: str, number: signal.Signals = signal.SIGTERM) -> subprocess.CompletedProcess[str]:
    code = JOB.format(job=job, signal=number.name)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("place", LOST)
def test_a_signal_that_python_or_a_library_drops_stops_the_run_all_the_same(place, number):
    done = run(LOST[place], number)
    assert done.returncode == 128 + number, done.stderr
    assert "finished" not in done.stdout
    assert done.stderr == "\nStopped.\n"


def test_cleaning_up_is_not_interrupted(tmp_path):
    done = run(CLEANS_UP)
    assert (done.returncode, done.stderr) == (143, "\nStopped.\n")
    assert done.stdout.splitlines()[-1] == "clean"


def test_other_errors_that_python_drops_are_shown(tmp_path):
    done = run("class Bad:\n    def __del__(self):\n        raise ValueError('odd')\ndef job():\n    Bad()\n")
    assert done.returncode == 0
    assert "ValueError: odd" in done.stderr


def test_a_defect_keeps_its_traceback():
    done = run("def job():\n    raise RuntimeError('ours')")
    assert done.returncode == 1
    assert "RuntimeError: ours" in done.stderr


PRESSED = """
import os, signal, sys
from curate.cli import main

class Pressed:
    left = {imports}

    @classmethod
    def find_spec(cls, *_):
        cls.left -= 1
        if cls.left == 0:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Pressed)
main()
"""
"""A command that gets Ctrl-C when it has looked for so many modules."""


@pytest.mark.parametrize("imports", [1, 30, 100, 200, 400])
def test_ctrl_c_during_start_up_is_one_line(tmp_path, imports):
    data = write_jsonl(tmp_path / "d.jsonl", pair_rows())
    words = ["score", str(data), "-o", str(tmp_path / "o.parquet"), "--policy", "fake:1"]
    command = [sys.executable, "-c", PRESSED.format(imports=imports), *words]
    stopped = subprocess.run(command, capture_output=True, text=True)
    assert (stopped.returncode, stopped.stderr) == (130, "\nStopped.\n")
    assert not (tmp_path / "o.parquet").exists()


@pytest.mark.parametrize(
    "words", [["select", "--by", "m", "--top", "1"], ["metrics", "dcrm"], ["export", "--to", "trl"]]
)
def test_a_command_that_measures_nothing_does_not_say_that_it_was_kept(tmp_path, words):
    data = write_jsonl(tmp_path / "d.jsonl", [{**row, "m": 1.0} for row in pair_rows()])
    more = [] if words[0] == "metrics" else [str(data), "-o", str(tmp_path / "o")]
    code = (
        "import sys, signal, os\nimport typer.core\nreal = typer.core.TyperCommand.invoke\n"
        "def invoke(self, ctx):\n    real(self, ctx)\n    os.kill(os.getpid(), signal.SIGINT)\n    sum(range(9))\n"
        "typer.core.TyperCommand.invoke = invoke\nfrom curate.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code, *words, *more], capture_output=True, text=True)
    assert done.returncode == 130, done.stderr
    assert done.stderr.endswith("\nStopped.\n")
    assert "kept" not in done.stderr.split("Stopped")[1]
