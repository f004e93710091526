from __future__ import annotations

from pathlib import Path

import pytest

from curate.demo.train import train_models


@pytest.fixture(scope="session")
def demo_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo's three models, trained once per session (about 45 s on two cores)."""
    folder = tmp_path_factory.mktemp("demo") / "models"
    train_models(folder, seed=0)
    return folder
