"""The script that `curate export --to trl` puts beside the data, run on it."""

import runpy
from pathlib import Path

import pytest

from curate.trl import CuratedDPOTrainer
from tests.trl.conftest import World


def test_the_exported_script_builds_its_trainer(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    script = world.folder / "out" / "trl_config.py"
    text = script.read_text()
    assert text.count("NAME-OF-YOUR-MODEL") == 1
    assert "--reference of curate score ('reference')" in text
    mine = script.with_name("mine.py")
    mine.write_text(
        text.replace("NAME-OF-YOUR-MODEL", str(world.models / "reference")).replace(
            'output_dir="trained"', 'output_dir="trained", use_cpu=True, report_to=[]'
        )
    )
    trainer = runpy.run_path(str(mine))["trainer"]
    assert isinstance(trainer, CuratedDPOTrainer)
    assert trainer.ref_model is None
    assert len(trainer.train_dataset) == len(world.data)
    assert "taken on trust" not in caplog.text
