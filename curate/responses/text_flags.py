"""Flags for oddities in the texts of a row; `FLAG_MEANINGS` explains each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curate.schema import TOOL, Message, Record

REFUSAL = re.compile(
    r"\s*(?:i['’]?m (?:really |very |so )?(?:sorry|afraid)|sorry\b|i apologi[sz]e"
    r"|i (?:can['’]?t|cannot|can not|won['’]?t)\b"
    r"|i(?:['’]m| am) (?:not able|unable)\b|as an ai\b|unfortunately, i)",
    re.IGNORECASE,
)
ANGLED = re.compile(r"<(?:\|[A-Za-z_]\w*\|>|(?:start|end)_of_turn>|<SYS>>|extra_id_1>|\uff5c)")
LEAST_WORDS = 3
"""A response may begin with a prompt shorter than this by chance."""


def text_flags(record: Record) -> list[str]:
    """The flags of a row's texts: for a pair its two responses, otherwise all responses."""
    prompt, responses = record.prompt, record.responses
    found = []
    if record.pair is not None:
        chosen, rejected = responses = (responses[record.pair[0]], responses[record.pair[1]])
        if chosen == rejected:
            found.append("identical")
        if record.tie:
            found.append("tie")
    if not all(map(str.strip, responses)):
        found.append("empty")
    if any(map(REFUSAL.match, responses)):
        found.append("refusal")
    if prompt:
        found += _prompt_flags(prompt, responses)
    if any(map(has_markup, (*responses, *[message["content"] for message in prompt]))):
        found.append("template_markup")
    return found


def _prompt_flags(prompt: Sequence[Message], responses: Sequence[str]) -> list[str]:
    found = []
    if prompt[-1]["role"] not in ("user", TOOL):
        found.append("not_after_user")
    if len(prompt) > 1 and any(prompt[i]["role"] == prompt[i + 1]["role"] == "user" for i in range(len(prompt) - 1)):
        found.append("user_twice")
    said = prompt[-1]["content"].strip()
    if any(response.lstrip().startswith(said) for response in responses) and len(said.split()) >= LEAST_WORDS:
        found.append("repeats_prompt")
    return found


def has_markup(text: str) -> bool:
    """Whether a text contains a marker of a known chat template, which a tokenizer may read as the real one."""
    # checking for one character first makes this fast: most texts contain none
    if "<" in text and (ANGLED.search(text) or ("</s>" in text and "<s>" not in text)):
        return True  # except `<s>...</s>`, strikethrough in HTML
    return "[" in text and "INST]" in text and ("[INST]" in text or "[/INST]" in text)
