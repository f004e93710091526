"""Messages to token ids: the only place that decides where a response begins and what is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import TemplateError

from curate.recipe import Truncation
from curate.schema import Message
from curate.tokens import ChatTokenizer

Ids = list[int]


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


class Renderer:
    """Renders conversations with one tokenizer and its chat template.

    The response is what the template adds to the prompt with its generation prompt. Where the ids of the whole
    conversation do not begin with the ids of the prompt (a token spans the border), prompt and rest are tokenised
    apart, as in generation; where even the text does not (templates that rewrite the last turn), the response begins
    after the common prefix of ids. `border` says which rule was used. A conversation that the template refuses (roles
    that do not alternate, say) is dropped, not an error: it is one bad row.

    Args:
        tokenizer: with a chat template.
        max_length: most tokens of prompt and response together; None for no limit.
        truncation: which end is cut, or `drop` for not measuring what is too long.
    """

    def __init__(self, tokenizer: ChatTokenizer, max_length: int | None, truncation: Truncation) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.truncation = truncation
        self.refusal = ""

    def render(self, conversations: Sequence[tuple[Sequence[Message], str]]) -> list[Rendered]:
        """Token ids of each (prompt, response); a prompt that stands several times is tokenised once."""
        prompts: dict[int, str | None] = {}
        for prompt, _ in conversations:
            if id(prompt) not in prompts:
                prompts[id(prompt)] = self._text(prompt, generation_prompt=True)
        fulls = [self._text([*p, {"role": "assistant", "content": r}], False) for p, r in conversations]
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
        pairs = enumerate(zip(prompt_ids, ids, strict=False))
        return ids, next((i for i, (a, b) in pairs if a != b), min(len(ids), len(prompt_ids))), "common_prefix"

    def _cut(self, ids: Ids, start: int, border: str) -> Rendered:
        excess = len(ids) - self.max_length if self.max_length is not None else 0
        if excess <= 0:
            return Rendered(ids, max(start, 1), border)
        if self.truncation == "drop":
            return Rendered([], 1, border, truncated=True, dropped=True)
        if self.truncation == "keep_start":
            return Rendered(ids[: self.max_length], max(start, 1), border, truncated=True)
        return Rendered(ids[excess:], max(start - excess, 1), border, truncated=True)
