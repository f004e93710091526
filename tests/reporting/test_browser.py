"""The page in a real browser: it draws, filters, prints the equal command, and runs nothing that it was not given."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import polars as pl
import pytest

import curate
from curate.cli.app import app
from tests.reporting.browser import Page
from tests.reporting.conftest import HOSTILE, ODD, ROWS, document

CHARTS = "return document.querySelectorAll('svg').length"
HISTOGRAM = "document.querySelector(`svg.histogram[aria-label^='${arguments[0]}:']`)"


@pytest.fixture
def page(browser: Page, folder: Path) -> Page:
    browser.resize(1280, 900)
    browser.open(folder / "report.html")
    return browser


def focus(page: Page, name: str) -> None:
    page.run(f"{HISTOGRAM}.focus()", name)


def rows_shown(page: Page) -> int:
    return int(page.text("#bar strong").split()[0].replace(",", ""))


def selected_by_the_command(page: Page, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    """What the command that the page prints keeps."""
    command = shlex.split(page.text("#bar code"))
    assert command[:2] == ["curate", "select"]
    monkeypatch.chdir(folder)
    out = command.index("-o")
    app([*command[1:out], "-o", str(tmp_path / "selected.parquet"), "--quiet"], standalone_mode=False)
    return pl.read_parquet(tmp_path / "selected.parquet")


def test_the_page_draws_without_an_error_and_hostile_text_stays_text(page: Page) -> None:
    assert page.log() == []
    assert page.run(CHARTS) > 30
    assert page.run("return window.pwned === undefined")
    assert page.run("return document.querySelectorAll('img, iframe, link').length") == 0
    assert HOSTILE.split()[1] in page.text("body")


def test_a_script_that_the_policy_does_not_name_does_not_run(page: Page) -> None:
    page.run(
        "const one = document.createElement('script'); one.textContent = 'window.pwned = 3'; document.body.append(one);"
        "const two = document.createElement('img'); two.src = 'http://127.0.0.1:9/x.png'; document.body.append(two);"
    )
    assert page.run("return window.pwned === undefined")
    assert any("Content Security Policy" in line for line in page.log())


@pytest.mark.parametrize("name", ["dcrm", "order", "rm_agrees", "chosen_tokens", "easy"])
def test_bars_filter_by_keyboard_and_the_printed_command_keeps_as_many(
    page: Page, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    bars = page.run(f"return {HISTOGRAM}.getAttribute('aria-valuemax')", name)
    for steps in (0, int(bars) // 2, int(bars)):
        focus(page, name)
        page.keys("Escape", *["ArrowLeft"] * (int(bars) + 1), *["ArrowRight"] * steps, "Enter")
        one = next(one for one in document(folder / "report.html")["numbers"] if one["name"] == name)
        assert rows_shown(page) == one["counts"][steps]
        if one["counts"][steps]:
            assert selected_by_the_command(page, folder, tmp_path, monkeypatch).height == one["counts"][steps]
    focus(page, name)
    page.keys("Escape")
    assert page.text("#bar strong").startswith(f"All {ROWS}")


def test_a_drag_an_odd_value_an_issue_and_the_threshold_give_the_rows_of_the_printed_command(
    page: Page, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.run(f"{HISTOGRAM}.scrollIntoView({{behavior: 'instant', block: 'center'}})", "reward_margin")
    box = page.run(
        f"const b = {HISTOGRAM}.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]", "reward_margin"
    )
    page.drag((box[0] + box[2] * 0.2, box[1] + 20), (box[0] + box[2] * 0.9, box[1] + 30))
    found = [rows_shown(page)]
    for value in ("it's", HOSTILE.strip(), ODD, "(none)"):
        page.run(
            "[...document.querySelectorAll('table.shares button')]"
            ".find(e => e.textContent.trim() === arguments[0]).click()",
            value,
        )
        found.append(rows_shown(page))
        kept = selected_by_the_command(page, folder, tmp_path, monkeypatch)
        assert kept.height == found[-1]
    assert found[0] == found[-1] > found[2] > found[1]
    page.run("const e = document.getElementById('threshold'); e.value = 23; e.dispatchEvent(new Event('input'))")
    kept = selected_by_the_command(page, folder, tmp_path, monkeypatch)
    assert rows_shown(page) == kept.height == found[0] * 23 // 100
    shown = page.run("return document.querySelector('#threshold-section table').innerText").splitlines()
    margin = next(line for line in shown if line.startswith("mean reward margin")).split("\t")[1]
    assert float(margin) == pytest.approx(kept["reward_margin"].mean(), rel=1e-3)
    page.run("document.querySelector('#bar .clear').click()")
    assert page.text("#bar strong").startswith(f"All {ROWS}")
    assert page.log() == []


def test_the_threshold_alone_is_exact_and_moves_by_keyboard(page: Page) -> None:
    page.run("const e = document.getElementById('threshold'); e.value = 13; e.focus()")
    page.keys(*["ArrowLeft"] * 3)
    assert page.text("#bar strong") == f"{ROWS // 10} of {ROWS} rows"
    assert "--by dcrm --top 10%" in page.text("#bar code")
    assert page.text("#said").startswith(f"{ROWS // 10} of {ROWS}")


def test_a_pair_has_an_address_and_says_why_it_was_kept(browser: Page, folder: Path) -> None:
    held = document(folder / "report.html")
    pair = held["pairs"][held["sets"]["worst"][0]]
    browser.open(folder / "report.html", f"#pair-{pair['id']}")
    text = browser.run("return document.getElementById(arguments[0]).innerText", f"pair-{pair['id']}")
    assert re.search(r"Not kept: dcrm is .* short of the cut at .*Rule: curate select", text)
    marked = browser.run("return document.querySelectorAll('#' + arguments[0] + ' mark').length", f"pair-{pair['id']}")
    assert marked > 0


def test_every_control_has_a_name_and_every_chart_a_description(page: Page) -> None:
    unnamed = page.run(
        "return [...document.querySelectorAll('button, select, input, svg')].filter(e => !(e.textContent.trim() "
        "|| e.getAttribute('aria-label') || e.getAttribute('aria-hidden') || e.closest('label'))).map(e => e.outerHTML)"
    )
    assert unnamed == []
    headings = page.run("return [...document.querySelectorAll('h1, h2')].map(e => e.tagName)")
    assert headings[0] == "H1"
    assert headings.count("H1") == 1
    assert page.run("return document.documentElement.lang") == "en"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_nothing_is_wider_than_the_window(page: Page, width: int, dark: bool) -> None:
    page.resize(width, 900, dark=dark)
    assert page.run("return document.documentElement.scrollWidth") <= width
    paper = page.run("return getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)")


def test_the_data_can_be_read_back_from_the_page(page: Page, folder: Path) -> None:
    assert json.loads(page.text("#data")) == document(folder / "report.html")


def test_two_selections_are_drawn(browser: Page, folder: Path, tmp_path: Path) -> None:
    curate.select(folder / "scored.parquet", tmp_path / "other.parquet", by="reward_margin", top="20%")
    selections = {"selected": folder / "kept.parquet", "compare": tmp_path / "other.parquet"}
    curate.report(folder / "scored.parquet", tmp_path / "r.html", **selections)
    browser.open(tmp_path / "r.html")
    assert browser.log() == []
    both = document(tmp_path / "r.html")["compared"]["both"]
    assert f"{both} in both" in browser.text("#compared .legend")


def test_a_table_of_numbers_alone_draws(browser: Page, tmp_path: Path) -> None:
    pl.DataFrame({"x": [0.5, 1.5, None], "y": [1, 2, 3]}).write_parquet(tmp_path / "t.parquet")
    curate.report(tmp_path / "t.parquet", tmp_path / "r.html")
    browser.open(tmp_path / "r.html")
    assert browser.log() == []
    assert "The table has no texts" in browser.text("#head")
