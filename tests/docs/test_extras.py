"""The extras of pyproject.toml against the code: each package is imported somewhere."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
SOURCE = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "curate").rglob("*.py")))


IMPORTED_AS = {"lingua-language-detector": "lingua"}


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - {"test"}))
def test_an_extra_installs_what_some_line_imports(extra):
    for requirement in EXTRAS[extra]:
        name = re.split(r"[\[<>=;]", requirement)[0]
        package = IMPORTED_AS.get(name, name.replace("-", "_"))
        assert re.search(rf"^\s*(import|from) {package}\b", SOURCE, re.MULTILINE) or f'"{package}"' in SOURCE, package


def test_an_extra_named_in_an_error_exists():
    named = set(re.findall(r'MissingExtra\("[\w-]+", "([\w-]+)"\)', SOURCE))
    assert named
    assert named <= EXTRAS.keys()
