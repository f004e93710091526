from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from curate.demo.model_folder import copy_models

# How long an example takes says something of the machine, nothing of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


# Models so small gain nothing by more threads, which wait for each other without end where cores are few or busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What a terminal or a build server asks of rich would change the text that tests read.
for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"):
    os.environ.pop(name, None)


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs from all tests but those that need one: `auto` is to mean the CPU wherever they run."""
    wanted = config.option.markexpr
    if "gpu" not in wanted or "not gpu" in wanted:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture(scope="session")
def demo_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo's three models, as the package ships them."""
    folder = tmp_path_factory.mktemp("demo") / "models"
    copy_models(folder)
    return folder
