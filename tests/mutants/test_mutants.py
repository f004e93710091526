"""Changes of code: where types stand, which tests are asked, and that what is known to be equivalent still stands."""

import json
from pathlib import Path

from tests.mutants.__main__ import ROOT, annotations, every_file, own_tests


def test_types_are_found_and_nothing_else() -> None:
    [kind, value] = annotations("def f(a: int | None) -> 'str':\n    return a | 1\n")
    assert {kind, value} == {((1, 9), (1, 19)), ((1, 24), (1, 29))}


def test_every_file_has_tests_that_exist() -> None:
    assert "metrics/dcrm" in every_file()
    assert own_tests("metrics/dcrm") == ["tests/metrics/test_dcrm.py", "tests/metrics/test_every_metric.py"]
    for file in every_file():
        assert all((ROOT / place).exists() for place in own_tests(file)), file


def test_what_is_known_to_be_equivalent_is_code_that_stands_there_for_a_reason() -> None:
    for one in json.loads((Path(__file__).parent / "equivalent.json").read_text("utf-8")):
        lines = [line.strip() for line in (ROOT / "curate" / f"{one['file']}.py").read_text("utf-8").splitlines()]
        assert one["before"] in lines, one
        assert one["before"] != one["after"]
        assert one["why"]
