import pytest

from curate.lines import counted, percent


@pytest.mark.parametrize(("number", "said"), [(0, "0 pairs"), (1, "1 pair"), (2, "2 pairs"), (2000, "2,000 pairs")])
def test_one_is_no_plural(number: int, said: str) -> None:
    assert counted(number, "pair") == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0%"), (1.0, "100%"), (0.5, "50.0%"), (0.99999, "99.9%"), (0.00001, "0.1%"), (1 / 3, "33.3%")],
)
def test_all_and_none_are_not_almost_so(share: float, said: str) -> None:
    assert percent(share) == said
