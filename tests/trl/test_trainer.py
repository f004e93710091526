"""Training on the demo's selected data, with what stands in the data and with live models."""

from typing import Any

import numpy as np
import pytest
import torch
from trl import DPOTrainer

from curate.errors import InputError, SettingsError
from curate.trl import CuratedDPOTrainer
from tests.trl.conftest import World, losses

PLAIN = ["prompt", "chosen", "rejected"]


def with_columns(world: World, **columns: list[float]) -> Any:
    data = world.data
    for name, values in columns.items():
        data = data.remove_columns([name] if name in data.column_names else []).add_column(name, values)
    return data


def first_loss(world: World, data: Any = None) -> float:
    return losses(world.trainer(CuratedDPOTrainer, data, args=world.args(steps=1)))[0]


def test_reference_columns_train_as_a_live_reference_does(world: World) -> None:
    live = world.trainer(
        DPOTrainer, world.data.select_columns(PLAIN), world.model("reference"), args=world.args(steps=20)
    )
    given = world.trainer(CuratedDPOTrainer, args=world.args(steps=20))
    assert given.ref_model is None
    ours, theirs = losses(given), losses(live)
    assert len(ours) == 20
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_columns_are_trls_own_numbers(world: World) -> None:
    """`curate score --match trl` against the log-probabilities that TRL precomputes itself."""
    stock = world.trainer(
        DPOTrainer,
        world.data.select_columns(PLAIN),
        world.model("reference"),
        args=world.args(precompute_ref_log_probs=True),
    )
    assert len(stock.train_dataset) == len(world.data)
    for name in ("ref_chosen_logps", "ref_rejected_logps"):
        # TRL sums some hundred nats in float32: each addition rounds by up to 6e-8 of the sum so far.
        np.testing.assert_allclose(world.data[name][:], stock.train_dataset[name][:], atol=1e-4, rtol=1e-6)


def test_shifted_columns_change_the_loss(world: World) -> None:
    shifted = with_columns(world, ref_chosen_logps=[v + 5.0 for v in world.data["ref_chosen_logps"][:]])
    assert abs(first_loss(world, shifted) - first_loss(world)) > 0.1


def test_shifted_columns_are_refused_by_the_reference(world: World) -> None:
    shifted = with_columns(world, ref_chosen_logps=[v + 5.0 for v in world.data["ref_chosen_logps"][:]])
    for reference in (world.model("reference"), str(world.models / "reference")):
        with pytest.raises(InputError, match="differ from those of the reference model"):
            world.trainer(CuratedDPOTrainer, shifted, reference)
    trusted = world.trainer(CuratedDPOTrainer, shifted, str(world.models / "reference"), check_rows=0)
    assert trusted.ref_model is None


def test_right_columns_pass_the_check_against_their_reference(world: World) -> None:
    trainer = world.trainer(CuratedDPOTrainer, None, str(world.models / "reference"))
    assert trainer.ref_model is None
    assert trainer._check.reference is None


def test_columns_of_another_model_are_refused_when_nothing_vouches_for_them(world: World) -> None:
    unproved = world.data.select_columns([*PLAIN, "ref_chosen_logps", "ref_rejected_logps"])
    with pytest.raises(InputError, match="differ from those of the model to be trained"):
        world.trainer(CuratedDPOTrainer, unproved)


def test_columns_over_other_tokens_are_refused(world: World) -> None:
    with pytest.raises(InputError, match="measured over other tokens than TRL counts"):
        world.trainer(CuratedDPOTrainer, args=world.args(max_length=40))
    more = [n + 1 for n in world.data["curate_chosen_tokens"][:]]
    with pytest.raises(InputError, match=f"^{len(more)} of {len(more)} chosen responses"):
        world.trainer(CuratedDPOTrainer, with_columns(world, curate_chosen_tokens=more))


