"""Every export through its trainer's own parser and reader: hard texts come out as they went in, or were refused."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.trainers.conftest import TRAINERS, Reading, read_with
from tests.trainers.rows import TEXTS, says, table

NEVER = {"blank", "empty", "same", "no user last"}
ALTERNATING = {"assistant first", "user twice"}
MEDIA = {"media", "media in the prompt"}
REFUSED = {
    "argilla": NEVER,
    "axolotl": NEVER | {"space before", "space after", "role", "dummy", "letter", "thought"},
    "llamafactory": NEVER | ALTERNATING | MEDIA | {"braces"},
    "ms-swift": NEVER | ALTERNATING | MEDIA,
    "openrlhf": NEVER,
    "torchtune": NEVER,
    "verl": NEVER,
}
# What stands before and after a response; the readers' templates are all ChatML.
BEFORE, END = "<|im_start|>assistant\n", "<|im_end|>"
AFTER = {"axolotl": END, "llamafactory": END + "\n", "ms-swift": END + "\n", "openrlhf": END, "torchtune": END}
WAS_JSON = ("llamafactory", "ms-swift", "openrlhf")


def chat(messages: list[dict[str, str]]) -> str:
    return "".join(f"<|im_start|>{one['role']}\n{one['content']}{END}\n" for one in messages)


def expected(trainer: str, name: str) -> tuple[str, str, str]:
    """The prompt's text, and the two responses', as the trainer should read them."""
    prompt, chosen, rejected = TEXTS[name]
    if trainer == "argilla":  # people read it, not a model
        return chat(prompt), chosen, rejected
    if trainer == "verl":  # no template; the end of a turn is the tokenizer's end of sequence
        said = "".join(f"{one['role'].capitalize()}: {one['content']}\n\n" for one in prompt) + "Assistant: "
        return "", f"{said}{chosen}{END}", f"{said}{rejected}{END}"
    if trainer == "torchtune":  # its Qwen tokenizer composes characters, as that of transformers does
        chosen, rejected = (unicodedata.normalize("NFC", text) for text in (chosen, rejected))
    before, header = (chat(prompt), BEFORE) if trainer == "torchtune" else (chat(prompt) + BEFORE, "")
    return before, f"{header}{chosen}{AFTER[trainer]}", f"{header}{rejected}{AFTER[trainer]}"


@pytest.fixture(scope="module", params=TRAINERS)
def reading(request: Any, demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Reading]:
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, read_with(request.param, table(), folder, demo_models / "policy")


def test_what_the_trainer_would_misread_is_refused_and_nothing_else(reading: tuple[str, Reading]) -> None:
    trainer, found = reading
    assert set(TEXTS) - set(found.kept) == REFUSED[trainer]


def test_the_trainer_reads_what_was_exported(reading: tuple[str, Reading]) -> None:
    trainer, found = reading
    read = [row for row in found.rows if row.get("kind", "dpo") == "dpo"]
    made = Counter((row.get("prompt", ""), row["chosen"], row["rejected"]) for row in read)
    assert made == Counter(expected(trainer, name) for name in found.kept)
    if trainer != "axolotl":  # which shuffles
        assert [row["chosen"] for row in read] == [expected(trainer, name)[1] for name in found.kept]


def test_reward_models_read_whole_conversations_and_margins(reading: tuple[str, Reading]) -> None:
    trainer, found = reading
    if trainer not in ("openrlhf", "ms-swift"):
        pytest.skip("it trains no reward models on this data")
    read = [row for row in found.rows if row["kind"] == "rm"]
    assert len(read) == len(found.kept)
    for row, name in zip(read, found.kept, strict=True):
        prompt, chosen, rejected = expected(trainer, name)
        assert (row["chosen"], row["rejected"]) == (prompt + chosen, prompt + rejected)
        assert row["margin"] == 2.0  # 1.5 - (-0.5)


def test_the_trainers_parser_takes_the_snippet(reading: tuple[str, Reading]) -> None:
    trainer, found = reading
    assert (
        found.settings
        == {
            "argilla": {"status": "ready", "fields": ["prompt", "chosen", "rejected"]},
            "axolotl": {"rl": "dpo", "sequence_len": 4096, "learning_rate": 5e-7, "micro_batch_size": 1},
            "llamafactory": {"stage": "dpo", "beta": 0.1, "length": 4096},
            "ms-swift": {kind: {"type": kind, "length": 4096} for kind in ("dpo", "rm")},
            "openrlhf": {"dpo": {"length": 4096, "margin": None}, "rm": {"length": 4096, "margin": True}},
            "torchtune": {},
            "verl": {
                "parquet_files": ["train.parquet"],
                **{f"{part}_key": part for part in ("prompt", "chosen", "rejected")},
                **{"max_length": 4096, "add_eos": True},
            },
        }[trainer]
    )


@pytest.mark.parametrize("trainer", WAS_JSON)
def test_a_table_of_nothing_but_dates_stays_text(trainer: str, demo_models: Path, tmp_path: Path) -> None:
    dates = [("2020-01-01", "2021-12-31"), ("2022-02-02 10:00:00", "1999-09-09T09:09")]
    rows = [
        {
            "prompt": [says("user", "1970-01-01")],
            "chosen": [says("assistant", chosen)],
            "rejected": [says("assistant", rejected)],
            "source": str(place),
        }
        for place, (chosen, rejected) in enumerate(dates)
    ]
    found = read_with(trainer, rows, tmp_path, demo_models / "policy")
    read = [row for row in found.rows if row.get("kind", "dpo") == "dpo"]
    assert [(row["chosen"], row["rejected"]) for row in read] == [
        (chosen + AFTER[trainer], rejected + AFTER[trainer]) for chosen, rejected in dates
    ]
    assert {row["prompt"] for row in read} == {chat([says("user", "1970-01-01")]) + BEFORE}
