from __future__ import annotations

import gc
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from curate.backends import ModelSpec, OutOfMemory
from curate.backends.torch import forward
from curate.backends.torch import head as torch_head
from curate.backends.torch import scoring as torch_models
from curate.backends.torch.attention import CannotPack
from curate.backends.torch.forward import TorchModel
from curate.backends.torch.generation import cached_tokens
from curate.backends.torch.head import Head
from curate.backends.torch.loading import LoadedModel
from curate.backends.torch.scoring import TorchLogprobs, token_logps
from curate.render import Rendered, Renderer
from curate.scorers import ResponseItem
from curate.scorers.batching import halving
from curate.scorers.model_scorers import ModelScorer
from curate.tokens import HubTokenizer
from tests.backends.models import ARCHITECTURES, SHAPE, logp_alone, open_alone, random_rows, save_causal, sized, worst
from tests.examples import examples

NATS_PER_TOKEN = 1e-4
LENGTHS = [2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 4, 40, 41, 42, 7, 100, 2, 60, 61]

PADDED = {"bloom_alibi", "mamba", "gpt_oss_sinks", "llama4_chunks", "lfm2_convolutions"}


@pytest.fixture(scope="module")
def policy(demo_models: Path) -> TorchLogprobs:
    return TorchLogprobs(ModelSpec.of(str(demo_models / "policy"), device="cpu"))


@pytest.fixture(scope="module")
def rows() -> list[Rendered]:
    return random_rows(LENGTHS, vocabulary=1024)


@pytest.fixture(scope="module")
def alone(demo_models: Path, rows: list[Rendered]) -> list[float]:
    model = open_alone(str(demo_models / "policy"))
    return [logp_alone(model, row) for row in rows]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_causal(ARCHITECTURES["llama"](), tmp_path_factory.mktemp("llama"))


def test_token_logps_golden() -> None:
    # logits (0, ln 3): probabilities 1/4 and 3/4
    logits = torch.tensor([[0.0, 3.0], [0.0, 3.0]]).log1p() * torch.tensor([0.0, 1.0]) / torch.tensor(4.0).log()
    logits = logits * torch.tensor(3.0).log()
    assert token_logps(logits, torch.tensor([0, 1])).exp().tolist() == pytest.approx([0.25, 0.75])


def test_one_batch_of_all_lengths(policy: TorchLogprobs, rows: list[Rendered], alone: list[float]) -> None:
    assert worst(policy.logps(rows), alone, rows) < NATS_PER_TOKEN
    assert policy.notes == []
    assert not policy.padding_free


def test_each_row_alone(policy: TorchLogprobs, rows: list[Rendered], alone: list[float]) -> None:
    assert worst([policy.logps([row])[0] for row in rows], alone, rows) < NATS_PER_TOKEN


