import numpy as np
import polars as pl
from hypothesis import given

from .tables import arrays, few, floats, random_table, swapped, tables, values, with_holes


def test_golden() -> None:
    # -30 / 10 - -20 / 5 = -3 + 4: the chosen response surprises by one nat a token more; then -2 - -1 = -1
    frame = {"policy_chosen_logps": [-20.0, -4.0], "chosen_tokens": [5, 4]}
    frame |= {"policy_rejected_logps": [-30.0, -6.0], "rejected_tokens": [10, 3]}
    assert values("ppl_diff", frame) == [1.0, -1.0]


def test_against_numpy() -> None:
    frame = with_holes(random_table(seed=5, rows=300), seed=6)
    of = arrays(frame)
    ppl = {side: np.exp(-of[f"policy_{side}_logps"] / of[f"{side}_tokens"]) for side in ("chosen", "rejected")}
    wanted = np.log(ppl["chosen"]) - np.log(ppl["rejected"])
    np.testing.assert_allclose(floats(values("ppl_diff", frame)), wanted, rtol=1e-9, atol=1e-12)


@few
@given(tables())
def test_swapping_turns_the_sign_and_it_is_the_simpo_margin_turned(frame: pl.DataFrame) -> None:
    found = floats(values("ppl_diff", frame))
    np.testing.assert_array_equal(found, -floats(values("ppl_diff", swapped(frame))))
    np.testing.assert_array_equal(found, -floats(values("simpo_margin", frame)))
