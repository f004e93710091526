from datetime import date
from pathlib import Path

import pytest

from curate.tokens import HubTokenizer
from curate.tokens.dates import clock_of, prints_date
from tests.chat import PLAIN, save_tokenizer, user

FIRST = date(2024, 3, 5)
# As Llama 3.2 and SmolLM3 ask for the day, and as Llama 3.1 names one without asking.
LLAMA_32 = (
    "{%- if not date_string is defined %}{%- if strftime_now is defined %}"
    "{%- set date_string = strftime_now('%d %b %Y') %}{%- else %}{%- set date_string = '26 Jul 2024' %}"
    "{%- endif %}{%- endif %}{{- 's:' + date_string + '\n' }}" + PLAIN
)
SMOL_3 = "{%- set today = strftime_now('%d %B %Y') -%}{{ 's:' + today + '\n' }}" + PLAIN
LLAMA_31 = (
    "{%- if not date_string is defined %}{%- set date_string = '26 Jul 2024' %}{%- endif %}"
    "{{- 's:' + date_string + '\n' }}" + PLAIN
)


@pytest.mark.parametrize(
    ("template", "asks"),
    [
        (LLAMA_32, True),
        (SMOL_3, True),
        (LLAMA_31, False),
        (PLAIN, False),
        ("{# strftime_now() would say the day #}" + PLAIN, False),
        ("strftime_now" + PLAIN, False),
        ("{{ 'strftime_now' }}" + PLAIN, False),
        ("{{ strftime_now_and_then }}", False),
        ("{{ ) strftime_now(", False),
        ("", False),
    ],
)
def test_which_templates_print_the_date(template: str, asks: bool) -> None:
    assert prints_date(template) is asks


def test_the_clock_stands_at_midnight() -> None:
    assert clock_of(FIRST)("%d %b %Y, %A, %H:%M:%S") == "05 Mar 2024, Tuesday, 00:00:00"


@pytest.mark.parametrize(("template", "day"), [(LLAMA_32, "05 Mar 2024"), (SMOL_3, "05 March 2024")])
def test_a_fixed_day_is_printed(tmp_path: Path, template: str, day: str) -> None:
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, template))
    assert tokenizer.day is None
    tokenizer.fix_day(FIRST)
    assert tokenizer.day == FIRST
    assert tokenizer.template(user("hi"), True) == f"s:{day}\nu:hi\na:"


def test_other_templates_know_no_day(tmp_path: Path) -> None:
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, LLAMA_31))
    before = tokenizer.template(user("hi"), True)
    tokenizer.fix_day(FIRST)
    assert (tokenizer.day, tokenizer.template(user("hi"), True)) == (None, before)
    assert before.startswith("s:26 Jul 2024\n")


def test_of_several_templates_the_one_that_is_used_counts(tmp_path: Path) -> None:
    tokenizer = HubTokenizer(save_tokenizer(tmp_path, PLAIN))
    tokenizer.fix_day(FIRST)
    tokenizer._tokenizer.chat_template = {"default": PLAIN, "tool_use": SMOL_3}
    assert tokenizer.day is None
    tokenizer._tokenizer.chat_template = {"default": SMOL_3, "tool_use": PLAIN}
    assert tokenizer.day == FIRST
