"""Small tokenizers made by hand: one token per character, plus the merges and special tokens that a test asks for."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, models, processors
from transformers import PreTrainedTokenizerFast

BOS, END = "<s>", "</s>"
CHARACTERS = [chr(c) for c in range(32, 127)] + ["\n"]
PLAIN = (
    "{% for m in messages %}{{ m.role[0] + ':' + m.content + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'a:' }}{% endif %}"
)


def save_tokenizer(
    folder: Path, template: str | None, merges: list[tuple[str, str]] | None = None, *, adds_bos: bool = False
) -> str:
    """Saves a tokenizer and returns its path; `adds_bos` gives it a post-processor that writes a begin-of-text."""
    tokens = [BOS, END, *CHARACTERS, *(a + b for a, b in merges or [])]
    core = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges or []))
    if adds_bos:
        core.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, 0)])
    PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=BOS, eos_token=END, chat_template=template, clean_up_tokenization_spaces=False
    ).save_pretrained(folder)
    return str(folder)


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]
