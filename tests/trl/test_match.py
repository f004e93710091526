"""`--match trl` against TRL's own preparation of the very same pairs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from datasets import Dataset
from trl import DPOTrainer

from curate.errors import SettingsError
from curate.render import Renderer
from curate.tokens import HubTokenizer
from tests.chat import PLAIN, save_tokenizer
from tests.commands.helpers import run_score, write_jsonl

THINKING = (
    "{% for m in messages %}{{ m.role[0] + ':' + m.content + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'a:<think></think>' }}{% endif %}"
)
MERGES = [(":", "y"), ("a", ":"), ("y", "e"), (":", " ")]
PAIRS = [
    ("Is it so?", "yes", "no"),
    ("Is it so?", "yes", "yet another answer, longer than the first"),
    ("Why", "", "y"),
    ("A rather long question that alone fills what may be read", "yes", "no"),
    ("Two", "\nno", " no "),
]


def prepared(folder: str, max_length: int) -> list[dict[str, Any]]:
    """What TRL reads: prompt, chosen and rejected ids of the rows that it keeps, cut as its collator cuts them."""
    tokenizer = HubTokenizer(folder)._tokenizer
    rows = [
        {
            "prompt": [{"role": "user", "content": prompt}],
            "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
            "row": i,
        }
        for i, (prompt, chosen, rejected) in enumerate(PAIRS)
    ]
    args = SimpleNamespace(dataset_num_proc=None, max_length=max_length, truncation_mode="keep_start")
    trainer: Any = SimpleNamespace(_tokenizer=tokenizer)
    found = DPOTrainer._prepare_dataset(trainer, Dataset.from_list(rows), tokenizer, args, "train")
    return list(found)


@pytest.mark.parametrize("template", [PLAIN, THINKING])
@pytest.mark.parametrize("merges", [[], MERGES])
@pytest.mark.parametrize("max_length", [1024, 40, 26])
def test_ids_are_those_of_trl(tmp_path: Path, template: str, merges: list[Any], max_length: int) -> None:
    folder = save_tokenizer(tmp_path, template, merges)
    theirs = {row["row"]: row for row in prepared(folder, max_length)}
    renderer = Renderer(HubTokenizer(folder), max_length, "keep_start", "trl")
    assert len(theirs) < len(PAIRS) or max_length == 1024
    for i, (prompt, chosen, rejected) in enumerate(PAIRS):
        message = [{"role": "user", "content": prompt}]
        ours = renderer.render([(message, chosen), (message, rejected)], [rejected, chosen])
        if i not in theirs:
            assert [row.response_tokens for row in ours] == [0, 0]
            continue
        for row, side in zip(ours, ("chosen", "rejected"), strict=True):
            ids = theirs[i]["prompt_ids"] + theirs[i][f"{side}_ids"]
            assert row.ids == ids[:max_length]
            assert row.start == len(theirs[i]["prompt_ids"])


def test_the_shorter_common_prefix_holds_for_both(tmp_path: Path) -> None:
    """`a:` and `y` of the answer merge across the border, so the prompt ends before `:` on both sides."""
    folder = save_tokenizer(tmp_path, PLAIN, [(":", "y")])
    renderer = Renderer(HubTokenizer(folder), None, "keep_start", "trl")
    message = [{"role": "user", "content": "q"}]
    yes, no = renderer.render([(message, "yes"), (message, "no")], ["no", "yes"])
    alone = renderer.render([(message, "no")])[0]
    assert (yes.start, no.start) == (5, 5)  # u : q \n a
    assert alone.start == 6
    assert (yes.border, no.border, alone.border) == ("common_prefix", "common_prefix", "exact")


def test_a_response_in_two_pairs_is_measured_for_each(tmp_path: Path) -> None:
    rows = [
        {"prompt": "q", "chosen": "one", "rejected": other, "score_chosen": 1.0, "score_rejected": 0.0}
        for other in ("two", "three")
    ]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    result = run_score(data, tmp_path / "s.parquet", policy="fake:1", match="trl")
    assert result.rows == 2
    chosen = pl.read_parquet(tmp_path / "s.parquet")["policy_chosen_logps"].to_list()
    assert chosen[0] == chosen[1]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"match": "trl"}, "No model measures log-probabilities"),
        ({"match": "trl", "policy": "fake:1", "truncation": "drop"}, "keeps the start"),
        ({"match": "trl", "policy": "fake:1", "rows_as": "candidates"}, "a trainer reads pairs"),
    ],
)
def test_what_has_no_meaning_is_refused(tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    row = {"prompt": "q", "responses": ["a", "b"], "rewards": [1.0, 0.0], "chosen": "a", "rejected": "b"}
    data = write_jsonl(tmp_path / "d.jsonl", [row] * 2)
    with pytest.raises(SettingsError, match=says):
        run_score(data, tmp_path / "s.parquet", **settings)


def test_a_short_model_is_refused(demo_models: Path, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "d.jsonl", [{"prompt": "q", "chosen": "a", "rejected": "b"}])
    policy = str(demo_models / "policy")
    limit = 256
    with pytest.raises(SettingsError, match="TRL would give it more"):
        run_score(data, tmp_path / "s.parquet", policy=policy, match="trl", max_length=100_000)
    run_score(data, tmp_path / "s.parquet", policy=policy, match="trl", max_length=limit)
