from __future__ import annotations

from pathlib import Path

import pytest
import torch

from curate.backends import ModelSpec
from curate.backends.torch.scoring import TorchRewards
from curate.backends.vllm import engine as vllm_engine
from curate.backends.vllm.models import VllmRewards
from curate.errors import ModelError
from curate.render import Rendered
from tests.backends.models import open_alone, random_rows, reward_alone
from tests.vllm.models import CLOSE, causal, opened, reward, spec

IDS = [row.ids for row in random_rows([2, 3, 50, 21, 80, 256, 7, 1, 33, 120], 1024, seed=4)]


def close(ours: list[float], theirs: list[float]) -> None:
    assert max(theirs) > min(theirs) + 0.05, "the model is too flat for this test to fail"
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) < CLOSE


def test_the_demos_rewards_are_the_raw_logit(demo_models: Path, demo_rows: list[Rendered]) -> None:
    path = str(demo_models / "reward")
    rows = [row.ids for row in demo_rows]
    model = open_alone(path, "reward")
    alone = [reward_alone(model, ids) for ids in rows]
    assert max(alone) > 1, "a sigmoid would not be told from the raw logit"
    backend = opened(VllmRewards, spec(path, max_length=4096))
    close(backend.rewards(rows), alone)
    close(backend.rewards(rows), TorchRewards(ModelSpec.of(path, device="cpu")).rewards(rows))
    close(backend.rewards(rows[::-1])[::-1], alone)


@pytest.mark.parametrize("pad", [0, 2, None])
def test_the_token_at_which_transformers_reads(tmp_path: Path, pad: int | None) -> None:
    """Padding tokens at the end are passed over, also where the padding token ends the turns."""
    path = reward(tmp_path, pad_token_id=pad)
    rows = [*IDS, *([*ids[:250], pad or 0] for ids in IDS), *([*ids[:250], pad or 0, pad or 0] for ids in IDS)]
    rows += [[pad or 0], [pad or 0] * 3]
    alone = [reward_alone(model, ids) for model in [open_alone(path, "reward")] for ids in rows]
    close(opened(VllmRewards, spec(path)).rewards(rows), alone)


def test_rows_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_engine, "STEP_TOKENS", 64)
    monkeypatch.setattr(vllm_engine, "ROWS_AT_ONCE", 16)
    path = reward(tmp_path)
    alone = [reward_alone(model, ids) for model in [open_alone(path, "reward")] for ids in IDS]
    close(opened(VllmRewards, spec(path)).rewards(IDS), alone)


def test_several_outputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="3 outputs, not one"):
        VllmRewards(spec(reward(tmp_path, outputs=3)))


def test_a_checkpoint_without_a_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        VllmRewards(spec(causal(tmp_path)))


def test_the_next_engine_opens_after_one_that_was_refused(tmp_path: Path) -> None:
    path = reward(tmp_path)
    before = torch.get_default_dtype()
    torchs = TorchRewards(ModelSpec.of(path, device="cpu")).rewards(IDS)
    close(opened(VllmRewards, spec(path)).rewards(IDS), torchs)
    assert torch.get_default_dtype() == before
