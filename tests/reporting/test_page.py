"""The file: hostile text cannot leave the data, only our own pages are replaced, the policy allows nothing else."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import StoreError
from curate.reporting.page import MARK, PAGE, SCRIPTS, embedded, page_of, write_page
from curate.storage.places import Place, check_place
from tests.reporting.conftest import HOSTILE, document

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.S)


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.just(HOSTILE))
def test_any_text_comes_back_and_cannot_end_the_script(text: str) -> None:
    shown = embedded({"text": text, text: [1.5, None]})
    assert not set("<>&\u2028\u2029") & set(shown)
    assert json.loads(shown) == {"text": text, text: [1.5, None]}


def test_numbers_that_json_cannot_spell_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        embedded({"x": float("nan")})


def test_a_page_has_one_script_that_the_policy_names_and_a_title_that_is_text() -> None:
    page = page_of({"a": "@@data@@"}, f"{HOSTILE} @@script@@")
    assert page.startswith(MARK)
    assert len(re.findall("<script", page)) == 2
    assert page.count("sha256-") == 2
    assert "default-src &#x27;none&#x27;" in page
    assert "http:" not in re.sub(r"http://www\.w3\.org/2000/svg", "", page)
    assert "https:" not in page
    found = DATA.search(page)
    assert found is not None
    assert json.loads(found[1]) == {"a": "@@data@@"}


def test_scripts_never_parse_text_as_markup() -> None:
    folder = Path(__file__).parents[2] / "curate" / "reporting" / "page"
    assert sorted(path.stem for path in folder.glob("*.js")) == sorted(SCRIPTS)
    for path in folder.glob("*.js"):
        code = path.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function", code), (
            path.name
        )


def test_only_pages_are_replaced(tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    out.write_text("<!doctype html>mine")
    with pytest.raises(StoreError, match="did not write"):
        check_place(Place(out, PAGE))
    out.unlink()
    write_page(page_of({}, "one"), out)
    check_place(Place(out, PAGE))
    write_page(page_of({}, "two"), out)
    assert "<title>two</title>" in out.read_text("utf-8")
    with pytest.raises(StoreError, match="HTML"):
        check_place(Place(tmp_path / "r.parquet", PAGE))
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_hostile_text_of_a_table_is_only_in_the_data(folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    assert "<script>window.pwned" not in page
    assert "<img" not in page
    texts = [text for pair in document(folder / "report.html")["pairs"] for _, text in pair["chosen"]]
    assert "pwned" in "".join(texts)
    assert any(HOSTILE in group["values"] for group in document(folder / "report.html")["groups"])