def test_nulls_are_refused(world: World) -> None:
    holed = with_columns(world, weight=[1.0, None] * (len(world.data) // 2))
    with pytest.raises(InputError, match="weight has 30 rows without a number"):
        world.trainer(CuratedDPOTrainer, holed)


def test_weights_and_margins_reach_the_loss(world: World) -> None:
    plain, count = first_loss(world), len(world.data)
    ones = with_columns(world, weight=[1.0] * count, target_margin=[0.0] * count)
    assert first_loss(world, ones) == pytest.approx(plain, abs=1e-5)
    tripled = with_columns(world, weight=[3.0] * count)
    assert first_loss(world, tripled) == pytest.approx(3 * plain, rel=1e-4)
    # -log sigma(x - m) for a very large m is m - x: raising m by 10 raises the loss by 10.
    far, further = (with_columns(world, target_margin=[m] * count) for m in (100.0, 110.0))
    assert first_loss(world, further) - first_loss(world, far) == pytest.approx(10, abs=1e-2)


def test_weights_of_zero_teach_nothing(world: World) -> None:
    trainer = world.trainer(CuratedDPOTrainer, with_columns(world, weight=[0.0] * len(world.data)))
    before = [p.detach().clone() for p in trainer.model.parameters()]
    assert losses(trainer) == [0.0] * 3
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))


@pytest.mark.parametrize("loss", ["simpo", "gamma_po", "madpo", "amapo", "bpo", "repo"])
def test_live_losses_train(world: World, loss: str) -> None:
    margins = np.random.default_rng(0).normal(1, 2, len(world.data)).tolist()
    trainer = world.trainer(CuratedDPOTrainer, with_columns(world, margin=margins), loss=loss)
    found = losses(trainer)
    assert len(found) == 3
    assert np.isfinite(found).all()
    logged = trainer.state.log_history[0]
    assert np.isfinite(logged["grad_norm"]) and logged["grad_norm"] > 0
    assert {"rewards/accuracies", "entropy", "mean_token_accuracy", "logps/chosen"} <= set(logged)


def test_live_losses_see_trls_numbers(world: World) -> None:
    """The first SimPO loss is that of the columns which curate measured for the same policy."""
    args = world.args(per_device_train_batch_size=len(world.data), steps=1)
    found = losses(world.trainer(CuratedDPOTrainer, loss="simpo", loss_options={"beta": 2.0}, args=args))[0]
    policy = [np.array(world.data[f"curate_policy_{side}_logps"][:]) for side in ("chosen", "rejected")]
    tokens = [np.array(world.data[f"curate_{side}_tokens"][:]) for side in ("chosen", "rejected")]
    gap = policy[0] / tokens[0] - policy[1] / tokens[1]
    assert found == pytest.approx(float(np.log1p(np.exp(-2.0 * gap)).mean()), abs=1e-4)


def test_reference_free_losses_open_no_reference(world: World) -> None:
    trainer = world.trainer(CuratedDPOTrainer, world.data.select_columns(PLAIN), loss="repo")
    assert trainer.ref_model is None
    assert "ref_chosen_logps" not in trainer.train_dataset.column_names
    assert np.isfinite(losses(trainer)).all()


def test_a_live_reference_serves_losses_that_need_one(world: World) -> None:
    live = world.trainer(CuratedDPOTrainer, world.data.select_columns(PLAIN), world.model("reference"), loss="bpo")
    given = world.trainer(CuratedDPOTrainer, loss="bpo")
    np.testing.assert_allclose(losses(live), losses(given), atol=1e-4)


def test_beta_is_the_configurations_for_losses_on_ratios(world: World) -> None:
    count = len(world.data)
    data = with_columns(world, weight=[1.0] * count)
    by_args = losses(world.trainer(CuratedDPOTrainer, data, args=world.args(beta=0.5)))
    by_loss = losses(world.trainer(CuratedDPOTrainer, data, loss_options={"beta": 0.5}))
    np.testing.assert_allclose(by_args, by_loss)
    stock = losses(world.trainer(DPOTrainer, None, world.model("reference"), args=world.args(beta=0.5)))
    np.testing.assert_allclose(by_args, stock, atol=1e-4)


