"""Which model to train: the README's example as it stands, the wrong model, and the warnings that tell them apart."""

import logging
import math
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import load_dataset

from curate.cli.app import app
from curate.trl import LOSSES, CuratedDPOTrainer
from curate.trl.first_loss import FirstLoss
from tests.trl.conftest import World, losses

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
NEARLY = "nearly 0: the model to be trained already tells these pairs apart"


def block(language: str) -> str:
    section = README[README.index("## Train with TRL") :]
    return re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)[1]


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the README's commands were run, on the demo's pairs and models."""
    folder = tmp_path_factory.mktemp("readme")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "pairs.jsonl").write_bytes((world.folder / "pairs.jsonl").read_bytes())
        for role in ("policy", "reference"):
            (folder / role.upper()).symlink_to(world.models / role)
        for line in block("sh").splitlines():
            app(shlex.split(line)[1:], standalone_mode=False)
    return folder


def data(folder: Path) -> Any:
    return load_dataset("parquet", data_files=str(folder / "for_trl" / "train.parquet"), split="train")


def test_the_example_of_the_readme_begins_at_log_2(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(folder)
    given: dict[str, Any] = {name: name for name in ("POLICY", "REFERENCE")}
    given |= {"config": world.args(per_device_train_batch_size=2), "data": data(folder)}
    exec(block("python"), given)
    found = losses(given["trainer"])
    assert found[0] == pytest.approx(math.log(2), abs=1e-4)
    assert found[-1] < found[0]
    assert caplog.text == ""


def test_the_policy_as_the_model_is_warned_of_before_it_trains(
    world: World, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = world.trainer(CuratedDPOTrainer, data(folder))
    assert "the model to be trained is the policy that measured these pairs, not the reference" in caplog.text
    assert losses(trainer)[0] < 0.6
    assert NEARLY not in caplog.text


def test_the_policy_on_pairs_that_it_separates_by_far_is_warned_of(
    world: World, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A large beta makes of the demo's small margins what a policy after long training has with a small one."""
    trainer = world.trainer(CuratedDPOTrainer, data(folder), args=world.args(beta=20.0))
    assert losses(trainer)[0] < 0.01
    assert caplog.text.count(NEARLY) == 1
    assert "Train the model that the reference columns are of (`curate score --reference`)" in caplog.text
    caplog.clear()
    right = world.trainer(CuratedDPOTrainer, data(folder), args=world.args(beta=20.0))
    right.model.load_state_dict(world.model("reference").state_dict())
    assert losses(right)[0] == pytest.approx(math.log(2), abs=1e-2)
    assert NEARLY not in caplog.text


@pytest.mark.parametrize("loss", list(LOSSES))
def test_every_loss_warns_where_the_model_has_nothing_to_learn(
    world: World, loss: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The model's own margin on pairs of likely against unlikely text is far beyond what each loss asks for."""
    scale = {"gamma_po": {"form": "dpo", "beta": 100.0}, "amapo": {"beta": 200.0}, "simpo": {"beta": 200.0}}
    options = scale.get(loss, {} if loss == "repo" else {"beta": 100.0})
    prompt = [{"role": "user", "content": "hello"}]
    rows = world.data.select(range(8))
    model = world.model("policy")
    easy = {
        "prompt": [prompt] * 8,
        "chosen": [[{"role": "assistant", "content": " "}]] * 8,
        "rejected": [[{"role": "assistant", "content": "\u2603 \u2603 zq\u00a7 \u2603 qz\u00a7 " * 2}]] * 8,
        "margin": [5.0] * 8,
        "ref_chosen_logps": [-500.0] * 8,
        "ref_rejected_logps": [-1.0] * 8,
    }
    table = type(rows).from_dict(easy)
    trainer = CuratedDPOTrainer(
        model=model,
        args=world.args(steps=1, per_device_train_batch_size=8),
        train_dataset=table,
        processing_class=world.tokenizer,
        loss=loss,
        loss_options=options,
        check_rows=0,
    )
    assert losses(trainer)[0] < 0.01, loss
    assert caplog.text.count(NEARLY) == 1
    told = "that the reference columns are of" in caplog.text
    assert told == LOSSES[loss].reference(trainer._parameters)


def test_stock_losses_are_watched_too(world: World, caplog: pytest.LogCaptureFixture) -> None:
    trainer = world.trainer(CuratedDPOTrainer, None, world.model("reference"), args=world.args(beta=0.1))
    assert trainer._stock
    assert losses(trainer)[0] > 0.3
    assert NEARLY not in caplog.text
    far = world.data.remove_columns(["ref_chosen_logps", "ref_rejected_logps"])
    far = far.add_column("ref_chosen_logps", [-9e3] * len(far)).add_column("ref_rejected_logps", [-1.0] * len(far))
    losses(world.trainer(CuratedDPOTrainer, far, check_rows=0))
    assert caplog.text.count(NEARLY) == 1


class OneProcess:
    """As much of a trainer as FirstLoss asks of."""

    def __init__(self, steps: int) -> None:
        self.args = type("Args", (), {"gradient_accumulation_steps": steps})
        self.state = type("State", (), {"global_step": 0})
        self.model = torch.nn.Linear(1, 1)
        self.accelerator = type("Accelerator", (), {"gather": staticmethod(lambda held: held)})


def seen(caplog: pytest.LogCaptureFixture, batches: list[float], steps: int = 1, **inputs: Any) -> list[str]:
    caplog.clear()
    watch, trainer = FirstLoss("Advice."), OneProcess(steps)
    with caplog.at_level(logging.WARNING):
        for loss in batches:
            watch.see(trainer, torch.tensor(loss), {name: torch.tensor(value) for name, value in inputs.items()})
    return [record.message for record in caplog.records]


def test_the_mean_of_the_first_step_is_what_counts(caplog: pytest.LogCaptureFixture) -> None:
    assert seen(caplog, [1e-10]) != []
    assert "1e-10" in caplog.text and caplog.text.count("Advice.") == 1
    assert seen(caplog, [0.5, 1e-10, 1e-10]) == []  # only the first step
    assert seen(caplog, [1e-10, 0.5], steps=2) == []  # all batches of that step: (0 + 0.5) / 2
    assert len(seen(caplog, [1e-10, 1e-4, 0.5], steps=2)) == 1
    assert seen(caplog, [0.006], weight=[0.01, 0.01]) == []  # small weights: 0.006 / 0.01
    assert len(seen(caplog, [0.006], weight=[1.0, 1.0])) == 1
    assert seen(caplog, [0.0], weight=[0.0, 0.0]) == []  # weights of zero are another matter
