"""Trains the demo's policy, reference and reward model on a CPU, without a network.

reference   a language model of the world's responses, good and bad alike
policy      the reference, trained further on the best of four responses to each prompt
reward      the reference's body with a scalar head, Bradley-Terry loss on noisily labelled pairs; what is
            kept is the running average of its weights over about the last tenth of the steps

`curate/demo/models` holds what `train_models(folder, seed=0)` left.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from curate.demo import tiny, world
from curate.demo.gold import gold_reward, read_request
from curate.demo.model_folder import RECORD, replacing

if TYPE_CHECKING:
    import torch

Progress = Callable[[str, int, int], None]

RECIPE_VERSION = 3

LM_BATCH, LM_RATE, POLICY_RATE = 32, 4e-3, 1e-3
REWARD_BATCH, REWARD_RATE, AVERAGED_SHARE = 32, 3e-3, 0.1
WARMUP_STEPS = 30
JUDGE_WEIGHT = 1.0


@dataclass(frozen=True)
class Amounts:
    """How much is trained: texts or pairs drawn from the world, and optimizer steps, of each stage."""

    lm_rows: int = 12_000
    lm_steps: int = 700
    policy_rows: int = 4_000
    policy_steps: int = 160
    reward_pairs: int = 20_000
    reward_steps: int = 900


WHOLE = Amounts()


def train_models(folder: Path, *, seed: int = 0, amounts: Amounts = WHOLE, progress: Progress | None = None) -> None:
    """Train `policy`, `reference` and `reward` into `folder`, each loadable by transformers with its chat template.

    The same seed and amounts give the same weights on the same kind of processor with the same versions, whatever the
    number of threads. `demo.json` in `folder` records all of them.

    Args:
        folder: where the models go, see `model_folder.replacing`.
        seed: decides the texts, the initial weights and the order of the batches.
        amounts: how much is trained.
        progress: called with the stage's name, the steps done and the stage's steps.

    Raises:
        StoreError: `folder`, or the temporary folder, contains something that the demo did not make.
    """
    import torch

    # Only the CPU generator: `torch.manual_seed` would also reseed devices, which nothing here restores.
    with replacing(folder) as aside, tiny.quiet(), tiny.one_thread(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        _train_all(aside, seed, amounts, progress or _silent)
        record = {**wanted(seed, amounts), "made_with": _made_with()}
        (aside / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def wanted(seed: int, amounts: Amounts = WHOLE) -> dict[str, Any]:
    """What decides the models apart from machine and versions, as `demo.json` records it."""
    return {"recipe": RECIPE_VERSION, "seed": seed, "world": world.world_hash(), "amounts": asdict(amounts)}


def _made_with() -> dict[str, str]:
    """The kind of machine and the versions that the last digits of the weights depend on."""
    import torch

    versions = {name: version(name) for name in ("torch", "transformers", "tokenizers")}
    kind = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return {"python": platform.python_version(), **versions, "processor": kind}


def _silent(stage: str, step: int, total: int) -> None:
    pass


@dataclass
class _Bench:
    """What the stages share: tokenizer, random order, progress, and the judge of single items."""

    tokenizer: Any
    rng: Random
    amounts: Amounts
    progress: Progress
    judge: Any


def _train_all(aside: Path, seed: int, amounts: Amounts, progress: Progress) -> None:
    """The three stages in order; each model is saved as soon as it is trained."""
    import torch

    progress("tokenizer", 0, 1)
    rng = Random(f"training texts {seed}")
    corpus = [_best_of(1, rng) for _ in range(amounts.lm_rows)]
    full = [[*prompt, {"role": "assistant", "content": text}] for prompt, text in corpus[:4_000]]
    tokenizer = tiny.make_tokenizer(map(world.render, full))
    progress("tokenizer", 1, 1)
    bench = _Bench(tokenizer, rng, amounts, progress, torch.nn.Linear(tiny.HIDDEN, 1))
    model = _language_model(tokenizer)
    _fit_lm(model, corpus, "reference", bench)
    _save(model, tokenizer, aside / "reference")
    reward = _reward_model(model, tokenizer)
    _fit_lm(model, [_best_of(4, rng) for _ in range(amounts.policy_rows)], "policy", bench)
    _save(model, tokenizer, aside / "policy")
    _fit_reward(reward, [world.draw_pair(rng) for _ in range(amounts.reward_pairs)], bench)
    _save(reward, tokenizer, aside / "reward")


def _best_of(n: int, rng: Random) -> tuple[list[world.Message], str]:
    """A prompt, and the response with the highest gold reward among `n` of any quality."""
    prompt = world.draw_prompt(rng)
    request = read_request(prompt)
    assert request is not None, prompt
    texts = [world.say(world.draw_answer(request, rng.uniform(0.2, 1.0), rng), request) for _ in range(n)]
    return prompt, max(texts, key=lambda text: gold_reward(prompt, text))


def _language_model(tokenizer: Any) -> Any:
    from transformers import GenerationConfig, LlamaForCausalLM

    model = LlamaForCausalLM(tiny.make_config(tokenizer))
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model.generation_config = GenerationConfig(do_sample=True, **ids)
    return model


def _reward_model(warm: Any, tokenizer: Any) -> Any:
    """A scalar head on a copy of the language model's body."""
    from transformers import LlamaForSequenceClassification

    model = LlamaForSequenceClassification(tiny.make_config(tokenizer, num_labels=1))
    model.model.load_state_dict(warm.model.state_dict())
    return model


