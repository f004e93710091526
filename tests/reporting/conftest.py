from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import curate
from curate.demo.world import make_pairs
from tests.reporting.browser import CHROMIUM, DRIVER, MISSING, Page, chromium

ROWS = 300
HOSTILE = (
    '</script><script>window.pwned=1</script><img src=x onerror="window.pwned=2"> & \u2028 \u2029 ]]> <!-- <|im_start|>'
)
ODD = 'a "b" \\ $HOME `id` \n!'


def document(path: Path) -> dict[str, Any]:
    """What a page holds."""
    text = path.read_text("utf-8")
    data = text.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    found: dict[str, Any] = json.loads(data)
    return found


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scored table of pairs with several of a prompt, hostile texts and awkward names, and a selection from it."""
    folder = tmp_path_factory.mktemp("report")
    rows: list[dict[str, Any]] = [dict(row) for row in make_pairs(ROWS, 5)]
    for i, row in enumerate(rows):
        row["source"] = ["it's", HOSTILE, ODD, None][i % 4]
        row["order"] = i % 7 + 0.5
        row["easy"] = i % 3 == 0
    text = json.dumps(rows[0]["chosen"])
    assert isinstance(rows[0]["chosen"], list), text
    rows[0]["chosen"][-1] = {"role": "assistant", "content": HOSTILE}
    rows[1]["rejected"][-1] = {"role": "assistant", "content": "# Head\n- one\n- two **bold** `code`"}
    pairs = folder / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    models = {"policy": "fake:1", "reference": "fake:2", "reward": ("a=fake:3", "b=fake:4")}
    curate.score(pairs, folder / "scored.parquet", **models)
    curate.select(folder / "scored.parquet", folder / "kept.parquet", by="dcrm", top="20%")
    curate.report(folder / "scored.parquet", folder / "report.html", selected=folder / "kept.parquet")
    return folder


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip(MISSING)
    with chromium(tmp_path_factory.mktemp("chromium")) as page:
        yield page
