"""Reward models with heads of their own: a table of those that are known, and code that comes with a model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from transformers import dynamic_module_utils

from curate.backends import ModelSpec
from curate.backends.configs import read_config
from curate.backends.open import check_model, open_rewards
from curate.backends.reward_heads import KNOWN, choose_head, known_model, model_notes
from curate.backends.torch.reward_heads import TorchHeadRewards, read_head
from curate.backends.torch.scoring import TorchRewards
from curate.errors import ModelError, SettingsError
from curate.model import Model
from curate.schema import Record
from tests.backends.models import SHAPE, open_alone, random_rows, reward_alone, save_reward

IDS = [row.ids for row in random_rows([2, 3, 50, 21, 80, 7, 1, 33], 96, seed=4)]

CODE = '''
import torch
from dataclasses import dataclass
from transformers import LlamaModel, LlamaPreTrainedModel
from transformers.utils import ModelOutput


@dataclass
class Judged(ModelOutput):
    rewards: torch.FloatTensor = None
    score: torch.FloatTensor = None
    logits: torch.FloatTensor = None


class ManyObjectives(LlamaPreTrainedModel):
    """Five objectives, mixed by a gate that reads the last token."""

    def __init__(self, config):
        super().__init__(config)
        self.model = LlamaModel(config)
        self.objectives = torch.nn.Linear(config.hidden_size, 5, bias=False)
        self.gate = torch.nn.Linear(config.hidden_size, 5, bias=False)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        if input_ids.shape[1] > 100:
            raise ValueError("Token pattern not found in the list")
        last = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state[:, -1]
        rewards = self.objectives(last)
        score = (rewards * self.gate(last).softmax(-1)).sum(-1)
        return Judged(rewards=rewards, score=score, logits=LOGITS)
'''


@pytest.fixture(autouse=True, scope="module")
def code_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """transformers copies a model's code into a cache before it runs it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path_factory.mktemp("modules")))
        yield


def write_model(folder: Path, logits: str = "score[:, None]") -> str:
    """A model folder with code of its own."""
    folder.mkdir(parents=True)
    (folder / "modeling.py").write_text(CODE.replace("LOGITS", logits))
    config = transformers.LlamaConfig(**SHAPE)
    config.save_pretrained(folder)
    torch.manual_seed(0)
    kind = dynamic_module_utils.get_class_from_dynamic_module("modeling.ManyObjectives", str(folder))
    kind(config).save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    written["auto_map"] = {"AutoModelForSequenceClassification": "modeling.ManyObjectives"}
    (folder / "config.json").write_text(json.dumps(written))
    return str(folder)


@pytest.fixture(scope="module")
def own_code(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_model(tmp_path_factory.mktemp("own") / "objectives")


def trusting(name: str, **more: Any) -> ModelSpec:
    return ModelSpec.of(name, device="cpu", trust_remote_code=True, **more)


@torch.inference_mode()
def alone(name: str, field: str = "score") -> list[float]:
    model = transformers.AutoModelForSequenceClassification.from_pretrained(name, trust_remote_code=True).eval()
    return [getattr(model(torch.tensor([ids])), field).flatten().tolist() for ids in IDS]


def close(ours: list[float], theirs: list[float]) -> None:
    assert max(theirs) > min(theirs) + 0.01
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) < 1e-5


# ---- code that comes with a model


def test_code_runs_only_when_trusted(own_code: str) -> None:
    with pytest.raises(ModelError, match="code of its own") as caught:
        open_rewards(ModelSpec.of(own_code, device="cpu"))
    assert "--trust-remote-code" in caught.value.hint


def test_what_its_own_code_gives(own_code: str) -> None:
    backend = open_rewards(trusting(own_code))
    assert isinstance(backend, TorchHeadRewards)
    assert backend.facts()["head"] == "auto"
    assert "one response at a time" in backend.notes[0]
    close(backend.rewards(IDS), [values[0] for values in alone(own_code)])


@pytest.mark.parametrize(
    ("head", "reduce"),
    [("score", lambda v: v[0]), ("rewards:3", lambda v: v[3]), ("rewards:mean", lambda v: sum(v) / 5)],
)
def test_the_head_that_the_user_names(own_code: str, head: str, reduce: Any) -> None:
    backend = open_rewards(trusting(own_code, reward_head=head))
    close(backend.rewards(IDS), [reduce(values) for values in alone(own_code, head.partition(":")[0])])


