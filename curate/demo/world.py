"""The demo's synthetic world: prompts, responses of graded quality, and noisily labelled preference pairs.

Everything is drawn from a `random.Random` seeded with the seed: same seed, same texts, on every machine. Whole
conversations are lists of {"role", "content"}; `curate.demo.gold` says what a response is truly worth.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

from curate.demo import lexicon
from curate.demo.gold import Request, asked_style, gold_reward, read_request
from curate.demo.lexicon import FACTS, TURN_END, TURN_START

Message = dict[str, str]
Lead = Literal["polite", "plain", "curt"]

# Tuned so that one pair in eight is labelled against its gold (tests/demo/test_world.py).
NOISE_POINTS = 0.18
_COUNT_WORDS = {count: word for word, count in lexicon.COUNTS.items()}
_PROPERTIES = tuple((category, trait) for category, traits in FACTS.items() for trait in traits)


@dataclass(frozen=True)
class Answer:
    """A response before it is put into words.

    Attributes:
        items: the items that it names, in order; none makes it a refusal.
        lead: how it opens.
        numbered: a numbered list instead of a sentence.
        fillers: indices into `FILLERS`, said at the end.
        phrase: 0 to 1, which of the phrases of its kind it uses.
    """

    items: tuple[str, ...]
    lead: Lead
    numbered: bool
    fillers: tuple[int, ...]
    phrase: float


def make_prompts(n: int, seed: int) -> list[list[Message]]:
    """`n` prompts to generate from; each ends with a user message. Different seeds have few in common.

    About one in four continues an earlier exchange, and one in three opens with a system message.
    """
    rng = Random(f"prompts {seed}")
    return [draw_prompt(rng) for _ in range(n)]


def make_pairs(n: int, seed: int) -> list[dict[str, Any]]:
    """`n` preference pairs in the layout of ultrafeedback_binarized, with their gold rewards.

    Returns:
        Rows of `prompt` (the last user message), `prompt_id` (hash of the whole prompt), `chosen` and `rejected`
        (whole conversations), `score_chosen` and `score_rejected` (5 + 2.5 * (gold + noise), one decimal, 0 to 10;
        chosen has the higher score or an equal one), `gold_chosen` and `gold_rejected` (points; about one pair in
        eight has them the other way round, and some are equal).
    """
    rng = Random(f"pairs {seed}")
    return [draw_pair(rng) for _ in range(n)]


def world_hash() -> str:
    """Hex digest that changes with the world: its facts, its texts or its gold reward."""
    sample = [lexicon.CHAT_TEMPLATE, FACTS, make_prompts(200, 0), make_pairs(200, 0)]
    return hashlib.sha256(json.dumps(sample, sort_keys=True).encode()).hexdigest()[:16]


def render(messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool = False) -> str:
    """What `CHAT_TEMPLATE` renders, without the cost of a template engine."""
    turns = "".join(f"{TURN_START}{turn['role']}\n{turn['content']}{TURN_END}\n" for turn in messages)
    return f"{turns}{TURN_START}assistant\n" if add_generation_prompt else turns


def draw_prompt(rng: Random) -> list[Message]:
    """One prompt: a system message in one of three, an earlier exchange in one of four, then the request."""
    messages: list[Message] = []
    if rng.random() < 1 / 3:
        rules = lexicon.LIST_RULES + lexicon.SENTENCE_RULES + lexicon.NEUTRAL_RULES
        messages.append({"role": "system", "content": rng.choice(rules)})
    category, trait = rng.choice(_PROPERTIES)
    count = rng.choice(tuple(lexicon.COUNTS))
    if rng.random() < 1 / 4:
        earlier = rng.choice([other for other in FACTS[category] if other != trait])
        messages += _exchange(Request(category, earlier, rng.choice((2, 3)), asked_style(messages)), rng)
        text = rng.choice(lexicon.FOLLOW_UPS).format(rest=f"{count} {trait}")
    else:
        text = rng.choice(lexicon.OPENERS)
        text += rng.choice(lexicon.REQUESTS).format(what=f"{count} {category} {trait}") + rng.choice(lexicon.PURPOSES)
    return [*messages, {"role": "user", "content": text}]


def _exchange(request: Request, rng: Random) -> list[Message]:
    """An earlier request and its faultless answer."""
    what = f"{_COUNT_WORDS[request.count]} {request.category} {request.trait}"
    answer = draw_answer(request, 1.0, rng)
    return [
        {"role": "user", "content": rng.choice(lexicon.REQUESTS).format(what=what)},
        {"role": "assistant", "content": say(replace(answer, fillers=()), request)},
    ]


def draw_answer(request: Request, quality: float, rng: Random) -> Answer:
    """A plan of a response; `quality` 1 is right throughout, 0 is mostly wrong, padded or refused."""
    lapse = 1.0 - quality
    if rng.random() < 0.15 * lapse:
        return Answer((), "plain", False, (), rng.random())
    count = request.count + (rng.choice((-1, 1)) if rng.random() < 0.3 * lapse else 0)
    items = rng.sample(request.items, min(count, len(request.items)))
    for place in range(len(items)):
        if rng.random() < 0.7 * lapse:
            items[place] = wrong_item(request, rng)
    lead: Lead = "polite" if rng.random() < 0.4 + 0.5 * quality else rng.choice(("plain", "curt"))
    numbered = rng.random() < 0.3 if request.style == "any" else request.style == "list"
    if rng.random() < 0.5 * lapse:
        numbered = not numbered
    amount = rng.choice((1, 1, 2)) if rng.random() < 0.1 + 0.5 * lapse else 0
    fillers = rng.sample(range(len(lexicon.FILLERS)), amount)
    return Answer(tuple(items), lead, numbered, tuple(fillers), rng.random())


def wrong_item(request: Request, rng: Random) -> str:
    """An item that the request does not ask for, mostly of its category."""
    kinds = [kind for kind in _PROPERTIES if kind != (request.category, request.trait)]
    if rng.random() < 0.8:
        kinds = [kind for kind in kinds if kind[0] == request.category]
    category, trait = rng.choice(kinds)
    return rng.choice(FACTS[category][trait])


def say(answer: Answer, request: Request) -> str:
    """The response in words: 5 to 60 of them."""

    def pick(phrases: Sequence[str]) -> str:
        return phrases[int(answer.phrase * len(phrases))]

    if not answer.items:
        return pick(lexicon.REFUSALS)
    leads = {"polite": lexicon.POLITE_LEADS, "plain": lexicon.PLAIN_LEADS, "curt": lexicon.CURT_LEADS}[answer.lead]
    lead = pick(leads).format(what=f"{_COUNT_WORDS[request.count]} {request.category} {request.trait}")
    if answer.numbered:
        body = "".join(f"\n{place}. {item}" for place, item in enumerate(answer.items, 1))
    else:
        *front, last = answer.items
        body = f" {', '.join(front)} and {last}" if front else f" {last}"
        body += "" if answer.lead == "curt" else "."
    gap = "\n" if answer.numbered else " "
    tail = " ".join(lexicon.FILLERS[place] for place in answer.fillers)
    return lead + body + (gap + tail if tail else "")


def spoil(answer: Answer, request: Request, rng: Random) -> Answer:
    """The same response with one thing changed, mostly for the worse."""
    if not answer.items:
        return draw_answer(request, rng.random(), rng)
    items, place = answer.items, rng.randrange(len(answer.items))
    match rng.choice(("wrong", "wrong", "wrong", "repeat", "drop", "filler", "lead", "style")):
        case "wrong":
            return replace(answer, items=(*items[:place], wrong_item(request, rng), *items[place + 1 :]))
        case "repeat":
            return replace(answer, items=(*items, items[place]))
        case "drop" if len(items) > 1:
            return replace(answer, items=items[:place] + items[place + 1 :])
        case "filler" if not answer.fillers:
            return replace(answer, fillers=tuple(rng.sample(range(len(lexicon.FILLERS)), rng.choice((1, 2)))))
        case "style":
            return replace(answer, numbered=not answer.numbered)
    return replace(answer, lead="curt" if answer.lead == "polite" else "polite")


def draw_texts(request: Request, rng: Random) -> tuple[str, str]:
    """Two different responses to one request: half of the time near variants, half of the time independent ones."""
    first = draw_answer(request, rng.uniform(0.2, 1.0), rng)
    while True:
        near = rng.random() < 0.5
        second = spoil(first, request, rng) if near else draw_answer(request, rng.uniform(0.2, 1.0), rng)
        texts = say(first, request), say(second, request)
        if texts[0] != texts[1]:
            return texts


def draw_pair(rng: Random) -> dict[str, Any]:
    """One row of `make_pairs`."""
    prompt = draw_prompt(rng)
    request = read_request(prompt)
    assert request is not None, prompt
    rated = []
    for text in draw_texts(request, rng):
        gold = gold_reward(prompt, text)
        seen = 5.0 + 2.5 * (gold + rng.gauss(0.0, NOISE_POINTS))
        rated.append((round(min(10.0, max(0.0, seen)), 1), gold, text))
    # By the score alone: a tie must not be settled by the gold, which a labeller never sees.
    rejected, chosen = sorted(rated, key=lambda one: one[0])
    return {
        "prompt": prompt[-1]["content"],
        "prompt_id": hashlib.sha256(render(prompt).encode()).hexdigest(),
        "chosen": [*prompt, {"role": "assistant", "content": chosen[2]}],
        "rejected": [*prompt, {"role": "assistant", "content": rejected[2]}],
        "score_chosen": chosen[0],
        "score_rejected": rejected[0],
        "gold_chosen": chosen[1],
        "gold_rejected": rejected[1],
    }
