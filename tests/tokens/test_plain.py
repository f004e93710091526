"""What is read without transformers is what transformers would have made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from curate.tokens import HubTokenizer, PlainTokenizer, open_text_tokenizer
from tests.chat import BOS, PLAIN, save_tokenizer

TEXTS = ["", "it's a <s>test</s> ~ end", "a\nb"]


def saved(folder: Path) -> Path:
    return Path(save_tokenizer(folder, PLAIN, [("a", "b")], adds_bos=True))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_same_ids_and_the_same_hash(tmp_path: Path) -> None:
    plain, hub = open_text_tokenizer(str(saved(tmp_path))), HubTokenizer(str(tmp_path))
    assert isinstance(plain, PlainTokenizer)
    assert (
        plain.encode(TEXTS) == hub.encode(TEXTS) == plain.encode_lists(TEXTS).lists() == hub.encode_lists(TEXTS).lists()
    )
    assert plain.fingerprint() == hub.fingerprint()
    assert plain.name == str(tmp_path)
    assert plain.encode([]) == []


@pytest.mark.parametrize("kind", ["llama", None])
def test_a_models_folder_is_read_plainly_where_transformers_does(tmp_path: Path, kind: str | None) -> None:
    saved(tmp_path)
    if kind:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    plain, hub = open_text_tokenizer(str(tmp_path)), HubTokenizer(str(tmp_path))
    assert isinstance(plain, PlainTokenizer)
    assert plain.fingerprint() == hub.fingerprint()


def _without_post_processor(folder: Path) -> None:
    change(folder / "tokenizer.json", post_processor=None)


def _that_cuts_texts(folder: Path) -> None:
    core = Tokenizer.from_file(str(folder / "tokenizer.json"))
    core.enable_truncation(2)
    core.save(str(folder / "tokenizer.json"))


CASES: dict[str, Callable[[Path], object]] = {
    "another class": lambda f: change(f / "tokenizer_config.json", tokenizer_class="LlamaTokenizer"),
    "no class": lambda f: change(f / "tokenizer_config.json", tokenizer_class=None),
    "an unknown setting": lambda f: change(f / "tokenizer_config.json", add_bos_token=True),
    "a token that is not in the file": lambda f: change(f / "tokenizer_config.json", pad_token="~~"),
    "an extra token that is not in the file": lambda f: change(f / "tokenizer_config.json", extra_special_tokens=["~"]),
    "another model's folder": lambda f: (f / "config.json").write_text('{"model_type": "qwen2"}'),
    "a broken configuration": lambda f: (f / "config.json").write_text("["),
    "older files": lambda f: (f / "special_tokens_map.json").write_text(json.dumps({"bos_token": BOS})),
    "no post-processor": _without_post_processor,
    "a tokenizer that cuts texts": _that_cuts_texts,
}


@pytest.mark.parametrize("case", CASES)
def test_transformers_is_asked_wherever_it_might_do_more(tmp_path: Path, case: str) -> None:
    saved(tmp_path)
    CASES[case](tmp_path)
    try:
        wanted = HubTokenizer(str(tmp_path))
    except Exception as error:  # whatever transformers says of it
        with pytest.raises(type(error)):
            open_text_tokenizer(str(tmp_path))
        return
    opened = open_text_tokenizer(str(tmp_path))
    assert isinstance(opened, HubTokenizer)
    assert opened.encode_lists(TEXTS).lists() == opened.encode(TEXTS) == wanted.encode(TEXTS)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", [None, "", "[]", "{}"])
def test_a_missing_or_broken_file_is_left_to_transformers(tmp_path: Path, name: str, content: str | None) -> None:
    saved(tmp_path)
    (tmp_path / name).unlink() if content is None else (tmp_path / name).write_text(content)
    try:
        opened = open_text_tokenizer(str(tmp_path))
    except Exception:  # transformers cannot read it either
        return
    assert isinstance(opened, HubTokenizer)
