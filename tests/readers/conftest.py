"""Where the real preference data lies, if it does."""

import os
from pathlib import Path

import pytest

from curate.readers.layouts import all_layouts


@pytest.fixture(scope="session")
def real_data():
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("CURATE_DATA") or root.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no real data: set CURATE_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def layouts():
    return {layout.name: layout for layout in all_layouts()}
