"""What a judge is asked, and how its answer is parsed: templates and ratings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, PositiveInt

from curate.errors import SettingsError, first_line
from curate.registry import check_parameters
from curate.schema import Message
from curate.text_file import read_text

OPTIONS = "judge"
"""The prefix of a judge's parameters: `--set judge.template=FILE`."""

POINTWISE = """\
You rate a response to a request. Judge how well it does what was asked: whether it is correct, helpful, complete and
to the point. Its length alone should not count.

[Request]
{{ prompt }}

[Response]
{{ response }}

[Your task]
Explain your judgement in a few sentences. Then rate the response with a whole number from 1 (useless) to 10
(excellent), on a last line of exactly this form:
Rating: <number>
"""
PAIRWISE = """\
You compare two responses to the same request. Judge how well each does what was asked: whether it is correct, helpful,
complete and to the point. Neither their order nor their length alone should count.

[Request]
{{ prompt }}

[Response A]
{{ response_a }}

[Response B]
{{ response_b }}

[Your task]
Explain your judgement in a few sentences. Then rate each response with a whole number from 1 (useless) to 10
(excellent), on two last lines of exactly this form:
Rating A: <number>
Rating B: <number>
"""
# A number from 1 to 10, perhaps with decimals or out of ten; not part of a larger number or the start of a range.
_NUMBER = r"(10(?:\.0+)?|[1-9](?:\.\d+)?)(?!\d|\.\d|[ \t]*(?:-|to\b)[ \t]*\d|[ \t]*/[ \t]*(?!10\b)\d)"
# Any punctuation may separate a label from its number, except a minus, or a point that begins a fraction.
_GAP = r"[\s:=*_\"'`<(\[|)\]]"
_RATINGS = {
    "": re.compile(rf"\b(?i:rating){_GAP}{{1,8}}{_NUMBER}"),
    "A": re.compile(rf"\b(?i:rating){_GAP}{{1,4}}A{_GAP}{{1,8}}{_NUMBER}"),
    "B": re.compile(rf"\b(?i:rating){_GAP}{{1,4}}B{_GAP}{{1,8}}{_NUMBER}"),
}


class JudgeOptions(BaseModel):
    """The parameters shared by all judges of a run.

    Attributes:
        template: a Jinja file with the question, replacing the default.
        mode: pairwise shows both responses of a pair, in both orders; pointwise one response at a time. `auto` means
            pairwise if the rows are pairs.
        max_tokens: maximum tokens of an answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: Path | None = None
    mode: Literal["auto", "pairwise", "pointwise"] = "auto"
    max_tokens: PositiveInt = 512

    def source(self, default: str) -> str:
        """The template's text.

        Raises:
            SettingsError: the file cannot be read.
        """
        try:
            return read_text(self.template) if self.template else default
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"The judge's template cannot be read: {error}.",
                setting="options",
                value=f"{OPTIONS}.template={self.template}",
                hint="Give a Jinja file.",
            ) from error


def judge_options(given: dict[str, Any]) -> JudgeOptions:
    """Check the given parameters and fill in defaults.

    Raises:
        SettingsError: an unknown parameter or an invalid value.
    """
    hint = "A judge has template=FILE, mode=auto|pairwise|pointwise and max_tokens=N."
    return JudgeOptions(**check_parameters(OPTIONS, JudgeOptions, given, hint))


class Question:
    """What a judge is asked about one response, or about two.

    Args:
        source: a Jinja template of `prompt` (the conversation as text), `messages` (the same as messages), and
            `response`, or `response_a` and `response_b`.
        pairwise: whether it asks about two responses.

    Raises:
        SettingsError: not a valid template, or one that leaves out the request or a response.
    """

    def __init__(self, source: str, pairwise: bool) -> None:
        self.source, self.pairwise = source, pairwise
        names = ["response_a", "response_b"] if pairwise else ["response"]
        hint = "It must print {{ prompt }}, " + ", ".join(f"{{{{ {n} }}}}" for n in names) + "."
        try:
            environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
            self._template = environment.from_string(source)
            probe = self.ask([{"role": "user", "content": "<prompt>"}], [f"<{name}>" for name in names])
        except TemplateError as error:
            raise self._wrong(f"The judge's template cannot be used: {first_line(error)}.", hint) from error
        for name in ("prompt", *names):
            if f"<{name}>" not in probe:
                raise self._wrong(f"The judge's template leaves out the {name}.", hint)

    @staticmethod
    def _wrong(what: str, hint: str) -> SettingsError:
        return SettingsError(what, setting="options", value=f"{OPTIONS}.template", hint=hint)

    def __reduce__(self) -> tuple[type[Question], tuple[str, bool]]:
        # A compiled template cannot be pickled.
        return Question, (self.source, self.pairwise)

    def ask(self, prompt: Sequence[Message], responses: Sequence[str]) -> str:
        """The question as text."""
        names = ("response_a", "response_b") if self.pairwise else ("response",)
        texts = dict(zip(names, responses, strict=True))
        messages = [dict(message) for message in prompt]
        return self._template.render(prompt=as_text(prompt), messages=messages, **texts)

    def read(self, answer: str) -> list[float] | None:
        """The rating of each response asked about, 1 to 10; None if the answer lacks any of them.

        The last rating of each counts, because judges may think aloud first.
        """
        found = [_RATINGS[label].findall(answer) for label in (("A", "B") if self.pairwise else ("",))]
        return [float(ratings[-1]) for ratings in found] if all(found) else None


def as_text(prompt: Sequence[Message]) -> str:
    """The conversation as text: a lone message unchanged, several with their roles in front."""
    if len(prompt) == 1:
        return prompt[0]["content"]
    return "\n\n".join(f"{message['role'].capitalize()}: {message['content']}" for message in prompt)