@examples(0.5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(picked=st.lists(st.integers(0, len(LENGTHS) - 1), min_size=1, max_size=8))
def test_any_composition_of_the_batch(
    policy: TorchLogprobs, rows: list[Rendered], alone: list[float], picked: list[int]
) -> None:
    batch = [rows[i] for i in picked]
    assert worst(policy.logps(batch), [alone[i] for i in picked], batch) < NATS_PER_TOKEN


def test_neighbours_do_not_matter(policy: TorchLogprobs, rows: list[Rendered]) -> None:
    row = rows[5]
    short = policy.logps([row, *random_rows([2, 3], 1024, seed=1)])[0]
    long = policy.logps([*random_rows([200, 190], 1024, seed=2), row])[-1]
    assert abs(short - long) / row.response_tokens < NATS_PER_TOKEN


def test_only_the_response_counts(policy: TorchLogprobs, demo_models: Path) -> None:
    row = random_rows([30], 1024)[0]
    parts = [Rendered(row.ids, 20, "exact"), Rendered(row.ids[:20], 5, "exact"), Rendered(row.ids, 5, "exact")]
    tail, head, both = policy.logps(parts)
    assert head + tail == pytest.approx(both, abs=25 * NATS_PER_TOKEN)


def test_a_real_conversation_from_text_to_number(policy: TorchLogprobs, demo_models: Path) -> None:
    name = str(demo_models / "policy")
    prompt = [{"role": "user", "content": "Name three fruits."}]
    row = Renderer(HubTokenizer(name), None, "keep_start").render([(prompt, "1. apple\n2. pear")])[0]
    tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    opening = tokenizer.apply_chat_template(prompt, tokenize=True, add_generation_prompt=True, return_dict=False)
    whole = tokenizer.apply_chat_template(
        [*prompt, {"role": "assistant", "content": "1. apple\n2. pear"}], tokenize=True, return_dict=False
    )
    direct = logp_alone(open_alone(name), Rendered(whole, len(opening), "exact"))
    assert policy.logps([row])[0] == pytest.approx(direct, abs=NATS_PER_TOKEN * row.response_tokens)
    assert row.response_tokens == len(whole) - len(opening)


def test_tiled_logits_give_the_same_numbers(
    policy: TorchLogprobs, rows: list[Rendered], alone: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for tile in ((1, 1024), (7, 100)):
        monkeypatch.setattr(torch_head, "CPU_TILE", tile)
        assert worst(policy.logps(rows[:9]), alone[:9], rows[:9]) < NATS_PER_TOKEN


def test_a_row_without_response_is_zero_beside_others(policy: TorchLogprobs) -> None:
    empty = Rendered([5, 6, 7], 3, "exact")
    row = random_rows([12], 1024)[0]
    numbers = policy.logps([empty, row, empty])
    assert numbers[0] == numbers[2] == 0.0
    assert numbers[1] == pytest.approx(policy.logps([row])[0], abs=NATS_PER_TOKEN * row.response_tokens)


def open_rightly(path: str) -> Any:
    """The model alone; with attention's soft cap, which transformers' default leaves out."""
    model = open_alone(path)
    if getattr(model.config, "attn_logit_softcapping", None):
        model.set_attn_implementation("eager")
    return model


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_agrees_with_its_own_logits(name: str, tmp_path: Path) -> None:
    path = save_causal(ARCHITECTURES[name](), tmp_path)
    backend = TorchLogprobs(ModelSpec.of(path, device="cpu"))
    model, rows = open_rightly(path), random_rows([2, 9, 30, 31, 5, 47], seed=3)
    prompt = random_rows([18], seed=5)[0].ids
    rows += [Rendered(prompt + row.ids[:n], 16, "exact") for row, n in zip(rows, (2, 9, 12, 31, 5, 40), strict=True)]
    expected = [logp_alone(model, row) for row in rows]
    spread = [-e / r.response_tokens for e, r in zip(expected, rows, strict=True)]
    assert max(spread) > min(spread) + 0.1, "the model is too flat for this test to fail"
    assert worst([backend.logps([row])[0] for row in rows], expected, rows) < NATS_PER_TOKEN
    if backend.padding_free:
        assert any("Padding" in note for note in backend.notes)
    else:
        assert worst(backend.logps(rows), expected, rows) < NATS_PER_TOKEN
    assert not any("all logits" in note for note in backend.notes)
    assert backend.packs == (name not in PADDED)
    assert any("cannot be packed" in note for note in backend.notes) == (name in PADDED)


def test_bfloat16_is_near_and_says_so(demo_models: Path, rows: list[Rendered], alone: list[float]) -> None:
    backend = TorchLogprobs(ModelSpec.of(str(demo_models / "policy"), device="cpu", dtype="bfloat16"))
    assert backend.facts() == {"backend": "torch", "device": "cpu", "dtype": "bfloat16"}
    ours = backend.logps(rows)
    # random tokens are 7 to 20 nats each, where weights of 8 bits are worst; single tokens stray most
    assert 0 < worst(ours, alone, rows) < 0.5
    total = sum(row.response_tokens for row in rows)
    assert abs(sum(ours) - sum(alone)) / total < 0.05


def test_float32_is_the_cpus_default(policy: TorchLogprobs) -> None:
    assert policy.facts() == {"backend": "torch", "device": "cpu", "dtype": "float32"}


# ---- the self-check


def test_a_broken_head_is_found_and_the_models_own_logits_are_used(llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logps = Head.logps
    monkeypatch.setattr(Head, "logps", lambda self, states, targets: logps(self, states, targets) * 1.05)
    backend = TorchLogprobs(ModelSpec.of(llama, device="cpu"))
    assert len(backend.notes) == 1
    assert "all logits are computed" in backend.notes[0]
    rows, model = random_rows(LENGTHS), open_alone(llama)
    assert worst(backend.logps(rows), [logp_alone(model, row) for row in rows], rows) < NATS_PER_TOKEN


def break_packing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed rows get wrong states."""
    packed_states = TorchModel._packed_states
    monkeypatch.setattr(
        TorchModel, "_packed_states", lambda self, rows, wanted: packed_states(self, rows, wanted).flip(-1)
    )


def break_padding(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """Padded batches get wrong states; returns the lengths in each batch that was run."""
    hidden_states, seen = TorchModel.hidden_states, []

    def broken(self: TorchModel, rows: Any) -> torch.Tensor:
        seen.append({len(row) for row in rows})
        states = hidden_states(self, rows)
        return states if len(seen[-1]) == 1 else states.flip(-1)

    monkeypatch.setattr(TorchModel, "hidden_states", broken)
    return seen


def test_broken_packing_is_found_and_rows_are_padded(
    demo_models: Path, rows: list[Rendered], alone: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_packing(monkeypatch)
    backend = TorchLogprobs(ModelSpec.of(str(demo_models / "policy"), device="cpu"))
    assert not backend.packs
    assert not backend.padding_free
    assert len(backend.notes) == 1
    assert "padded to batches" in backend.notes[0]
    assert backend.loaded.model.config._attn_implementation == "sdpa"
    assert worst(backend.logps(rows), alone, rows) < NATS_PER_TOKEN


def test_a_window_that_attention_is_not_told_of_is_not_packed(llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # longer than the rows of the self-check, which cannot see it
    monkeypatch.setattr(forward, "expected_windows", lambda config: [4096, None])
    backend = TorchLogprobs(ModelSpec.of(llama, device="cpu"))
    assert not backend.packs


def test_memory_running_out_in_the_check_is_not_taken_for_an_answer(
    llama: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: TorchModel, rows: Any, wanted: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(TorchModel, "_packed_states", full)
    with pytest.raises(OutOfMemory):
        TorchLogprobs(ModelSpec.of(llama, device="cpu"))


def test_broken_padding_is_found_and_lengths_no_longer_mix(demo_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_packing(monkeypatch)
    seen = break_padding(monkeypatch)
    name = str(demo_models / "policy")
    renderer = Renderer(HubTokenizer(name), None, "keep_start")
    scorer = ModelScorer("logps", "policy", ModelSpec.of(name, device="cpu"), renderer)
    notes = scorer.open()
    assert len(notes) == 2
    assert "only rows of equal length share a batch" in notes[1]
    assert scorer._backend.padding_free
    seen.clear()
    prompt = [{"role": "user", "content": "Name fruits."}]
    items = [ResponseItem(i, prompt, "apple pear "[: 1 + i % 5] * (1 + i % 3)) for i in range(24)]
    found: dict[int, float] = {}
    for batch in scorer.score(items, frozenset()):
        found |= dict(zip(batch.keys, batch.columns["logps"], strict=True))
    assert all(len(lengths) == 1 for lengths in seen)
    assert len(seen) < 24, "rows of one length should still share"
    rows, model = renderer.render([(i.prompt, i.response) for i in items]), open_alone(name)
    assert worst([found[i] for i in range(24)], [logp_alone(model, row) for row in rows], rows) < NATS_PER_TOKEN


def test_a_head_that_is_no_linear_layer_falls_back(llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers.LlamaForCausalLM, "get_output_embeddings", lambda self: None)
    backend = TorchLogprobs(ModelSpec.of(llama, device="cpu"))
    rows, model = random_rows([9, 4]), open_alone(llama)
    assert worst(backend.logps(rows), [logp_alone(model, row) for row in rows], rows) < NATS_PER_TOKEN


def test_a_padding_id_of_minus_one(llama: str, tmp_path: Path) -> None:
    import json
    import shutil

    path = shutil.copytree(llama, tmp_path / "m")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"pad_token_id": -1}))
    backend = TorchLogprobs(ModelSpec.of(str(path), device="cpu"))
    rows, model = random_rows([9, 4]), open_alone(llama)
    assert worst(backend.logps(rows), [logp_alone(model, row) for row in rows], rows) < NATS_PER_TOKEN


def test_rows_beyond_the_border_of_longrope_are_measured_apart(tmp_path: Path) -> None:
    """One long row in the batch would turn the positions of all by the long factors."""
    path = save_causal(ARCHITECTURES["phi3_longrope"](), tmp_path)
    backend, model = TorchLogprobs(ModelSpec.of(path, device="cpu")), open_alone(path)
    assert forward.longrope_border(model.config) == 32
    rows = random_rows([20, 60, 32, 33, 10])
    expected = [logp_alone(model, row) for row in rows]
    assert worst(backend.logps(rows), expected, rows) < NATS_PER_TOKEN
    together = backend.run(lambda: backend._from_hidden(rows))
    assert worst(together, expected, rows) > 100 * NATS_PER_TOKEN, "the border does not matter to this model"


def test_windows_by_configuration() -> None:
    assert forward.expected_windows(transformers.LlamaConfig(**SHAPE)) == [None, None]
    assert forward.expected_windows(transformers.MistralConfig(**sized(sliding_window=12))) == [12, 12]
    assert forward.expected_windows(transformers.Gemma2Config(**sized(sliding_window=16))) == [16, None]
    with pytest.raises(CannotPack, match="chunked_attention"):
        forward.expected_windows(ARCHITECTURES["llama4_chunks"]())


# ---- memory


def test_memory_running_out_halves_the_batch(
    policy: TorchLogprobs, rows: list[Rendered], alone: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed_states, sizes = TorchModel._packed_states, []

    def scarce(self: TorchModel, ids: Any, wanted: Any) -> torch.Tensor:
        if len(ids) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sizes.append(len(ids))
        return packed_states(self, ids, wanted)

    monkeypatch.setattr(TorchModel, "_packed_states", scarce)
    with pytest.raises(OutOfMemory):
        policy.logps(rows)
    assert worst(halving(policy.logps, rows), alone, rows) < NATS_PER_TOKEN
    assert sum(sizes) == len(rows)


@pytest.mark.parametrize("in_a_cycle", [False, True])
def test_a_closed_model_is_gone(llama: str, in_a_cycle: bool) -> None:
    backend = TorchLogprobs(ModelSpec.of(llama, device="cpu"))
    model = backend.loaded.model
    if in_a_cycle:
        model.holder = SimpleNamespace(model=model)
    held = weakref.ref(model)
    del model
    gc.disable()  # what frees it shall be the closing
    try:
        backend.close()
    finally:
        gc.enable()
    assert held() is None
    assert not hasattr(backend, "loaded")


def on_a_gpu(model: object, gibibytes: int, monkeypatch: pytest.MonkeyPatch) -> LoadedModel:
    """The same, said to be on a GPU with so much memory."""
    whole = SimpleNamespace(total_memory=gibibytes * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: whole)
    return LoadedModel(model, model, "cuda:0", "bfloat16", 0, 0, None)


def weightless(**config: object) -> SimpleNamespace:
    text = SimpleNamespace(**config)
    return SimpleNamespace(parameters=list, dtype=torch.bfloat16, config=SimpleNamespace(get_text_config=lambda: text))


@pytest.mark.parametrize("wide", [14336, [8192, 14336]])
def test_tokens_of_a_batch_on_a_gpu(wide: object, monkeypatch: pytest.MonkeyPatch) -> None:
    model = weightless(hidden_size=4096, intermediate_size=wide)
    # 2 bytes of 8 hidden states and of 3 states in the widest layer: 151,552 a token, of which 1 GiB holds 7,084
    assert forward.fitting_tokens(on_a_gpu(model, 80, monkeypatch)) == 6 * 1024
    assert forward.fitting_tokens(on_a_gpu(model, 1, monkeypatch)) == 3 * 1024


def test_tokens_that_a_gpu_can_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = {"num_hidden_layers": 32, "num_attention_heads": 32, "hidden_size": 4096}
    # Llama 2 7B: 2 x 32 layers x 32 heads x 128 wide x 2 bytes are 512 KiB; half of 24 GiB holds 24,576
    assert cached_tokens(on_a_gpu(weightless(**shape, num_key_value_heads=None), 24, monkeypatch)) == 24_576
    grouped = weightless(**shape, num_key_value_heads=8, head_dim=64)
    assert cached_tokens(on_a_gpu(grouped, 24, monkeypatch)) == 8 * 24_576


class ByLayer(SimpleNamespace):
    """A configuration that refuses to say what is not the same in all layers, as Gemma 4's does."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name) if name == "head_dim" else AttributeError(name)


def test_where_nobody_says_what_a_cache_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = {"num_hidden_layers": 32, "hidden_size": 4096}
    assert cached_tokens(on_a_gpu(weightless(**shape), 24, monkeypatch)) is None  # such as Mamba, which has no heads
    model = weightless()
    model.config = SimpleNamespace(get_text_config=lambda: ByLayer(**shape, num_attention_heads=32))
    assert cached_tokens(on_a_gpu(model, 24, monkeypatch)) == 24_576


def test_a_batch_of_whole_logits_is_small(llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_models, "LOGITS_BYTES", 4 * 96 * 33)
    monkeypatch.setattr(Head, "logps", lambda self, states, targets: states.sum(1))
    backend = TorchLogprobs(ModelSpec.of(llama, device="cpu"))
    assert "all logits" in backend.notes[0]
    assert backend.batch_tokens == 33
