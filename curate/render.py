"""Messages to token ids: the only place that decides where a response begins and what is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal

from jinja2 import TemplateError

from curate.recipe import Truncation
from curate.schema import Message
from curate.tokens import ChatTokenizer

Ids = list[int]
Match = Literal["trl"]


@dataclass(frozen=True)
class Rendered:
    """One conversation as a model reads it.

    Attributes:
        ids: token ids of prompt and response.
        start: position of the response's first counted token; at least 1, as a first token has no context.
        truncated: whether anything was cut by the maximum length.
        dropped: whether it must not be measured: too long, or refused by the chat template.
        border: how the response's first token was found: exact, split, common_prefix; or refused.
    """

    ids: Ids
    start: int
    border: str
    truncated: bool = False
    dropped: bool = False

    @property
    def response_tokens(self) -> int:
        """How many response tokens are left to count."""
        return 0 if self.dropped else max(0, len(self.ids) - self.start)


def render_prompts(tokenizer: ChatTokenizer, prompts: Sequence[Sequence[Message]]) -> list[Ids]:
    """Token ids of each prompt with the opening of an answer; one that stands several times is tokenised once.

    Raises:
        TemplateError, ValueError, TypeError: the chat template refuses a prompt.
    """
    texts: dict[int, str] = {}
    for prompt in prompts:
        if id(prompt) not in texts:
            texts[id(prompt)] = tokenizer.template(prompt, True)
    different = list(dict.fromkeys(texts.values()))
    ids = dict(zip(different, tokenizer.encode(different), strict=True))
    return [ids[texts[id(prompt)]] for prompt in prompts]


class Renderer:
    """Renders conversations with one tokenizer and its chat template.

    The response is what the template adds to the prompt with its generation prompt. Where the ids of the whole
    conversation do not begin with the ids of the prompt (a token spans the border), prompt and rest are tokenised
    apart, as in generation; where even the text does not (templates that rewrite the last turn), the response begins
    after the common prefix of ids. `border` says which rule was used. A conversation that the template refuses (roles
    that do not alternate, say) is dropped, not an error: it is one bad row.

    TRL's DPO trainer decides otherwise where the ids do not begin with those of the prompt: the whole conversation is
    always tokenised at once, and both responses of a pair begin after the shorter of their common prefixes with the
    prompt. `match="trl"` follows it, so that the numbers are those of the trainer.

    Args:
        tokenizer: with a chat template.
        max_length: most tokens of prompt and response together; None for no limit.
        truncation: which end is cut, or `drop` for not measuring what is too long.
        match: the trainer whose rule for a response's beginning is used in place of ours.
    """

    def __init__(
        self, tokenizer: ChatTokenizer, max_length: int | None, truncation: Truncation, match: Match | None = None
    ) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.truncation = truncation
        self.match = match
        self.refusal = ""

    def render(
        self, conversations: Sequence[tuple[Sequence[Message], str]], beside: Sequence[str | None] | None = None
    ) -> list[Rendered]:
        """Token ids of each (prompt, response); a prompt that stands several times is tokenised once.

        Args:
            conversations: prompt and response.
            beside: the other response of each one's pair; read only by `match="trl"`.
        """
        if self.match == "trl":
            return self._render_as_trl(conversations, beside or [None] * len(conversations))
        prompts: dict[int, str | None] = {}
        for prompt, _ in conversations:
            if id(prompt) not in prompts:
                prompts[id(prompt)] = self._text(prompt, generation_prompt=True)
        fulls = [self._whole(p, r) for p, r in conversations]
        texts = list(dict.fromkeys(text for text in prompts.values() if text is not None))
        prompt_ids = dict(zip(texts, self.tokenizer.encode(texts), strict=True))
        full_ids = iter(self.tokenizer.encode([text for text in fulls if text is not None]))
        rendered = []
        for (prompt, _), text in zip(conversations, fulls, strict=True):
            prompt_text = prompts[id(prompt)]
            ids = next(full_ids) if text is not None else []
            if text is None or prompt_text is None:
                rendered.append(Rendered([], 1, "refused", dropped=True))
            else:
                rendered.append(self._cut(*self._border(prompt_text, prompt_ids[prompt_text], text, ids)))
        return rendered

    def _render_as_trl(
        self, conversations: Sequence[tuple[Sequence[Message], str]], beside: Sequence[str | None]
    ) -> list[Rendered]:
        texts = {id(prompt): self._text(prompt, generation_prompt=True) for prompt, _ in conversations}
        sides = [
            [self._whole(prompt, text) for text in ((response,) if other is None else (response, other))]
            for (prompt, response), other in zip(conversations, beside, strict=True)
        ]
        wanted = [t for t in dict.fromkeys([*texts.values(), *(t for side in sides for t in side)]) if t is not None]
        ids = dict(zip(wanted, self.tokenizer.encode(wanted), strict=True))
        rendered = []
        for (prompt, _), side in zip(conversations, sides, strict=True):
            known = [ids[text] for text in (texts[id(prompt)], *side) if text is not None]
            if len(known) <= len(side):
                rendered.append(Rendered([], 1, "refused", dropped=True))
                continue
            start = min(_common_prefix(known[0], whole) for whole in known[1:])
            border = "exact" if start == len(known[0]) else "common_prefix"
            rendered.append(self._cut(known[1], start, border))
        return rendered

    def _whole(self, prompt: Sequence[Message], response: str) -> str | None:
        return self._text([*prompt, {"role": "assistant", "content": response}], generation_prompt=False)

    def _text(self, messages: Sequence[Message], generation_prompt: bool) -> str | None:
        try:
            return self.tokenizer.template(messages, generation_prompt)
        except (TemplateError, ValueError, TypeError) as error:
            self.refusal = str(error)
            return None

    def _border(self, prompt_text: str, prompt_ids: Ids, text: str, ids: Ids) -> tuple[Ids, int, str]:
        if ids[: len(prompt_ids)] == prompt_ids:
            return ids, len(prompt_ids), "exact"
        if text.startswith(prompt_text):
            rest = self.tokenizer.encode([text[len(prompt_text) :]])[0]
            return prompt_ids + rest, len(prompt_ids), "split"
        return ids, _common_prefix(prompt_ids, ids), "common_prefix"

    def _cut(self, ids: Ids, start: int, border: str) -> Rendered:
        excess = len(ids) - self.max_length if self.max_length is not None else 0
        if excess <= 0:
            return Rendered(ids, max(start, 1), border)
        if self.truncation == "drop":
            return Rendered([], 1, border, truncated=True, dropped=True)
        if self.truncation == "keep_start":
            return Rendered(ids[: self.max_length], max(start, 1), border, truncated=True)
        return Rendered(ids[excess:], max(start - excess, 1), border, truncated=True)


class AloneRenderer(Renderer):
    """Renders responses without their prompts: the very tokens of the conversation, after a begin-of-text token only.

    Where the model has no such token, the response's first token has no context and is not counted.
    """

    def render(
        self, conversations: Sequence[tuple[Sequence[Message], str]], beside: Sequence[str | None] | None = None
    ) -> list[Rendered]:
        """Token ids of each response; the prompts say how the template writes it."""
        bos = self.tokenizer.bos_id
        context = [] if bos is None else [bos]
        return [
            row if row.dropped else replace(row, ids=context + row.ids[row.start :], start=1)
            for row in super().render(conversations, beside)
        ]


def _common_prefix(ids: Ids, others: Ids) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ids, others, strict=False)))
