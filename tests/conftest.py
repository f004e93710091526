from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from curate.demo.model_folder import copy_models

# How long an example takes says something of the machine, nothing of the code. Every run draws other examples, so that
# fewer of them find as much in a week; `--hypothesis-profile thorough` draws many at once.
settings.register_profile("usual", deadline=None, max_examples=30)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile("usual")


# Tests need no network: what is not here shall not be looked for, however pytest was started.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Models so small gain nothing by more threads, which wait for each other without end where cores are few or busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Commands that tests start shall find the package compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# What a terminal or a build server asks of rich would change the text that tests read.
for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"):
    os.environ.pop(name, None)


HERE = Path(__file__).parent
MOST_PROCESSES = 4


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process per core, and one more, for all the tests; none for some, which finish before others have started.

    Tests that start commands wait for them, so that one process more keeps the cores busy.
    """
    places = {(config.invocation_params.dir / place).resolve() for place in config.args}
    if config.option.markexpr or config.option.keyword or not places & {HERE, HERE.parent}:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores + 1, MOST_PROCESSES) if cores > 1 else 0


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs from all tests but those that need one: `auto` is to mean the CPU wherever they run."""
    wanted = config.option.markexpr
    if "gpu" not in wanted or "not gpu" in wanted:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what takes minutes, or starts clusters, to its lane."""
    if "faults" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("faults"):
                item.add_marker(pytest.mark.skip(reason="takes minutes; run make test-faults"))
    if "ray" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("ray"):
                item.add_marker(pytest.mark.skip(reason="starts Ray; run make test-ray"))


def pytest_collection_finish() -> None:
    """Keep the collector from looking through what the libraries made when imported, half a second each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def no_power_cuts() -> Iterator[None]:
    """Waiting for the disk takes much of a short job's time, and matters only if the power fails."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda number: None)
        yield


@pytest.fixture(scope="session")
def demo_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo's three models, as the package ships them."""
    folder = tmp_path_factory.mktemp("demo") / "models"
    copy_models(folder)
    return folder
