import pytest

from curate.errors import RowError
from curate.readers import detect

START = "\n\nHuman: hi\n\nAssistant: hello \n\nHuman: so?"


def test_golden(layouts):
    row = {"chosen": f"{START}\n\nAssistant: good\n", "rejected": f"{START}\n\nAssistant: bad"}
    assert detect([row]) == layouts["transcript"]
    record = layouts["transcript"].parse(row)
    assert record.prompt == (
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "so?"},
    )
    assert record.responses == ("good", "bad") and record.pair == (0, 1) and record.measured == {}


def test_a_prompt_beside_whole_transcripts_changes_nothing(layouts):
    row = {"chosen": f"{START}\n\nAssistant: good", "rejected": f"{START}\n\nAssistant: bad"}
    assert detect([row | {"prompt": START}]).parse(row | {"prompt": START}) == layouts["transcript"].parse(row)


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [
        (f"{START}\n\nAssistant: a", START, "does not end"),
        (f"{START}\n\nAssistant: a", f"Note{START}\n\nAssistant: a", "text before"),
        (f"{START}\n\nAssistant: a", "\n\nHuman: hi\n\nAssistant: a", "same context"),
        ("\n\nAssistant: a", "\n\nAssistant: b", "no prompt"),
        ("words", "words", "no turns"),
        (3, "words", "not text"),
        (None, "words", "missing"),
    ],
)
def test_bad_rows(layouts, chosen, rejected, reason):
    with pytest.raises(RowError, match=reason):
        layouts["transcript"].parse({"chosen": chosen, "rejected": rejected})
