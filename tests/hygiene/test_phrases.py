import numpy as np
import pytest

from curate.hygiene.phrases import Phrases, says
from tests.hygiene.helpers import HOSTILE, run

SELF, CUTOFF = "self_identification", "knowledge_cutoff"


@pytest.mark.parametrize(
    "text",
    [
        "As an AI language model, I can help.",
        "As a large language model trained by Google, I cannot.",
        "Hello! I'm ChatGPT, how are you?",
        "I am Claude, made by Anthropic.",
        "I’m just an AI, so no.",
        "My name is Vicuna.",
        "I was created by OpenAI.",
        "I am a helpful assistant developed by Alibaba Cloud.",
    ],
)
def test_says_who_wrote_it(text):
    assert says([text])[SELF].tolist() == [True]


@pytest.mark.parametrize(
    "text",
    [
        "ChatGPT was created by OpenAI in 2022.",
        "As an aid, use a ruler.",
        "I am a teacher.",
        "I am aiming for the door.",
        "Language models predict text.",
        "The film was directed by Claude Chabrol.",
        "",
    ],
)
def test_says_nothing_of_its_writer(text):
    assert says([text])[SELF].tolist() == [False]


@pytest.mark.parametrize(
    "text",
    [
        "As of my last update in 2021, yes.",
        "My knowledge cutoff is September 2021.",
        "my training data only goes up to 2023",
        "Since my last knowledge update, this may have changed.",
        "I don't have access to real-time information.",
        "I was trained on data up to 2021.",
    ],
)
def test_says_when_its_knowledge_ends(text):
    assert says([text])[CUTOFF].tolist() == [True]


@pytest.mark.parametrize(
    "text",
    ["Here is my update on the project.", "The cutoff date is Friday.", "To my knowledge, no.", "I was born in 2001."],
)
def test_says_nothing_of_when_it_ends(text):
    assert says([text])[CUTOFF].tolist() == [False]


def test_either_side_is_enough():
    rows = [
        ("p", "As an AI model, no.", "b"),
        ("p", "a", "My knowledge cutoff is 2021."),
        ("As an AI model?", "a", "b"),
    ]
    assert run(Phrases, rows) == {SELF: [0], CUTOFF: [1]}


def test_hostile_texts_and_long_ones():
    assert run(Phrases, HOSTILE) == {SELF: [], CUTOFF: []}
    assert not np.any(says(["I am " * 20_000 + "my knowledge " * 20_000])[CUTOFF])
