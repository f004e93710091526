"""Texts rendered with a chat template, and the turns they were made from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from curate.errors import RowError
from curate.readers.parts.messages import ROLES
from curate.schema import Message


@dataclass(frozen=True)
class Template:
    """The markers of one family of chat templates.

    Attributes:
        name: its makers' name for it.
        header: what opens a turn; its group captures the role.
        ends: what may close a turn.
    """

    name: str
    header: re.Pattern[str]
    ends: tuple[str, ...]


CHATML = Template("ChatML", re.compile(r"<\|im_start\|>[ ]*(\w+)[ ]*\n?"), ("<|im_end|>", "<|endoftext|>"))
LLAMA3 = Template(
    "Llama 3",
    re.compile(r"<\|start_header_id\|>\s*(\w+)\s*<\|end_header_id\|>\n{0,2}"),
    ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"),
)
LLAMA4 = Template("Llama 4", re.compile(r"<\|header_start\|>\s*(\w+)\s*<\|header_end\|>\n{0,2}"), ("<|eot|>",))
GEMMA = Template("Gemma", re.compile(r"<start_of_turn>[ ]*(\w+)[ ]*\n?"), ("<end_of_turn>", "<eos>"))
GRANITE = Template("Granite", re.compile(r"<\|start_of_role\|>(\w+)<\|end_of_role\|>\n?"), ("<|end_of_text|>",))
ZEPHYR = Template(
    "Zephyr", re.compile(r"<\|(system|user|assistant)\|>\n?"), ("</s>", "<|end|>", "<|endoftext|>", "<|end_of_text|>")
)
# DeepSeek's markers contain full-width bars
DEEPSEEK = Template(
    "DeepSeek", re.compile("<\uff5c(User|Assistant)\uff5c>"), ("<\uff5cend\u2581of\u2581sentence\uff5c>",)
)
NEMO = Template("NeMo", re.compile(r"(?:\A|\n)<extra_id_[01]>(System|User|Assistant)[ ]*\n?"), ())
TEMPLATES = (CHATML, LLAMA3, LLAMA4, GEMMA, GRANITE, ZEPHYR, DEEPSEEK)
INST = Template("Llama 2", re.compile(r"\[INST\]|\[/INST\]"), ("</s>",))

BEGIN = r"(?:<\|begin_of_text\|>|<s>|<bos>|<\|startoftext\|>|" + "<\uff5cbegin\u2581of\u2581sentence\uff5c>)"
BEGINNINGS = re.compile(rf"\s*(?:{BEGIN}\s*)*")
UNKNOWN = re.compile(r"<\|[A-Za-z_]+\|>")
SYSTEM = re.compile(r"\s*<<SYS>>(.*?)<</SYS>>", re.DOTALL)


def template_of(text: str) -> Template | None:
    """The template with which a text was rendered; None for plain text.

    The text must open with one of the template's markers, except for NeMo's, whose first turn has none.
    """
    if "<extra_id_1>" in text and NEMO.header.search(text):
        return NEMO
    if text.lstrip()[:1] not in ("<", "["):
        return None
    start = BEGINNINGS.match(text)
    place = start.end() if start else 0
    found = next((one for one in (*TEMPLATES, INST) if one.header.match(text, place)), None)
    return None if found is INST and text.startswith("[/INST]", place) else found


def parse_markup(text: str, template: Template) -> list[Message]:
    """The turns of a text rendered with this template. The assistant's last turn may be empty.

    Raises:
        RowError: a role is unknown, or there is text outside the turns.
    """
    if template is INST:
        return _instructions(text)
    headers = list(template.header.finditer(text))
    start = BEGINNINGS.match(text)
    before = text[start.end() if start else 0 : headers[0].start()]
    turns: list[Message] = []
    if before.strip():
        if template is not NEMO:
            raise RowError("there is text before the first turn")
        turns.append({"role": "user", "content": before.strip("\n")})
    ends = [header.start() for header in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=True):
        role = ROLES.get(header[1].lower())
        if role is None:
            raise RowError(f"the role {header[1][:30]!r} is not known")
        turns.append({"role": role, "content": closed(text[header.end() : end], template)})
    return turns


def closed(text: str, template: Template) -> str:
    """What a turn says, without its end marker and surrounding line breaks.

    Raises:
        RowError: it contains a marker of the template.
    """
    said = text.strip("\n")
    while found := next((end for end in template.ends if said.rstrip().endswith(end)), None):
        said = said.rstrip().removesuffix(found)
    if any(end in said for end in template.ends if end != "</s>") or template.header.search(said):
        raise RowError(f"markers of the {template.name} template stand within a turn")
    return said.strip() if template is INST else said.strip("\n")


def _instructions(text: str) -> list[Message]:
    """Llama 2 and Mistral: `[INST] user [/INST] assistant </s>`, with the system text inside the first instruction."""
    start = BEGINNINGS.match(text)
    turns: list[Message] = []
    for part in re.split(r"\[INST\]", text[start.end() if start else 0 :])[1:]:
        asked, found, answered = part.partition("[/INST]")
        if not found:
            raise RowError("an instruction of the Llama 2 template is not closed")
        system = SYSTEM.match(asked)
        if system and not turns:
            turns.append({"role": "system", "content": system[1].strip()})
            asked = asked[system.end() :]
        turns.append({"role": "user", "content": asked.strip()})
        said = closed(re.sub(r"\s*<s>\s*\Z", "", answered), INST)
        turns.append({"role": "assistant", "content": said})
    if any(not turn["content"] for turn in turns[:-1] if turn["role"] == "assistant"):
        raise RowError("an answer between two instructions of the Llama 2 template is empty")
    return turns


def ending(text: str) -> str | None:
    """The end-of-turn marker that ends a text, or None."""
    said = text.rstrip()
    if not said.endswith(">"):
        return None
    every = (end for template in (*TEMPLATES, INST) for end in template.ends)
    found = next((end for end in every if said.endswith(end)), None)
    # `<s>...</s>` strikes text out in HTML
    return None if found == "</s>" and "<s>" in said else found