@pytest.mark.parametrize(
    ("head", "told", "hint"),
    [
        ("judgement", "nothing called judgement", "logits, rewards, score"),
        ("rewards", "holds 5 numbers", "rewards:mean"),
        ("rewards:5", "holds 5 numbers", "INDEX"),
    ],
)
def test_a_head_that_is_no_reward(own_code: str, head: str, told: str, hint: str) -> None:
    with pytest.raises(ModelError, match=told) as caught:
        open_rewards(trusting(own_code, reward_head=head)).rewards(IDS)
    assert hint in caught.value.hint


def test_code_that_fails_on_a_row_is_named(own_code: str) -> None:
    with pytest.raises(ModelError, match="own code failed") as caught:
        open_rewards(trusting(own_code)).rewards([[5] * 101])
    assert "Token pattern not found" in caught.value.where


def test_logits_and_score_that_differ_are_not_chosen_from(tmp_path: Path) -> None:
    path = write_model(tmp_path / "two", logits="rewards[:, :1]")
    with pytest.raises(ModelError, match="they differ") as caught:
        open_rewards(trusting(path)).rewards(IDS)
    assert "--reward-head=score" in caught.value.hint
    close(open_rewards(trusting(path, reward_head="score")).rewards(IDS), [v[0] for v in alone(path)])


def test_a_known_name_decides_the_head(own_code: str, tmp_path: Path) -> None:
    named = tmp_path / "ArmoRM-Llama3-8B-v0.1"
    shutil.copytree(own_code, named)
    assert check_model(trusting(str(named)), "reward").reward_head == "score"
    close(open_rewards(trusting(str(named))).rewards(IDS), [values[0] for values in alone(own_code)])


def test_vllm_is_refused_a_head_of_its_own(own_code: str) -> None:
    for head in (None, "score"):
        with pytest.raises(ModelError, match="vLLM does not know") as caught:
            check_model(trusting(own_code, backend="vllm", reward_head=head), "reward")
        assert "--backend=torch" in caught.value.hint


# ---- plain classifiers


def test_several_outputs_need_a_word_of_the_user(tmp_path: Path) -> None:
    path = save_reward(transformers.LlamaConfig(**SHAPE), tmp_path, outputs=3)
    with pytest.raises(ModelError, match="3 outputs, not one") as caught:
        open_rewards(ModelSpec.of(path, device="cpu"))
    assert "--reward-head=logits:0" in caught.value.hint
    ours = open_rewards(ModelSpec.of(path, device="cpu", reward_head="logits:2")).rewards(IDS)
    with torch.inference_mode():
        model = open_alone(path, "reward")
        close(ours, [float(model(torch.tensor([ids])).logits[0, 2]) for ids in IDS])


def test_naming_the_plain_head_changes_nothing(tmp_path: Path) -> None:
    path = save_reward(transformers.LlamaConfig(**SHAPE), tmp_path)
    backend = open_rewards(ModelSpec.of(path, device="cpu", reward_head="logits"))
    assert isinstance(backend, TorchRewards)
    model = open_alone(path, "reward")
    close(backend.rewards(IDS), [reward_alone(model, ids) for ids in IDS])


def test_weights_that_a_plain_classifier_leaves_out_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = save_reward(transformers.LlamaConfig(**SHAPE), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file(weights | {"lm_head.weight": torch.ones(96, 32)}, tmp_path / "model.safetensors", {"format": "pt"})
    open_rewards(ModelSpec.of(path, device="cpu"))
    save_file(weights | {"gating.weight": torch.ones(5, 32)}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"leaves out: gating\.weight"):
        open_rewards(ModelSpec.of(path, device="cpu"))


@pytest.mark.parametrize("head", ["logits:", "logits:-1", ":0", "logits:max", "a b"])
def test_a_misspelled_head(tmp_path: Path, head: str) -> None:
    config = transformers.LlamaConfig(**SHAPE, num_labels=1)
    with pytest.raises(SettingsError, match="does not name an output"):
        choose_head(ModelSpec.of("somewhere/model", reward_head=head), config)


# ---- the table


def plain_config(**more: Any) -> Any:
    return transformers.LlamaConfig(**SHAPE, num_labels=1, architectures=["LlamaForSequenceClassification"], **more)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("Skywork/Skywork-Reward-V2-Qwen3-8B", None),
        ("sfairXC/FsfairX-LLaMA3-RM-v0.1", None),
        ("RLHFlow/ArmoRM-Llama3-8B-v0.1", "score"),
        ("nicolinho/QRM-Llama3.1-8B-v2", "score"),
        ("Ray2333/GRM-Llama3.2-3B-rewardmodel-ft", None),
        ("someone/else", None),
    ],
)
def test_the_heads_of_known_models(name: str, head: str | None) -> None:
    assert choose_head(trusting(name), plain_config()) == head


