"""Fixes the date that chat templates print: on another day the same text would have other tokens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError

CLOCK = "strftime_now"
"""The only clock that transformers gives to chat templates; a template that uses another fails when rendered."""


@lru_cache
def prints_date(template: str) -> bool:
    """Whether the code of this Jinja template (not its text or comments) asks for the time."""
    try:
        return any(kind == "name" and text == CLOCK for _, kind, text in Environment().lex(template))
    except TemplateSyntaxError:
        return False  # rendering it fails too, with an error that says why


def clock_of(day: date) -> Callable[[str], str]:
    """What a template may call as `strftime_now`: midnight of this day in the requested format."""
    return datetime.combine(day, time()).strftime
