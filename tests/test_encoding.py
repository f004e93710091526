"""Files are UTF-8 in whatever locale a command runs: a template read otherwise would change the numbers in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.commands.helpers import write_jsonl

CODE = """
import locale
from pathlib import Path
from types import SimpleNamespace
import curate
from curate.model import Model
from curate.plan.models import template_text
from curate.scorers.judging import JudgeOptions

assert locale.getencoding().lower() not in ("utf-8", "utf8"), locale.getencoding()
assert template_text(SimpleNamespace(chat_template=Path("t.jinja"))) == "\\u00dcber {{ messages }}"
assert JudgeOptions(template=Path("t.jinja")).source("") == "\\u00dcber {{ messages }}"
assert Model.of("adapter").weights == "mod\\u00e8le"
curate.score("d.jsonl", "out/", policy="fake:1")
"""


def test_files_are_utf8_in_an_ascii_locale(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("Über {{ messages }}", "utf-8")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text('{"base_model_name_or_path": "modèle"}', "utf-8")
    write_jsonl(tmp_path / "d.jsonl", [{"prompt": "p", "chosen": "a", "rejected": "b", "größe": 1}])
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=tmp_path, env={**os.environ, **ascii_only}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "größe" in (tmp_path / "out" / "README.md").read_text("utf-8")
