import numpy as np
import polars as pl
import pytest
from hypothesis import given

from .tables import arrays, few, floats, random_table, swapped, tables, values, with_holes


def frame_of(chosen: tuple[float, int, float], rejected: tuple[float, int, float]) -> pl.DataFrame:
    """One pair: log-probability, tokens and mean log collision of each side."""
    names = ("policy_{}_logps", "{}_tokens", "policy_{}_collision")
    sides = {"chosen": chosen, "rejected": rejected}
    return pl.DataFrame({n.format(side): [x] for side, of in sides.items() for n, x in zip(names, of, strict=True)})


def test_golden() -> None:
    # m+ = -20/10 + 1.5 = -0.5 and m- = -9/3 + 2.8 = -0.2: exp(-0.7)
    assert values("wpo_weight", frame_of((-20.0, 10, -1.5), (-9.0, 3, -2.8))) == [pytest.approx(np.exp(-0.7))]
    # greedy text is likelier than a draw: m+ = -1 + 2, m- = -3 + 2.5, and the weight is at most 1
    assert values("wpo_weight", frame_of((-4.0, 4, -2.0), (-9.0, 3, -2.5))) == [1.0]


def test_a_token_of_a_uniform_policy_counts_nothing() -> None:
    """Over 8 equal tokens log pi is -log 8 and so is the log of the collision probability."""
    log = float(np.log(8))
    assert values("wpo_weight", frame_of((-5 * log, 5, -log), (-2 * log, 2, -log))) == [pytest.approx(1)]


def test_against_numpy() -> None:
    frame = with_holes(random_table(seed=11, rows=300), seed=12)
    of = arrays(frame)
    m = {s: of[f"policy_{s}_logps"] / of[f"{s}_tokens"] - of[f"policy_{s}_collision"] for s in ("chosen", "rejected")}
    wanted = np.clip(np.exp(m["chosen"]) * np.exp(m["rejected"]), None, 1)
    np.testing.assert_allclose(floats(values("wpo_weight", frame)), wanted, rtol=1e-9)


@few
@given(tables())
def test_a_weight_that_the_label_does_not_change(frame: pl.DataFrame) -> None:
    found = floats(values("wpo_weight", frame))
    assert ((found > 0) & (found <= 1)).all()
    sides = swapped(frame.drop("hidden_product", "hidden_square"))
    np.testing.assert_array_equal(found, floats(values("wpo_weight", sides)))