def test_evaluation_data_needs_the_same_columns(world: World) -> None:
    trainer = world.trainer(CuratedDPOTrainer, eval_dataset=world.data.select(range(8)))
    assert np.isfinite(trainer.evaluate()["eval_loss"])
    with pytest.raises(InputError, match="eval data has no ref_chosen_logps"):
        world.trainer(CuratedDPOTrainer, eval_dataset=world.data.select_columns(PLAIN))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"loss": "amapo"}, "makes its own weights and margins"),
        ({"config": {"loss_type": ["ipo"]}}, "has no loss_type"),
        ({"config": {"use_weighting": True}}, "has no use_weighting"),
        ({"config": {"ld_alpha": 0.5}}, "ld_alpha needs others"),
        ({"loss": "madpo", "drop": ["weight"]}, "reads the column margin"),
        ({"loss": "nonsense"}, "no loss nonsense"),
        ({"config": {"loss_weights": [0.5]}}, "has no loss_weights"),
        ({"add": "tools"}, "measured without"),
    ],
)
def test_what_would_be_computed_wrongly_is_refused(world: World, given: dict[str, Any], says: str) -> None:
    data = with_columns(world, weight=[1.0] * len(world.data)).remove_columns(given.get("drop", []))
    data = data.remove_columns([name for name in ("margin",) if name in data.column_names])
    if "add" in given:
        data = data.add_column(given["add"], ["[]"] * len(data))
    args = world.args(**given.get("config", {}))
    with pytest.raises(SettingsError, match=says):
        world.trainer(CuratedDPOTrainer, data, loss=given.get("loss", "dpo"), args=args)


def test_the_check_is_not_blurred_by_mixed_precision(world: World) -> None:
    trainer = world.trainer(CuratedDPOTrainer, None, str(world.models / "reference"), args=world.args(bf16=True))
    assert np.isfinite(losses(trainer)).all()


def test_the_end_of_what_is_too_long_is_another_text(world: World) -> None:
    args = world.args()
    args.truncation_mode = "keep_end"
    with pytest.raises(SettingsError, match="start of longer texts"):
        world.trainer(CuratedDPOTrainer, args=args)


def test_streamed_data_is_checked_too(world: World) -> None:
    shifted = with_columns(world, ref_chosen_logps=[v + 5.0 for v in world.data["ref_chosen_logps"][:]])
    with pytest.raises(InputError, match="differ from those of the reference model"):
        world.trainer(CuratedDPOTrainer, shifted.to_iterable_dataset(), str(world.models / "reference"))
    with pytest.raises(InputError, match="over other tokens"):
        world.trainer(CuratedDPOTrainer, world.data.to_iterable_dataset(), args=world.args(max_length=40))
    assert len(losses(world.trainer(CuratedDPOTrainer, world.data.to_iterable_dataset()))) == 3


def test_it_says_when_the_reference_is_taken_on_trust(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.trainer(CuratedDPOTrainer)
    assert "taken on trust" in caplog.text
    caplog.clear()
    world.trainer(CuratedDPOTrainer, None, str(world.models / "reference"))
    assert "taken on trust" not in caplog.text


def test_new_data_can_be_evaluated_after_training(world: World) -> None:
    trainer = world.trainer(CuratedDPOTrainer)
    trainer.train()
    found = trainer.evaluate(world.data.select(range(8)))
    assert np.isfinite(found["eval_loss"])
    more = with_columns(world, curate_chosen_tokens=[n + 1 for n in world.data["curate_chosen_tokens"][:]])
    with pytest.raises(InputError, match="over other tokens"):
        trainer.evaluate(more)
    free = world.trainer(CuratedDPOTrainer, world.data.select_columns(PLAIN), loss="repo")
    free.train()
    assert np.isfinite(free.evaluate(world.data.select_columns(PLAIN).select(range(8)))["eval_loss"])


def test_beta_of_gamma_po_on_log_ratios_is_the_configurations(world: World) -> None:
    made = world.trainer(CuratedDPOTrainer, loss="gamma_po", loss_options={"form": "dpo"}, args=world.args(beta=0.2))
    assert made._parameters["beta"] == 0.2
    assert world.trainer(CuratedDPOTrainer, loss="gamma_po")._parameters["beta"] == 10.0
