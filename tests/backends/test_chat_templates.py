"""Whose chat template is used."""

from pathlib import Path

from curate.backends.open import open_chat_tokenizer
from curate.model import Model
from tests.chat import PLAIN, save_tokenizer, user

GIVEN = "{{ 'given:' + messages[0].content }}"


def test_a_given_template_replaces_a_policys_own(tmp_path: Path) -> None:
    tokenizer = open_chat_tokenizer(Model.of(save_tokenizer(tmp_path, PLAIN)), template=GIVEN)
    assert tokenizer.template(user("x"), False) == "given:x"


def test_a_reward_model_keeps_its_own(tmp_path: Path) -> None:
    tokenizer = open_chat_tokenizer(Model.of(save_tokenizer(tmp_path, PLAIN)), template=GIVEN, keep_own=True)
    assert tokenizer.template(user("x"), False) == "u:x\n"


def test_a_reward_model_without_one_takes_the_given(tmp_path: Path) -> None:
    tokenizer = open_chat_tokenizer(Model.of(save_tokenizer(tmp_path, None)), template=GIVEN, keep_own=True)
    assert tokenizer.template(user("x"), False) == "given:x"
