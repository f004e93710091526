import sys
from functools import partial
from types import SimpleNamespace

import pytest

from curate.errors import MissingExtra
from curate.hygiene import language
from curate.hygiene.language import Languages
from curate.hygiene.near_duplicates import NearDuplicates, parts_of_pairs
from tests.hygiene.helpers import HOSTILE, run

FEW = partial(Languages, ("ENGLISH", "FRENCH", "GERMAN", "CHINESE"))
ENGLISH = "What is the capital of the country that lies to the north of Spain, and why?"
FRENCH = "Quelle est la capitale du pays qui se trouve au nord de l'Espagne, et pourquoi ?"
GERMAN = "Was ist die Hauptstadt des Landes, das nördlich von Spanien liegt, und warum?"
CHINESE = "西班牙北边的那个国家的首都是哪里、为什么是那里。"
CODE = "```python\nfor i in range(10):\n    print(i)\n```"


def test_the_language_of_each_text():
    assert FEW().of([ENGLISH, FRENCH, GERMAN, CHINESE]) == ["ENGLISH", "FRENCH", "GERMAN", "CHINESE"]


@pytest.mark.parametrize("text", ["", "  ", "12 + 7 = 19", "🙂", CODE, "Ok"])
def test_what_has_no_clear_language(text):
    assert FEW().of([text]) == [""]


def test_a_response_in_another_language_than_the_rest():
    rows = [
        (ENGLISH, ENGLISH, ENGLISH),
        (ENGLISH, FRENCH, ENGLISH),
        (ENGLISH, "42", GERMAN),
        (ENGLISH, "42", CODE),
        (FRENCH, FRENCH, FRENCH),
    ]
    assert run(FEW, rows) == {"language_mismatch": [1, 2], "other_language": [4]}


def test_a_prompt_without_a_clear_language_has_that_of_its_responses():
    rows = [(ENGLISH, ENGLISH, ENGLISH)] * 2 + [("42?", FRENCH, FRENCH), ("42?", "42", "43")]
    assert run(FEW, rows) == {"language_mismatch": [], "other_language": [2]}


def test_languages_that_are_taken_for_one_another_count_as_one(monkeypatch):
    names = iter(["DANISH", "NYNORSK", "SWEDISH"])

    class Told:
        def detect_languages_in_parallel_of(self, texts):
            return [SimpleNamespace(name=next(names)) for _ in texts]

    monkeypatch.setattr(language, "_detector", lambda among: Told())
    found = Languages().of(["a", "b", "c"])
    assert found[0] == found[1] != found[2] == "SWEDISH"


def test_hostile_texts():
    assert run(FEW, [row for row in HOSTILE if "नमस्ते" not in row[0]])["language_mismatch"] == []


@pytest.mark.parametrize(
    ("package", "module", "make"),
    [("lingua-language-detector", "lingua", FEW), ("rensa", "rensa", partial(NearDuplicates, "near", parts_of_pairs))],
)
def test_a_missing_package_is_an_error_that_names_the_extra(monkeypatch, package, module, make):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"{package} is not installed[\s\S]*curate-preferences\[hygiene\]"):
        make()
