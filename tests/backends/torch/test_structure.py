"""Sliding windows of any size, and masks whose errors bfloat16 would hide."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from curate.backends import ModelSpec
from curate.backends.torch import adapters as torch_adapters
from curate.backends.torch import attention as torch_attention
from curate.backends.torch import scoring as torch_models
from curate.backends.torch import structure as torch_structure
from curate.backends.torch.attention import Reading
from curate.backends.torch.forward import TorchModel
from curate.backends.torch.generation import TorchGeneration
from curate.backends.torch.packing import Pack, pack
from curate.backends.torch.scoring import TorchLogprobs, TorchRewards
from curate.backends.torch.structure import SMALL_WINDOW, distance, sees, small_windows
from tests.backends.models import (
    logp_alone,
    open_alone,
    random_rows,
    reward_alone,
    save_causal,
    save_reward,
    sized,
    worst,
)

WINDOW = 610
LONG = {"max_position_embeddings": 1024, "sliding_window": WINDOW}


def olmoe() -> Any:
    """Its layers ask for a window that its masks do not have."""
    config = transformers.OlmoeConfig(**sized(num_experts=4, num_experts_per_tok=2, max_position_embeddings=1024))
    config.sliding_window = WINDOW
    return config


WINDOWED: dict[str, Callable[[], Any]] = {
    "olmoe": olmoe,
    "mistral": lambda: transformers.MistralConfig(**sized(**LONG)),
    "gemma3": lambda: transformers.Gemma3TextConfig(
        **sized(**LONG, num_hidden_layers=3, layer_types=["sliding_attention"] * 2 + ["full_attention"])
    ),
}


@pytest.mark.parametrize("architecture", WINDOWED)
def test_rows_beyond_a_long_window_are_right(architecture: str, tmp_path: Path) -> None:
    folder = save_causal(WINDOWED[architecture](), tmp_path)
    backend = TorchLogprobs(ModelSpec.of(folder, device="cpu"))
    rows = random_rows([WINDOW + 50, WINDOW + 30, 30])
    model = open_alone(folder)
    assert worst(backend.logps(rows), [logp_alone(model, row) for row in rows], rows) < 1e-4
    assert backend.packs == (architecture != "olmoe")


def test_rewards_beyond_a_long_window_are_right(tmp_path: Path) -> None:
    folder = save_reward(WINDOWED["mistral"](), tmp_path)
    backend = TorchRewards(ModelSpec.of(folder, device="cpu"))
    rows = [row.ids for row in random_rows([WINDOW + 50, 30])]
    assert backend.packs
    assert backend.rewards(rows) == pytest.approx(
        [reward_alone(open_alone(folder, "reward"), r) for r in rows], abs=1e-4
    )


@pytest.mark.parametrize("kind", [TorchLogprobs, TorchGeneration])
def test_the_windows_are_their_own_again_after_the_check(kind: Callable[[ModelSpec], Any], tmp_path: Path) -> None:
    opened = kind(ModelSpec.of(save_causal(WINDOWED["gemma3"](), tmp_path), device="cpu"))
    model = opened.loaded.model
    held = [one.self_attn.sliding_window for one in model.model.layers]
    assert (model.config.sliding_window, held) == (WINDOW, [WINDOW, WINDOW, None])
    with small_windows(model):
        held = [one.self_attn.sliding_window for one in model.model.layers]
        assert (model.config.sliding_window, held) == (SMALL_WINDOW, [SMALL_WINDOW, SMALL_WINDOW, None])


def visible(now: Reading, window: int | None, wider: int = 0, leak: bool = False) -> torch.Tensor:
    """Which packed tokens see which; perhaps with a window of another size, or one token of the row before seen too."""
    size = len(now.pack.ids)
    found = torch.zeros(size, size, dtype=torch.bool)
    for where in map(torch.from_numpy, now.pack.where):
        places = torch.arange(len(where))
        found[where[:, None], where] = sees(places[:, None], places, window + wider if window else None)
    if leak:
        last = now.pack.segments[-1]
        found[last.begin : last.end, last.begin - 1] = True
    return found


def dense(**wrong: Any) -> Callable[..., torch.Tensor]:
    """Packed attention under a mask written out, for all rows at once."""

    def attend(
        now: Reading,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        scaling: float | None,
        window: int | None,
        softcap: float | None,
    ) -> torch.Tensor:
        seen = visible(now, window, **wrong)
        out = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=seen, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
        )
        return out.transpose(1, 2)

    return attend


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> str:
    # weights so small that what a mask does wrong hardly shows in the log-probabilities
    config = transformers.MistralConfig(**sized(sliding_window=WINDOW, initializer_range=0.03, num_hidden_layers=4))
    return save_causal(config, tmp_path_factory.mktemp("windowed"))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("wrong", "packs"), [({}, True), ({"wider": 1}, False), ({"wider": -1}, False), ({"leak": True}, False)]
)
def test_a_wrong_mask_is_seen(
    windowed: str, monkeypatch: pytest.MonkeyPatch, dtype: str, wrong: dict[str, Any], packs: bool
) -> None:
    monkeypatch.setattr(torch_attention, "_by_segment", dense(**wrong))
    backend = TorchLogprobs(ModelSpec.of(windowed, device="cpu", dtype=dtype))
    assert backend.packs is packs
    assert any("cannot be packed" in note for note in backend.notes) is not packs


@pytest.mark.parametrize("wrong", [{"wider": 1}, {"wider": -1}, {"leak": True}])
def test_bfloat16_would_hide_it(windowed: str, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]) -> None:
    """What the log-probabilities alone would let pass: here only what attention gives tells."""
    monkeypatch.setattr(torch_attention, "_by_segment", dense(**wrong))
    monkeypatch.setattr(TorchModel, "_attends_as_own", lambda self: True)
    assert TorchLogprobs(ModelSpec.of(windowed, device="cpu", dtype="bfloat16")).packs


def test_a_mask_that_is_not_what_the_layer_asks_for_is_seen(windowed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_structure, "sees", lambda query, key, window: key <= query)
    assert not TorchLogprobs(ModelSpec.of(windowed, device="cpu", dtype="bfloat16")).packs


def attended(rows: Pack, window: int | None, dtype: torch.dtype) -> tuple[list[torch.Tensor], torch.Tensor]:
    drawn = torch.Generator().manual_seed(0)
    size = len(rows.ids)
    given = [torch.randn(1, heads, size, 8, generator=drawn).to(dtype) for heads in (4, 2, 2)]
    return given, torch_attention._by_segment(Reading(rows), *given, None, window, None)


@pytest.mark.parametrize("window", [None, 3, SMALL_WINDOW])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_right_attention_is_near(window: int | None, dtype: str) -> None:
    rows = pack([list(range(20)), list(range(12)) + [50] * 4, [7, 8, 9]])
    given, out = attended(rows, window, getattr(torch, dtype))
    off = distance(rows, out, *given, None, window, None)
    assert off < torch_structure.TOLERANCE[dtype] / 2
    assert distance(rows, out, *given, None, (window or 20) - 1, None) > 2 * torch_structure.TOLERANCE[dtype]
    assert distance(rows, out * torch.nan, *given, None, window, None) == float("inf")


def test_a_model_whose_check_fails_is_not_kept(
    demo_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peft = pytest.importorskip("peft")
    base = str(demo_models / "policy")
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    peft.get_peft_model(open_alone(base), config).save_pretrained(tmp_path)
    seen: list[Any] = []
    load = torch_models.load

    def remember(*given: Any) -> Any:
        loaded = load(*given)
        seen.append(weakref.ref(loaded.model))
        assert loaded.adapter is not None
        return loaded

    def fail(self: TorchLogprobs) -> None:
        raise RuntimeError("the check failed")

    monkeypatch.setattr(torch_models, "load", remember)
    monkeypatch.setattr(TorchLogprobs, "_self_check", fail)
    with pytest.raises(RuntimeError, match="the check failed") as raised:
        TorchLogprobs(ModelSpec.of(str(tmp_path), device="cpu", keep_base=True))
    raised.value.__traceback__ = None
    del raised
    gc.collect()
    assert seen[0]() is None
    assert torch_adapters._kept == []
