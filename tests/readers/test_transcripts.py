import pytest

from curate.errors import RowError
from curate.readers.transcripts import is_transcript, parse_prompt, parse_transcript


def test_turns_are_stripped_and_keep_their_empty_lines():
    assert parse_transcript("\n\nHuman: hi \n\nyou\n\nAssistant:  yes\n\n\n\nHuman:\n\nAssistant: ") == [
        {"role": "user", "content": "hi \n\nyou"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": ""},
    ]


def test_a_marker_within_a_line_is_text():
    assert len(parse_transcript("\n\nHuman: he said\nHuman: no. Assistant: why\n\nAssistant: x")) == 2


def test_prompt_loses_its_open_turn():
    user = {"role": "user", "content": "q"}
    assert parse_prompt("\n\nHuman: q\n\nAssistant:") == [user]
    assert parse_prompt("\n\nHuman: q") == [user]


@pytest.mark.parametrize(
    ("parse", "text", "reason"),
    [
        (parse_transcript, "hello", "no turns"),
        (parse_transcript, "so\n\nHuman: q", "text before"),
        (parse_prompt, "\n\nHuman: q\n\nAssistant: Sure,", "within a turn"),
        (parse_prompt, "\n\nAssistant:", "no prompt"),
    ],
)
def test_bad_transcripts(parse, text, reason):
    with pytest.raises(RowError, match=reason):
        parse(text)


def test_is_transcript_takes_anything():
    assert is_transcript("\n\nHuman: q")
    assert not any(is_transcript(value) for value in ("Human: q", "", None, 3, ["\n\nHuman:"]))
