"""Tokenizers: text to token ids, and messages to text."""

from __future__ import annotations

import hashlib
import json
import re
import string
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from jinja2 import TemplateError

from curate.hub import check_found, check_place, hub_access, not_loaded
from curate.schema import Message
from curate.tokens.dates import CLOCK, clock_of, prints_date
from curate.tokens.lists import TokenLists, by_pieces, cuts, joined
from curate.tokens.plain import plain_tokenizer, rust_fingerprint
from curate.tokens.rust import PieceEncoder
from curate.tokens.tools import separated

WORD = re.compile(r"\w+|[^\w\s]")
WORDS = "words"
PROBE = "Zyx"
# Words never cross a byte that is not part of one; a space stays with the word after it, so that fewer pieces differ.
WORD_CUTS = cuts(
    [string.ascii_letters + string.digits + "_", "".join(set(string.punctuation) - {"_"}), " "],
    [(0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3), (3, 1), (3, 2)],
)


class TextTokenizer(Protocol):
    """Turns texts into ids; equal ids mean equal tokens within one call."""

    name: str

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without added special tokens."""

    def fingerprint(self) -> str:
        """A hash of everything that decides the ids."""


class CountingTokenizer(TextTokenizer, Protocol):
    """A tokenizer that is fast on many texts; edit distance counts with it."""

    def encode_lists(self, texts: Sequence[str]) -> TokenLists:
        """The ids that `encode` gives."""


class ChatTokenizer(TextTokenizer, Protocol):
    """A tokenizer that also knows a chat template."""

    @property
    def edges(self) -> dict[str, int]:
        """The begin-of-text and end-of-text tokens, if any: text -> id, in this order."""

    def text(self, ids: Sequence[int]) -> str:
        """The text of these ids, special tokens included."""

    def template(self, messages: Sequence[Message], generation_prompt: bool) -> str:
        """The messages as the model's text, with the opening of an answer if requested."""


class WritingTokenizer(ChatTokenizer, Protocol):
    """A chat tokenizer that also turns model output into text."""

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each answer, without special tokens."""

    def turn_ends(self) -> tuple[int, ...]:
        """The tokens that end an answer."""


class WordsTokenizer:
    """Counts words and punctuation marks: every run of word characters, and every other visible character.

    The documented default of edit distance if there is no model's tokenizer; needs neither files nor network.
    """

    name = WORDS

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of the words, numbered in order of appearance within this call."""
        ids: dict[str, int] = {}
        return [[ids.setdefault(word, len(ids)) for word in WORD.findall(text)] for text in texts]

    def encode_lists(self, texts: Sequence[str]) -> TokenLists:
        """The same ids."""
        return by_pieces(texts, WORD_CUTS, lambda pieces: joined(self.encode(pieces.to_pylist())))

    def fingerprint(self) -> str:
        """The pattern itself."""
        return f"{WORDS}:{WORD.pattern}"


