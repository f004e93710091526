"""Messages to token ids: the only place that decides where a response begins and what is truncated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal

from jinja2 import TemplateError

from curate.errors import ModelError
from curate.schema import Message
from curate.settings.models import Truncation
from curate.tokens import ChatTokenizer
from curate.tokens.continuation import Continuation, continued

Ids = list[int]
Answer = str | Message
"""A response: its text, or the assistant's message where it calls tools."""
Match = Literal["trl"]


@dataclass(frozen=True)
class Rendered:
    """One conversation as the model reads it.

    Attributes:
        ids: token ids of prompt and response.
        start: position of the response's first counted token; at least 1, because a first token has no context.
        truncated: whether the maximum length cut anything.
        dropped: whether it must not be measured: too long, or rejected by the chat template.
        border: how the response's first token was found: exact, split, spanned, common_prefix; or refused.
    """

    ids: Ids
    start: int
    border: str
    truncated: bool = False
    dropped: bool = False

    @property
    def response_tokens(self) -> int:
        """The number of response tokens left to count."""
        return 0 if self.dropped else max(0, len(self.ids) - self.start)


REFUSED = Rendered([], 1, "refused", dropped=True)


@dataclass(frozen=True)
class Found:
    """A conversation before truncation.

    Attributes:
        opened: text of the prompt with the generation prompt.
        opened: text of the prompt with the generation prompt.
        opened_ids: token ids of that text.
        ids: token ids of prompt and response.
        start: position of the response's first token; 0 if nothing precedes it.
        border: as in `Rendered`.
    """

    prompt: Sequence[Message]
    opened: str
    opened_ids: Ids
    ids: Ids
    start: int
    border: str


