import pytest

from curate.errors import InputError
from curate.readers import detect
from curate.readers.reading import MOST_NAMES, Reading, listed, what_is_read

PAIR = {"prompt": "Which river is long?", "chosen": "The Loire.", "rejected": "The Seine."}
PNG = b"\x89PNG\r\n\x1a\n0000"


def reading(*rows, named=()):
    return what_is_read(detect(rows), rows, named)


def test_columns_are_those_that_the_layout_looks_into():
    row = {"id": 7, **PAIR, "chosen_rating": 4.0, "rejected_rating": 2.0, "source": "web", "my_score": 0.5}
    assert reading(row) == Reading(
        ("prompt", "chosen", "rejected", "chosen_rating", "rejected_rating"), ("id", "source", "my_score"), ()
    )
    assert reading(row, named=["my_score"]).unread == ("id", "source")


def test_columns_keep_the_tables_own_names():
    rows = [{"Id": 1, "Prompt": "Which river?", "Chosen": "a b", "Rejected": "c d"}]
    assert reading(*rows) == Reading(("Prompt", "Chosen", "Rejected"), ("Id",), ())


def test_a_column_is_read_where_one_row_needs_it_and_bad_rows_say_nothing():
    rows = [PAIR, PAIR | {"system": "Be brief."}, PAIR | {"chosen": None, "odd": 1}]
    assert reading(*rows) == Reading(("prompt", "chosen", "rejected", "system"), (), ())


def test_what_this_tool_writes_itself_is_not_listed():
    row = PAIR | {"pair_id": "x", "dcrm": 1.0, "flags": ["tie"], "edit_distance": 3, "weight": 1.0}
    assert reading(row).unread == ("weight",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("persona", "You are a pirate."),
        ("system_text", "Answer in French."),
        ("SystemText", "Answer in French."),
        ("sys", "Answer in French."),
        ("few_shot_examples", ["Q: one? A: two", "x"]),
        ("earlier_dialogue", [{"who": "a", "text": "hello there"}]),
        ("background", '{"facts": ["The Loire is long."]}'),
        ("reference_documents", [["The Loire has 1,006 km."]]),
        ("user-context", "He lives in Tours."),
        ("apis", [{"name": "f", "parameters": {}}]),
        ("function", '[{"type": "function", "function": {"name": "f", "parameters": {}}}]'),
        ("abilities", [{"name": "f", "input_schema": {"type": "object"}}]),
    ],
)
def test_a_column_that_may_belong_to_the_prompt_is_told(name, value):
    found = reading(PAIR, PAIR | {name: value})
    assert found.doubtful == (name,) and name in found.unread
    (note,) = found.notes()
    assert note.startswith(f"warning: {name} was not read") and "system_prompt" in note


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("conversation_id", "a b c"),
        ("context_length", 2048),
        ("num_turns", "two or more"),
        ("labelling_prompt", "Rate these answers."),
        ("tool_names", ["a b"]),
        ("persona", "pirate"),
        ("persona", None),
        ("background", []),
        ("earlier_dialogue", {"text": None}),
        ("dialogue_text", "Which  river\nis long?"),
        ("dialogue_text", ["Which river is long?", "The Loire."]),
        ("source", "a text of several words"),
    ],
)
def test_what_cannot_belong_to_it_or_says_nothing_new_is_not(name, value):
    found = reading(PAIR | {name: value})
    assert (found.doubtful, found.notes()) == ((), [])
    assert name in found.unread


@pytest.mark.parametrize(
    "value",
    [PNG, b"\xff\xd8\xff\xe0", {"bytes": PNG, "path": None}, [{"bytes": b"RIFF", "path": "a.wav"}]],
    ids=["png", "jpeg", "of the datasets library", "a list of them"],
)
def test_images_under_any_name_are_refused(value):
    with pytest.raises(InputError, match="The column seen holds images") as caught:
        reading(PAIR, PAIR | {"seen": value})
    assert "Drop the column" in caught.value.hint


@pytest.mark.parametrize("value", [b"abc", {"bytes": None, "path": "a"}, {"bytes": 3}, [1, 2]])
def test_other_bytes_and_structs_are_not_images(value):
    assert reading(PAIR | {"seen": value}).unread == ("seen",)


def test_many_names_are_cut():
    assert listed(["a", "b"]) == "a, b"
    assert listed([f"c{i}" for i in range(MOST_NAMES + 5)]).endswith(f"c{MOST_NAMES - 1} and 5 more")


def test_several_are_told_in_one_note():
    (note,) = reading(PAIR | {"persona": "A pirate.", "background": "On a ship."}).notes()
    assert note.startswith("warning: persona, background were not read")