class HubTokenizer:
    """A transformers tokenizer, from a folder or a hub id."""

    def __init__(self, name: str, *, trust_remote_code: bool = False) -> None:
        self.name = name
        self._tokenizer = _load(name, trust_remote_code)
        self._day: date | None = None

    @cached_property
    def _pieces(self) -> PieceEncoder | None:
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is None or backend.truncation or backend.padding:
            return None
        return PieceEncoder(backend, self.encode)

    def use_template(self, template: str) -> None:
        """Render conversations with this Jinja template instead of the tokenizer's own."""
        self._tokenizer.chat_template = template

    def fix_day(self, day: date) -> None:
        """Make the chat template print this day, whatever today is."""
        self._day = day

    @property
    def day(self) -> date | None:
        """The day that the chat template prints; None if it prints none, or none was fixed."""
        found = self._tokenizer.chat_template
        source = found.get("default", "") if isinstance(found, dict) else found or ""
        return self._day if prints_date(source) else None

    @property
    def chat_template(self) -> str | None:
        """The Jinja source of the chat template, if there is one."""
        found = self._tokenizer.chat_template
        return json.dumps(found, sort_keys=True) if isinstance(found, dict | list) else found

    @property
    def edges(self) -> dict[str, int]:
        """The begin-of-text and end-of-text tokens, if any: text -> id, in this order."""
        one = self._tokenizer
        known = ((one.bos_token, one.bos_token_id), (one.eos_token, one.eos_token_id))
        return {str(text): number for text, number in known if number is not None}

    def text(self, ids: Sequence[int]) -> str:
        """The text of these ids, special tokens included."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is not None and backend.decoder is None:
            # Decoding would insert a space between tokens.
            return "".join(self._tokenizer.convert_ids_to_tokens(list(ids)))
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without added special tokens."""
        if not texts:
            return []
        encoded = self._tokenizer(list(texts), add_special_tokens=False, verbose=False, return_attention_mask=False)
        return [list(ids) for ids in encoded["input_ids"]]

    def encode_lists(self, texts: Sequence[str]) -> TokenLists:
        """The same ids."""
        if self._pieces is None:
            return joined(self.encode(texts))
        return self._pieces.encode_lists(texts)

    def template(self, messages: Sequence[Message], generation_prompt: bool) -> str:
        """The messages rendered with the chat template, including begin-of-text if the template writes it."""
        more: dict[str, Any] = {} if self.day is None else {CLOCK: clock_of(self.day)}
        turns, tools = separated(messages)
        if tools is not None:
            more["tools"] = tools
        return str(
            self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=generation_prompt, **more)
        )

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each answer, without special tokens."""
        return [
            str(self._tokenizer.decode(list(one), skip_special_tokens=True, clean_up_tokenization_spaces=False))
            for one in ids
        ]

    def turn_ends(self) -> tuple[int, ...]:
        """The tokenizer's end of text, and the special token that the chat template writes after an answer."""
        eos = self._tokenizer.eos_token_id
        try:
            text = self.template([{"role": "user", "content": PROBE}, {"role": "assistant", "content": PROBE}], False)
        except (TemplateError, ValueError, TypeError):
            # A template that rejects this conversation will reject similar ones in the data, and report it there.
            text = ""
        _, probe, behind = text.rpartition(PROBE)
        after = self.encode([behind])[0] if probe else []
        said = next((one for one in after if one in self._special() or self.decode([[one]])[0].strip()), None)
        ends = {one for one in (eos, said) if one is not None and (one == eos or one in self._special())}
        return tuple(sorted(ends))

    def _special(self) -> set[int]:
        added = self._tokenizer.added_tokens_decoder
        return {*self._tokenizer.all_special_ids, *(number for number, token in added.items() if token.special)}

    def vocabulary(self) -> dict[str, int]:
        """Every token with its id."""
        found: dict[str, int] = self._tokenizer.get_vocab()
        return found

    def fingerprint(self) -> str:
        """Hash of vocabulary, merges and normalisation."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is not None:
            return rust_fingerprint(backend)
        source = json.dumps(self._tokenizer.get_vocab(), sort_keys=True)
        return hashlib.blake2b(source.encode(), digest_size=16).hexdigest()

    def template_fingerprint(self) -> str:
        """Hash of the chat template."""
        return hashlib.blake2b((self.chat_template or "").encode(), digest_size=16).hexdigest()


def _load(name: str, trust_remote_code: bool) -> Any:
    check_found(name)
    from transformers import AutoTokenizer

    try:
        with hub_access(name):
            return AutoTokenizer.from_pretrained(name, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise not_loaded("The tokenizer cannot be loaded.", name, error) from error


class PlainTokenizer:
    """A tokenizer read from its own file, without transformers, which takes seconds to import."""

    def __init__(self, name: str, backend: Any) -> None:
        self.name = name
        self._backend = backend
        self._pieces = PieceEncoder(backend)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without added special tokens."""
        return self._pieces.encode(texts)

    def encode_lists(self, texts: Sequence[str]) -> TokenLists:
        """The same ids."""
        return self._pieces.encode_lists(texts)

    def fingerprint(self) -> str:
        """Hash of vocabulary, merges and normalisation; equal to that of `HubTokenizer`."""
        return rust_fingerprint(self._backend)


def open_text_tokenizer(name: str, *, trust_remote_code: bool = False) -> CountingTokenizer:
    """The tokenizer that edit distance counts with: `words`, a folder, or a hub id."""
    if name == WORDS:
        return WordsTokenizer()
    check_place(name)
    backend = plain_tokenizer(Path(name).expanduser())
    if backend is not None:
        return PlainTokenizer(name, backend)
    return HubTokenizer(name, trust_remote_code=trust_remote_code)
