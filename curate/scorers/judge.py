"""Rewards from a language model that is asked to judge: `--reward judge:MODEL`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
from jinja2 import TemplateError

from curate.backends import GenerationBackend, ModelSpec, Sampling
from curate.backends.open import open_generation
from curate.errors import ModelError
from curate.hashing import text_hash
from curate.render import Ids, render_prompts
from curate.scorers import Batch, Cut, JudgedPair, ResponseItem, Scored
from curate.scorers.batching import halving, token_batches, writing_budget
from curate.scorers.generation import CPU_BATCH_TOKENS, GPU_BATCH_TOKENS
from curate.scorers.judging import Question
from curate.tokens import WritingTokenizer

RATED, DISAGREE, UNREADABLE, TOO_LONG, REFUSED = "rated", "orders_disagree", "unreadable", "too_long", "refused"
VERDICTS = {
    RATED: "rated",
    DISAGREE: "rated, though the two orders prefer different responses",
    UNREADABLE: "null: an answer holds no rating",
    TOO_LONG: "null: the question is longer than the judge can read",
    REFUSED: "null: the judge's chat template refuses the question",
}


@dataclass
class Judge:
    """Asks a model for ratings from 1 to 10, decoding greedily.

    Pairwise it yields `chosen` and `rejected`: each response's mean rating over the two orders in which the judge sees
    the pair. Pointwise it yields `reward`. In addition it yields `verdict` (see VERDICTS) and, if an answer could not
    be parsed, that `answer`. If one of the two answers cannot be parsed, both ratings are null.

    Attributes:
        max_length: maximum tokens of a question; None for no limit. Questions are never truncated.
        sampling: at temperature 0.
        identity: what distinguishes this model from all others.
    """

    name: str
    spec: ModelSpec
    tokenizer: WritingTokenizer
    question: Question
    sampling: Sampling
    max_length: int | None = None
    batch_tokens: int | None = None
    identity: dict[str, Any] = field(default_factory=dict)
    _backend: GenerationBackend | None = None

    @property
    def pairwise(self) -> bool:
        """Whether it judges pairs rather than single responses."""
        return self.question.pairwise

    @property
    def title(self) -> str:
        """Which model judges."""
        return f"judge {self.spec.model.short!r}"

    @property
    def schema(self) -> pa.Schema:
        """Types of the columns."""
        ratings = ("chosen", "rejected") if self.pairwise else ("reward",)
        return pa.schema([*((n, pa.float64()) for n in ratings), ("verdict", pa.string()), ("answer", pa.string())])

    def open(self) -> list[str]:
        """Load the model."""
        self._backend = open_generation(self.spec)
        return [f"{self.title}: {note}" for note in self._backend.notes]

    def score(self, items: Sequence[ResponseItem] | Sequence[JudgedPair], done: Container[int]) -> Iterator[Scored]:
        """Judge the items."""
        for batch in self.batches(items, self.cut()):
            if not all(key in done for key in batch.keys):
                yield self.measure(batch)

    def on(self, device: str, threads: int | None) -> Judge:
        """The same scorer for another process."""
        return replace(self, spec=replace(self.spec, device=device, threads=threads), _backend=None)

    def cut(self) -> Cut:
        """Padded; devices of one kind share one budget."""
        assert self._backend is not None, "open() comes first"
        own = writing_budget(self._backend, cpu=CPU_BATCH_TOKENS, gpu=GPU_BATCH_TOKENS)
        return Cut(self.batch_tokens or own)

    def batches(self, items: Sequence[ResponseItem] | Sequence[JudgedPair], cut: Cut) -> Iterator[Batch]:
        """The items as token ids of their questions, in batches."""
        asked = [self._questions(item) for item in items]
        lengths = [len(one) * (max(map(len, one)) + self.sampling.max_tokens) if all(one) else 0 for one in asked]
        for batch in token_batches(lengths, cut.budget):
            yield Batch([items[i].key for i in batch], [asked[i] for i in batch], sum(lengths[i] for i in batch))

    def measure(self, batch: Batch) -> Scored:
        """The ratings of a batch."""
        return self._judge(batch.keys, batch.rows)

    def facts(self) -> dict[str, Any]:
        """Model, template and limits."""
        limits = {"max_length": self.max_length, "max_tokens": self.sampling.max_tokens}
        template = {"pairwise": self.pairwise, "judge_template_hash": text_hash(self.question.source).hex()}
        return {**self.identity, **limits, **template, "stop_ids": list(self.sampling.stop_ids)}

    def close(self) -> None:
        """Free the model."""
        if self._backend is not None:
            self._backend.close()
        self._backend = None

    def _questions(self, item: ResponseItem | JudgedPair) -> list[Ids]:
        """Token ids of an item's questions, one per order; a question is empty if it cannot be asked."""
        if isinstance(item, JudgedPair):
            first, second = item.responses
            texts = [self.question.ask(item.prompt, pair) for pair in ((first, second), (second, first))]
        else:
            texts = [self.question.ask(item.prompt, (item.response,))]
        try:
            return render_prompts(self.tokenizer, [[{"role": "user", "content": text}] for text in texts])
        except (TemplateError, ValueError, TypeError):
            return [[] for _ in texts]

    def _too_long(self, questions: Sequence[Ids]) -> bool:
        return self.max_length is not None and any(len(ids) > self.max_length for ids in questions)

    def _judge(self, keys: Sequence[int], asked: Sequence[list[Ids]]) -> Scored:
        may_ask = [all(questions) and not self._too_long(questions) for questions in asked]
        wanted = [ids for questions, may in zip(asked, may_ask, strict=True) if may for ids in questions]
        answers = iter(self._answers(wanted))
        rows: list[tuple[list[float | None], str, str | None]] = []
        for questions, may in zip(asked, may_ask, strict=True):
            if may:
                rows.append(self._verdict([next(answers) for _ in questions]))
            else:
                rows.append(([None] * len(questions), TOO_LONG if self._too_long(questions) else REFUSED, None))
        names = [name for name in self.schema.names if name not in ("verdict", "answer")]
        columns: dict[str, list[Any]] = {name: [row[0][i] for row in rows] for i, name in enumerate(names)}
        columns |= {"verdict": [row[1] for row in rows], "answer": [row[2] for row in rows]}
        return Scored(keys, columns, tokens=sum(map(len, wanted)))

    def _answers(self, questions: Sequence[Ids]) -> list[str]:
        """The judge's answers. If padding changes its numbers, only questions of equal length share a batch."""
        backend = self._backend
        assert backend is not None
        groups: dict[int, list[int]] = {}
        for i, ids in enumerate(questions):
            groups.setdefault(len(ids) if backend.padding_free else 0, []).append(i)
        found = [""] * len(questions)
        for group in groups.values():
            samples = halving(
                lambda part: backend.generate(part, [0] * len(part), self.sampling), [questions[i] for i in group]
            )
            for i, text in zip(group, self.tokenizer.decode([sample.ids for sample in samples]), strict=True):
                found[i] = text
        return found

    def _verdict(self, answers: Sequence[str]) -> tuple[list[float | None], str, str | None]:
        """Ratings, verdict, and the first answer that could not be parsed."""
        ratings = [self.question.read(answer) for answer in answers]
        unread = next((answer for answer, rating in zip(answers, ratings, strict=True) if rating is None), None)
        if unread is not None:
            return [None] * len(answers), UNREADABLE, unread
        if not self.pairwise:
            return [ratings[0][0]], RATED, None  # type: ignore[index]
        (first, second), (second_swapped, first_swapped) = ratings  # type: ignore[misc]
        disagree = (first - second) * (first_swapped - second_swapped) < 0
        means: list[float | None] = [(first + first_swapped) / 2, (second + second_swapped) / 2]
        return means, DISAGREE if disagree else RATED, None


