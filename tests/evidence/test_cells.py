import tomllib

from tests.evidence.cells import Amounts, Cell, plan
from tests.evidence.page import CLAIMS


def test_every_cell_is_planned_once_for_each_draw() -> None:
    cells = plan(2)
    assert len({cell.key for cell in cells}) == len(cells)
    assert len({cell.config(Amounts()) for cell in cells}) == len(cells)
    assert [cell.draw for cell in cells].count(0) == [cell.draw for cell in cells].count(1)


def test_the_hash_knows_the_draw_and_the_amounts() -> None:
    cell = Cell("selection", "dcrm", "10%")
    other = (Cell("selection", "dcrm", "10%", draw=1), Amounts()), (cell, Amounts(steps=7))
    assert cell.config(Amounts()) not in {one.config(amounts) for one, amounts in other}


def test_every_selection_has_its_random_control() -> None:
    keys = {cell.key for cell in plan(1)}
    for cell in plan(1):
        if cell.table == "selection" and cell.share:
            assert Cell("selection", "random", cell.share, cell.world).key in keys


def test_every_claim_is_about_planned_cells() -> None:
    names = {cell.key.rpartition("/")[0] for cell in plan(1)}
    for claim in tomllib.loads(CLAIMS.read_text("utf-8"))["claim"]:
        assert claim["method"] in names
        assert claim["control"] in {*names, ""}
        assert claim["sign"] in {"+", "not -"}
