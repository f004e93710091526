"""`curate generate` on the demo's models."""

import pytest

import curate
from curate.backends import ModelSpec, Sampling
from curate.backends.torch.generation import TorchGeneration
from curate.render import Renderer
from curate.tokens import HubTokenizer
from tests.commands.helpers import rows_of, run_generate, run_score, write_jsonl


@pytest.fixture(scope="module")
def real(demo_models, tmp_path_factory):
    """The demo's policy and reference in one pool, and what the policy drew, by text."""
    folder = tmp_path_factory.mktemp("real")
    questions = ["Name three fruits.", "Hi", "Name four animals of a farm, please.", "What is a saw?"]
    data = write_jsonl(folder / "p.jsonl", [{"prompt": q} for q in questions])
    # ends where the model ends its turn: the demo's own template writes a line break behind it, which score counts
    template = (demo_models / "policy" / "chat_template.jinja").read_text().replace("<|im_end|>\n'", "<|im_end|>'")
    (folder / "t.jinja").write_text(template)
    drawn: dict[str, list[int]] = {}
    decode = HubTokenizer.decode

    def watched(self, ids):
        texts = decode(self, ids)
        drawn.update(zip(texts, map(list, ids), strict=True))
        return texts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HubTokenizer, "decode", watched)
        curate.generate(
            data,
            folder / "o.parquet",
            policy=(str(demo_models / "policy"), str(demo_models / "reference")),
            samples=5,
            temperature=(0, 0.8),
            max_tokens=20,
            chat_template=folder / "t.jinja",
        )
    return folder, drawn


def test_real_models_write_what_their_backend_draws(real, demo_models):
    folder, _ = real
    rows = rows_of(folder / "o.parquet")
    assert {model for row in rows for model in row["models"]} == {"policy", "reference"}
    assert {reason for row in rows for reason in row["finish_reasons"]} == {"stop", "length"}
    tokenizer = HubTokenizer(str(demo_models / "reference"))
    tokenizer.use_template((folder / "t.jinja").read_text())
    backend = TorchGeneration(ModelSpec.of(str(demo_models / "reference"), device="cpu"))
    ids = tokenizer.encode([tokenizer.template(row["prompt"], True) for row in rows])
    for row, prompt in zip(rows, ids, strict=True):
        greedy = backend.generate([prompt], [0], Sampling(0.0, 1.0, 20))[0]
        said = greedy.ids[:-1] if greedy.finish_reason == "stop" else greedy.ids
        assert tokenizer.decode([said])[0] in row["responses"]


def test_sample_logps_equal_scores_where_the_text_makes_the_same_tokens_again(real, demo_models):
    folder, drawn = real
    policy = str(demo_models / "policy")
    run_score(folder / "o.parquet", folder / "s.parquet", policy=policy, chat_template=folder / "t.jinja")
    tokenizer = HubTokenizer(policy)
    tokenizer.use_template((folder / "t.jinja").read_text())
    renderer = Renderer(tokenizer, None, "keep_start")
    compared = 0
    for row in rows_of(folder / "s.parquet"):
        rendered = renderer.render([(row["prompt"], text) for text in row["responses"]])
        for i, (text, one) in enumerate(zip(row["responses"], rendered, strict=True)):
            same = one.ids[one.start :] == [*drawn[text], 2]
            if row["models"][i] != "policy" or row["finish_reasons"][i] != "stop" or not same:
                continue
            compared += 1
            off = abs(row["sample_logps"][i] - row["policy_logps"][i]) / row["tokens"][i]
            assert off < 1e-4
    assert compared >= 5


def test_real_models_twice_the_same_bytes(real, demo_models):
    folder, _ = real
    again = {"samples": 3, "max_tokens": 12, "policy": str(demo_models / "policy"), "top_p": 0.9}
    run_generate(folder / "p.jsonl", folder / "a.parquet", **again)
    run_generate(folder / "p.jsonl", folder / "b.parquet", **again)
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()