@pytest.mark.parametrize(
    "name",
    [
        "nvidia/Llama-3.3-Nemotron-70B-Reward-Multilingual",
        "llm-blender/PairRM",
        "RLHFlow/pair-preference-model-LLaMA3-8B",
        "infly/INF-ORM-Llama3.1-70B",
        "internlm/internlm2-7b-reward",
        "openbmb/UltraRM-13b",
    ],
)
def test_models_that_cannot_be_run_here(name: str) -> None:
    with pytest.raises(ModelError, match="cannot be run here") as caught:
        choose_head(trusting(name), plain_config())
    assert "python:MODULE:FUNCTION" in caught.value.hint
    assert choose_head(trusting(name, reward_head="logits:0"), plain_config()) == "logits:0"


def test_a_model_that_writes_its_judgement_is_a_judge() -> None:
    with pytest.raises(ModelError, match="writes its judgement") as caught:
        choose_head(trusting("deepseek-ai/DeepSeek-GRM-16B"), plain_config())
    assert "judge:MODEL" in caught.value.hint


def test_known_models_that_need_their_code() -> None:
    spec = ModelSpec.of("RLHFlow/ArmoRM-Llama3-8B-v0.1")
    with pytest.raises(ModelError, match="code of its own"):
        choose_head(spec, plain_config())
    assert choose_head(replace(spec, reward_head="logits:0"), plain_config()) == "logits:0"


def test_no_name_is_known_twice() -> None:
    assert len({one.pattern for one in KNOWN}) == len(KNOWN)
    assert known_model(Model.of("Skywork/Skywork-Reward-V2-Llama-3.2-1B")) is KNOWN[0]
    assert known_model(Model.of("someone/else")) is None


def test_system_messages_for_a_model_trained_without() -> None:
    user = {"role": "user", "content": "Hi"}
    plain, told = Record((user,), ("a", "b")), Record(({"role": "system", "content": "Be brief."}, user), ("a", "b"))
    model = Model.of("Skywork/Skywork-Reward-V2-Qwen3-8B")
    assert "2 of the first 3 rows" in model_notes(model, [plain, told, told])[0]
    assert model_notes(model, [plain]) == []
    assert model_notes(Model.of("someone/else"), [told]) == []
    assert "from memory" in model_notes(Model.of("nicolinho/QRM-Llama3.1-8B"), [plain])[0]


def test_a_model_without_weights_of_its_kind_is_left_to_loading() -> None:
    config = transformers.LlamaConfig(**SHAPE, architectures=["LlamaForCausalLM"])
    assert config.num_labels == 2
    assert choose_head(ModelSpec.of("someone/base"), config) is None


def test_read_config_tells_of_untrusted_code(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "never_heard", "auto_map": {"AutoConfig": "conf.Config"}})
    )
    (tmp_path / "conf.py").write_text("")
    with pytest.raises(ModelError, match="cannot be read") as caught:
        read_config(ModelSpec.of(str(tmp_path)))
    assert "--trust-remote-code" in caught.value.hint


def test_reading_a_field() -> None:
    fields = {"logits": torch.tensor([[1.0, 2.0]]), "score": torch.tensor([3.0])}
    assert read_head(fields, "score", "m") == 3.0
    assert read_head(fields, "logits:1", "m") == 2.0
    assert read_head(fields, "logits:mean", "m") == 1.5
    assert read_head(vars(SimpleNamespace(logits=torch.tensor([[4.0]]))), "auto", "m") == 4.0
