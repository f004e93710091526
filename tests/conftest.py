from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from curate.demo.train import models_ready, train_models

# How long an example takes says something of the machine, nothing of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs from all tests but those that need one: `auto` is to mean the CPU wherever they run."""
    wanted = config.option.markexpr
    if "gpu" not in wanted or "not gpu" in wanted:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture(scope="session")
def demo_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo's three models, trained once per session (about 45 s on two cores).

    While developing, CURATE_DEMO_MODELS may name the models/ of an earlier `curate demo` of this very version.
    """
    held = os.environ.get("CURATE_DEMO_MODELS")
    if held and models_ready(Path(held), 0):
        return Path(held)
    folder = tmp_path_factory.mktemp("demo") / "models"
    train_models(folder, seed=0)
    return folder