def check_verdicts(judge: Judge, verdicts: Counter[str], example: str | None) -> list[str]:
    """Notes on how the judging went.

    Args:
        judge: the judge.
        verdicts: how many items got each verdict.
        example: an answer that could not be parsed.

    Raises:
        ModelError: nothing was rated at all.
    """
    shown = f" Such an answer ends: {example.strip()[-120:]!r}." if example else ""
    what = "pairs" if judge.pairwise else "responses"
    if verdicts and not verdicts[RATED] + verdicts[DISAGREE]:
        form = "'Rating A: N' and 'Rating B: N'" if judge.pairwise else "'Rating: N'"
        raise ModelError(
            f"The judge rated none of {verdicts.total():,} {what}.{shown}",
            judge.title,
            f"Its answers must hold {form}, N from 1 to 10. Try --set judge.max_tokens=N or --set judge.template=FILE.",
        )
    notes = []
    if verdicts[UNREADABLE]:
        notes.append(f"{judge.title}: no rating in the answers for {verdicts[UNREADABLE]:,} {what}; null.{shown}")
    for verdict in (TOO_LONG, REFUSED):
        if verdicts[verdict]:
            notes.append(f"{judge.title}: {verdicts[verdict]:,} {what} are {VERDICTS[verdict]}.")
    if verdicts[DISAGREE]:
        notes.append(f"{judge.title}: for {verdicts[DISAGREE]:,} {what} the two orders prefer different responses.")
    return notes
