import pytest

from curate.errors import RowError
from curate.readers.parts.transcripts import is_transcript, parse_prompt, parse_transcript


def test_turns_are_stripped_and_keep_their_empty_lines():
    assert parse_transcript("\n\nHuman: hi \n\nyou\n\nAssistant:  yes\n\n\n\nHuman:\n\nAssistant: ") == [
        {"role": "user", "content": "hi \n\nyou"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": ""},
    ]


def test_a_marker_within_a_line_is_text():
    assert len(parse_transcript("\n\nHuman: he said\nHuman: no. Assistant: why\n\nAssistant: x")) == 2


USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
SYSTEM = {"role": "system", "content": "S."}


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("\n\nHuman: q\n\nAssistant:", [USER]),
        ("\n\nHuman: q", [USER]),
        ("Human: q\n\nAssistant:", [USER]),
        ("Human: q Assistant:", [USER]),
        ("User: q\nAssistant: a\nUser: q\nAssistant:", [USER, ANSWER, USER]),
        ("### Human: q\n### Assistant:", [USER]),
        ("USER: q ASSISTANT:", [USER]),
        ("S. USER: q ASSISTANT:", [SYSTEM, USER]),
        ("S.\n\nUSER: q\nASSISTANT:", [SYSTEM, USER]),
        ("S. USER: q ASSISTANT: a</s>USER: q ASSISTANT:", [SYSTEM, USER, ANSWER, USER]),
        ("<s>USER: q ASSISTANT: a </s> USER: q ASSISTANT: ", [USER, ANSWER, USER]),
        ("S.\n\nHuman: q\n\nAssistant:", [SYSTEM, USER]),
        ("S. \n\nHuman: q\n\nAssistant: a\n\nHuman: q \n\nAssistant: ", [SYSTEM, USER, ANSWER, USER]),
        ("System: S.\n\nHuman: q\n\nAssistant:", [SYSTEM, USER]),
        ("### Human: q### Assistant: a### Human: q### Assistant:", [USER, ANSWER, USER]),
        ("Human: q\n\nAssistant: a\n\nHuman: q", [USER, ANSWER, USER]),
        ("Human: q\n\nAssistant: a\n\nSum this dialogue up.", None),
        ("User: q", None),
        ("Name an Assistant:", None),
        ("q", None),
    ],
)
def test_prompts_lose_their_open_turn(text, turns):
    found = parse_prompt(text)
    assert (found and found[0]) == turns


@pytest.mark.parametrize(
    ("parse", "text", "reason"),
    [
        (parse_transcript, "hello", "no turns"),
        (parse_transcript, "so\n\nHuman: q", "text before"),
        (parse_prompt, "\n\nHuman: q\n\nAssistant: Sure,", "within a turn"),
        (parse_prompt, "\n\nAssistant:", "no prompt"),
        (parse_prompt, "User: q\nUser: q\nAssistant:", "do not alternate"),
        (parse_prompt, "User: q Assistant: a User: q Assistant:", "within a line"),
        (parse_prompt, "<|unheard_of|>q", "not known"),
        (parse_prompt, "A chat with an assistant. Human: q Assistant:", "text before"),
        (parse_prompt, "USER: q ASSISTANT: a USER: q ASSISTANT:", "within a line"),
        (parse_prompt, "USER: what is 'ASSISTANT: a'? ASSISTANT:", "within a line"),
        (parse_prompt, "Say USER: or ASSISTANT: USER: q ASSISTANT:", "text before"),
        (parse_prompt, "USER: q ASSISTANT: Human: a</s>USER: q ASSISTANT:", "within a line"),
        (parse_prompt, "USER: ASSISTANT: a</s>USER: q ASSISTANT:", "within a line"),
    ],
)
def test_bad_transcripts(parse, text, reason):
    with pytest.raises(RowError, match=reason):
        parse(text)


def test_is_transcript_takes_anything():
    assert is_transcript("\n\nHuman: q")
    assert not any(is_transcript(value) for value in ("Human: q", "", None, 3, ["\n\nHuman:"]))
