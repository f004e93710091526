"""Every document: its commands parse, its make targets and links exist, its prose is plain, the front page is short."""

import re
from pathlib import Path

import pytest

from curate.cli.app import whole
from tests.docs.pages import FRONT, HOUSE, PAGES, ROOT, curate_lines, shell_lines, text
from tests.docs.prose import banned

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_every_curate_command_parses(page: Path) -> None:
    for name, *rest in curate_lines(text(page)):
        assert whole(name).make_context(name, rest)


@each_page
def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = {line[1] for line in shell_lines(text(page)) if line[0] == "make"}
    for target in named | set(re.findall(r"`make ([\w-]+)`", text(page))):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, _, anchor in (link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", text(page))):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", text(linked), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@each_page
def test_a_document_reads_as_one_would_say_it(page: Path) -> None:
    """The printed tree quotes docstrings, which are read where they are written."""
    prose = text(page)
    if page == HOUSE:
        prose = re.sub(r"^```text\n.*?^```", "", prose, flags=re.DOTALL | re.MULTILINE)
    assert banned(prose) == []


def test_the_front_page_is_short_and_leads_to_every_other_document() -> None:
    assert len(text(FRONT).splitlines()) <= 200
    assert {page.relative_to(ROOT).as_posix() for page in PAGES[1:]} <= set(re.findall(r"\]\(([^)#]+)", text(FRONT)))


def test_lines_of_the_documents_are_no_longer_than_the_code_s() -> None:
    for page in PAGES:
        for line in text(page).splitlines():
            assert len(line) <= 120 or line.startswith(("|", "curate ")), (page, line)
