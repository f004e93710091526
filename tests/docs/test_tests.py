"""The page on the tests: its folders and lanes are the real ones."""

import re

from tests.docs.pages import ROOT, TESTS, table, text

PAGE = text(TESTS)


def test_every_room_has_a_folder_of_tests() -> None:
    rooms = {path.parent.name for path in (ROOT / "curate").glob("*/__init__.py")}
    assert {room for room in rooms if not (ROOT / "tests" / room).is_dir()} == set()


def test_the_table_of_folders_has_every_other_one() -> None:
    rooms = {path.parent.name for path in (ROOT / "curate").glob("*/__init__.py")}
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}
    assert {row[0].strip("`/") for row in table(PAGE, "| folder | what")} == folders - rooms


def test_the_table_of_lanes_has_every_target_that_tests() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    lanes = re.findall(r"^(test[\w-]*|check|coverage|mutants|bench|evidence):", makefile, re.MULTILINE)
    assert sorted(row[0].strip("`").removeprefix("make ") for row in table(PAGE, "| lane | what")) == sorted(lanes)