def _optimizer(modules: Sequence[Any], rate: float, steps: int) -> tuple[Any, Any]:
    """AdamW with a rate that warms up linearly and then decays linearly to a twentieth."""
    import torch

    weights = [weight for module in modules for weight in module.parameters()]
    adam = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)

    def share(step: int) -> float:
        return min((step + 1) / WARMUP_STEPS, max(0.05, 1.0 - step / steps))

    return adam, torch.optim.lr_scheduler.LambdaLR(adam, share)


def _step(loss: torch.Tensor, adam: Any, schedule: Any) -> None:
    import torch

    adam.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(adam.param_groups[0]["params"], 1.0)
    adam.step()
    schedule.step()


def _judge_loss(judge: Any, between: torch.Tensor, verdicts: torch.Tensor) -> torch.Tensor:
    """Mean error of the judge over the batch's items, nats; `between` is (B, T, hidden), `verdicts` (B, T)."""
    import torch

    at = verdicts != tiny.IGNORED
    loss: torch.Tensor = torch.nn.functional.binary_cross_entropy_with_logits(
        judge(between[at]).squeeze(-1), verdicts[at].float()
    )
    return loss


def _fit_lm(model: Any, corpus: Sequence[tuple[list[world.Message], str]], stage: str, bench: _Bench) -> None:
    """Cross-entropy of the responses' tokens; prompts are read but not learnt."""
    import torch

    first = stage == "reference"
    steps, rate = (bench.amounts.lm_steps, LM_RATE) if first else (bench.amounts.policy_steps, POLICY_RATE)
    examples = tiny.encode(bench.tokenizer, corpus)
    adam, schedule = _optimizer((model, bench.judge), rate, steps)
    model.train()
    lengths = [len(one.ids) for one in examples]
    for step, rows in enumerate(tiny.batches(lengths, LM_BATCH, steps, bench.rng), 1):
        ids, targets, verdicts = tiny.collate([examples[row] for row in rows], bench.tokenizer.pad_token_id)
        states = model.model(ids, use_cache=False, output_hidden_states=True)
        taught = targets != tiny.IGNORED
        logits = model.lm_head(states.last_hidden_state[taught])  # (response tokens, vocabulary)
        loss = torch.nn.functional.cross_entropy(logits, targets[taught])
        if first:
            loss = loss + JUDGE_WEIGHT * _judge_loss(bench.judge, states.hidden_states[1], verdicts)
        _step(loss, adam, schedule)
        bench.progress(stage, step, steps)


def _fit_reward(model: Any, pairs: Sequence[dict[str, Any]], bench: _Bench) -> None:
    """Bradley-Terry: -log sigmoid(chosen - rejected), scores read at the last token of the rendered conversation."""
    import torch
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    chosen, rejected = (
        tiny.encode(bench.tokenizer, [(pair[side][:-1], pair[side][-1]["content"]) for pair in pairs])
        for side in ("chosen", "rejected")
    )
    lengths = [max(len(good.ids), len(bad.ids)) for good, bad in zip(chosen, rejected, strict=True)]
    steps = bench.amounts.reward_steps
    adam, schedule = _optimizer((model, bench.judge), REWARD_RATE, steps)
    decay = 1.0 - 1.0 / max(1.0, AVERAGED_SHARE * steps)
    running = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(model, multi_avg_fn=running)
    model.train()
    for step, rows in enumerate(tiny.batches(lengths, REWARD_BATCH, steps, bench.rng), 1):
        both = [chosen[row] for row in rows] + [rejected[row] for row in rows]
        ids, _, verdicts = tiny.collate(both, bench.tokenizer.pad_token_id)
        out = model(ids, use_cache=False, output_hidden_states=True)
        good, bad = out.logits.squeeze(-1).chunk(2)  # (B,) each
        loss = -torch.nn.functional.logsigmoid(good - bad).mean()
        _step(loss + JUDGE_WEIGHT * _judge_loss(bench.judge, out.hidden_states[1], verdicts), adam, schedule)
        averaged.update_parameters(model)
        bench.progress("reward", step, steps)
    model.load_state_dict(averaged.module.state_dict())


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    model.eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