def render_prompts(tokenizer: ChatTokenizer, prompts: Sequence[Sequence[Message]]) -> list[Ids]:
    """Token ids of each prompt with the opening of an answer; repeated prompts are tokenised once.

    Raises:
        TemplateError, ValueError, TypeError: the chat template rejects a prompt.
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

    The response is what the template adds to the prompt with its generation prompt. If the ids of the whole
    conversation begin with those of the prompt, the border is `exact`. If not, because a token spans the border,
    prompt and rest are tokenised separately, as in generation (`split`), provided that these ids decode to the text
    of the whole; otherwise the response begins with the token that spans the border (`spanned`). If even the text of
    the whole does not begin with that of the prompt (templates that rewrite the last turn), the response begins after
    the common prefix of ids (`common_prefix`). A conversation that the template rejects (roles that do not
    alternate, say) is dropped, not an error: it is one bad row.

    TRL's DPO trainer decides differently if the ids do not begin with those of the prompt: it always tokenises the
    whole conversation at once, and both responses of a pair begin after the shorter of their common prefixes with the
    prompt. `match="trl"` follows it, so that the numbers are those of the trainer.

    Args:
        tokenizer: with a chat template.
        max_length: maximum tokens of prompt and response together; None for no limit.
        truncation: which end is cut, or `drop` to skip what is too long.
        match: the trainer whose rule for a response's start replaces ours.
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
        self, conversations: Sequence[tuple[Sequence[Message], Answer]], others: Sequence[Answer | None] | None = None
    ) -> list[Rendered]:
        """Token ids of each (prompt, response); repeated prompts are tokenised once.

        Args:
            conversations: prompt and response.
            others: the other response of each one's pair; read only by `match="trl"`.
        """
        if self.match == "trl":
            found = self._find_as_trl(conversations, others or [None] * len(conversations))
        else:
            found = self._find(conversations)
        return [REFUSED if one is None else self._cut(one) for one in found]

    def _find(self, conversations: Sequence[tuple[Sequence[Message], Answer]]) -> list[Found | None]:
        """Where each response begins; None for a conversation that the template rejects."""
        prompts: dict[int, str | None] = {}
        for prompt, _ in conversations:
            if id(prompt) not in prompts:
                prompts[id(prompt)] = self._text(prompt, generation_prompt=True)
        fulls = [self._whole(p, r) for p, r in conversations]
        texts = list(dict.fromkeys(text for text in prompts.values() if text is not None))
        prompt_ids = dict(zip(texts, self.tokenizer.encode(texts), strict=True))
        full_ids = iter(self.tokenizer.encode([text for text in fulls if text is not None]))
        found: list[Found | None] = []
        spans: dict[int, Continuation] = {}
        for (prompt, _), text in zip(conversations, fulls, strict=True):
            opened = prompts[id(prompt)]
            ids = next(full_ids) if text is not None else []
            if text is None or opened is None:
                found.append(None)
                continue
            start = _common_prefix(prompt_ids[opened], ids)
            border = "exact" if start == len(prompt_ids[opened]) else "common_prefix"
            if border != "exact" and text.startswith(opened):
                spans[len(found)] = Continuation(prompt_ids[opened], text[len(opened) :], ids)
            found.append(Found(prompt, opened, prompt_ids[opened], ids, start, border))
        return self._split(found, spans)

    def _split(self, found: list[Found | None], spans: dict[int, Continuation]) -> list[Found | None]:
        """The same, with prompt and rest tokenised separately where a token spans the border, if possible."""
        for i, rest in zip(spans, continued(self.tokenizer, list(spans.values())), strict=True):
            one = found[i]
            assert one is not None
            if rest is None:
                found[i] = replace(one, border="spanned")
            else:
                found[i] = replace(one, ids=one.opened_ids + rest, start=len(one.opened_ids), border="split")
        return found

    def _find_as_trl(
        self, conversations: Sequence[tuple[Sequence[Message], Answer]], others: Sequence[Answer | None]
    ) -> list[Found | None]:
        texts = {id(prompt): self._text(prompt, generation_prompt=True) for prompt, _ in conversations}
        sides = [
            [self._whole(prompt, text) for text in ((response,) if other is None else (response, other))]
            for (prompt, response), other in zip(conversations, others, strict=True)
        ]
        wanted = [t for t in dict.fromkeys([*texts.values(), *(t for side in sides for t in side)]) if t is not None]
        ids = dict(zip(wanted, self.tokenizer.encode(wanted), strict=True))
        found: list[Found | None] = []
        for (prompt, _), side in zip(conversations, sides, strict=True):
            opened = texts[id(prompt)]
            known = [ids[text] for text in side if text is not None]
            if opened is None or len(known) < len(side):
                found.append(None)
                continue
            start = min(_common_prefix(ids[opened], whole) for whole in known)
            border = "exact" if start == len(ids[opened]) else "common_prefix"
            found.append(Found(prompt, opened, ids[opened], known[0], start, border))
        return found

    def _whole(self, prompt: Sequence[Message], response: Answer) -> str | None:
        answer = {"role": "assistant", "content": response} if isinstance(response, str) else response
        return self._text([*prompt, answer], generation_prompt=False)

    def _text(self, messages: Sequence[Message], generation_prompt: bool) -> str | None:
        try:
            return self.tokenizer.template(messages, generation_prompt)
        except (TemplateError, ValueError, TypeError) as error:
            self.refusal = str(error)
            return None

    def _cut(self, found: Found) -> Rendered:
        ids, start, border = found.ids, found.start, found.border
        excess = len(ids) - self.max_length if self.max_length is not None else 0
        if excess <= 0:
            return Rendered(ids, max(start, 1), border)
        if self.truncation == "drop":
            return Rendered([], 1, border, truncated=True, dropped=True)
        if self.truncation == "keep_start":
            return Rendered(ids[: self.max_length], max(start, 1), border, truncated=True)
        return Rendered(ids[excess:], max(start - excess, 1), border, truncated=True)


class AloneRenderer(Renderer):
    """Renders responses without their prompts, after whatever introduces the assistant.

    That header is what the generation prompt adds to the conversation, after a begin-of-text token if the conversation
    has one. The response's ids, and which of them count, are those of the whole conversation, so that both means run
    over the same tokens. If the template adds no header, a begin-of-text token takes its place, or an end-of-text
    token for a model without one.
    """

    def __init__(
        self, tokenizer: ChatTokenizer, max_length: int | None, truncation: Truncation, match: Match | None = None
    ) -> None:
        super().__init__(tokenizer, max_length, truncation, match)
        self._last: tuple[Sequence[Message], Ids | None] | None = None
        self._encoded: dict[str, Ids] = {}

    def _cut(self, found: Found) -> Rendered:
        row = super()._cut(found)
        if row.dropped:
            return row
        removed = len(found.ids) - len(row.ids) if self.truncation == "keep_end" else 0
        response = row.ids[max(found.start - removed, 0) :]
        uncounted = len(response) - row.response_tokens  # a first token that has no context in the conversation
        header = self._context(found)
        if header is None:
            return REFUSED
        if self.max_length is not None:
            header = header[max(0, len(header) + len(response) - self.max_length) :]
        return replace(row, ids=header + response, start=len(header) + uncounted)

    def _context(self, found: Found) -> Ids | None:
        """What precedes the response; None if the template rejects the conversation.

        Raises:
            ModelError: nothing can precede it.
        """
        if self._last is None or self._last[0] is not found.prompt:
            self._last = (found.prompt, self._header_of(found))
        header = self._last[1]
        if header is None:
            return None
        # Of a generation prompt that the conversation repeats in part, take only that part.
        missing = max(0, len(found.opened_ids) - found.start)
        edges = list(self.tokenizer.edges.values())
        begin = [one for one in found.opened_ids[:1] if one in edges and header[:1] != [one]]
        context = [*begin, *header[: max(0, len(header) - missing)]] or edges[:1]
        if not context:
            raise ModelError(
                "A response cannot be read alone: no token comes before it.",
                self.tokenizer.name,
                "The chat template adds no generation prompt, and the tokenizer has no begin-of-text token.",
            )
        return context

    def _header_of(self, found: Found) -> Ids | None:
        """Ids of what the generation prompt adds, without a begin-of-text token that only begins the conversation."""
        closed = self._text(found.prompt, generation_prompt=False)
        if closed is None:
            return None
        if not found.opened.startswith(closed):  # the template closes a conversation that does not open an answer
            return found.opened_ids[_common_prefix(self.tokenizer.encode([closed])[0], found.opened_ids) :]
        header = found.opened[len(closed) :]
        # If the conversation has a begin-of-text token, tokenise the header as the text after it.
        begin = next((t for t, n in self.tokenizer.edges.items() if found.opened_ids[:1] == [n]), "")
        lead = "" if header.startswith(begin) else begin
        if lead + header not in self._encoded:
            self._encoded[lead + header] = self.tokenizer.encode([lead + header])[0][1 if lead else 0 :]
        return self._encoded[lead + header]


def _common_prefix(ids: Ids, others: Ids) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ids, others, strict=False)))
