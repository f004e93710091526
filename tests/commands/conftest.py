import json

import pytest

from .terminal import Terminal


@pytest.fixture
def curate(monkeypatch, capsys):
    return Terminal(monkeypatch, capsys)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A working folder with `d.jsonl` (pairs) and `c.jsonl` (candidates)."""
    monkeypatch.chdir(tmp_path)
    pairs = [
        {
            "prompt": f"question {i}",
            "chosen": "yes " * (i + 1),
            "rejected": "no " * (i + 2),
            "score_chosen": float(i % 4),
            "score_rejected": 1.0,
        }
        for i in range(10)
    ]
    candidates = [{"prompt": f"p {i}", "responses": ["a b", "a c", "d"], "rewards": [1.0, 2.0, 0.5]} for i in range(4)]
    for name, rows in (("d.jsonl", pairs), ("c.jsonl", candidates)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path
