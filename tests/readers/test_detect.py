import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import InputError, RowError
from curate.readers import all_layouts, detect, open_source
from curate.schema import Record
from tests.examples import examples

MESSAGES = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
SIMPO = {
    "prompt": "q",
    "all_generated_responses": ["a"],
    "all_rm_scores": [1.0],
    "chosen": MESSAGES,
    "rejected": MESSAGES,
}

KEYS = ["role", "content", "from", "value", "type", "text", "tool_calls"]
WORDS = st.sampled_from(
    [
        *("user", "assistant", "human", "gpt", "", "[", "[1]", "\n\nHuman: q\n\nAssistant: a", "\n\nHuman: q"),
        *('[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]', "NaN", "[" * 9),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=4)
MESSAGE = st.dictionaries(st.sampled_from(KEYS), LEAVES, max_size=3)
JSON = st.recursive(
    LEAVES | MESSAGE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
COLUMNS = [
    *("context", "tools", "images", "response_a", "response_b", "winner", "completions", "answers", "choice", "ranks"),
    *("response_1", "response_2", "response_3", "preference_strength", "rejected_response", "info", "system_prompt"),
    *("prompt", "question", "input", "instruction", "history", "system", "messages", "conversations"),
    *(
        "chosen",
        "rejected",
        "reject",
        "responses",
        "generations",
        "rewards",
        "scores",
        "rewards_x",
        "tokens",
        "truncated",
    ),
    *("finish_reasons", "all_generated_responses", "all_rm_scores", "chosen_reward", "reject_reward", "score_chosen"),
    *("score_rejected", "chosen_reward_x", "rejected_reward_x", "chosen_tokens", "rejected_tokens"),
]
ROW = st.dictionaries(st.sampled_from(COLUMNS), JSON, max_size=8)


@examples(3)
@given(ROW)
def test_layouts_are_total(row):
    for layout in all_layouts():
        assert layout.matches([row]) in (True, False)
        try:
            record = layout.parse(row)
        except RowError as error:
            assert str(error)
            continue
        assert isinstance(record, Record) and record.prompt and record.responses
        assert all(set(message) == {"role", "content"} for message in record.prompt)
        assert all(isinstance(text, str) for text in record.responses)
        assert record.pair is not None or layout.kind == "candidates"
        assert all(len(values) == len(record.responses) for values in record.measured.values())


def test_every_file_of_the_room_is_found_in_order():
    found = all_layouts()
    names = {"responses", "simpo", "sharegpt", "implicit", "transcript", "explicit", "choice", "wide", "ranked"}
    assert {layout.name for layout in found} == names | {"structs", "rejection", "long", "indexed", "indexed_from_1"}
    assert [layout.priority for layout in found] == sorted(layout.priority for layout in found)


@pytest.mark.parametrize(("prefer", "name"), [(None, "simpo"), ("candidates", "simpo"), ("pairs", "implicit")])
def test_data_that_is_both(prefer, name):
    assert detect([SIMPO], prefer).name == name


def test_pairs_read_the_scores_of_simpo():
    assert detect([SIMPO], "pairs").parse(SIMPO).measured == {"reward": (1.0, 1.0)}


def test_preference_is_no_demand():
    assert detect([{"chosen": MESSAGES, "rejected": MESSAGES}], "candidates").name == "implicit"


def test_the_tools_own_list_wins():
    assert detect([SIMPO | {"responses": ["a"]}]).name == "responses"


def test_some_bad_rows_do_not_hide_the_layout():
    good = {"chosen": MESSAGES, "rejected": MESSAGES}
    assert detect([{"chosen": None, "rejected": None}, {"chosen": 1, "rejected": 2}, good]).name == "implicit"


@pytest.mark.parametrize("sample", [[], [{"a": 1, "b": 2}]])
def test_nothing_fits(sample):
    with pytest.raises(InputError) as caught:
        detect(sample)
    assert all(str(column) in caught.value.where for row in sample for column in row)
    assert "sharegpt" in caught.value.hint and caught.value.where


@pytest.mark.parametrize(
    ("name", "layout", "good", "reasons"),
    [
        ("judged_pairs.jsonl.gz", "implicit", 3959, {}),
        ("hh_harmless_test.jsonl.gz", "transcript", 2307, {"the two sides do not share the same context": 5}),
        ("sharegpt_ranking_dpo_en_demo.json", "sharegpt", 300, {}),
        ("judged_candidates.parquet", "simpo", 805, {}),
    ],
)
def test_real_data(real_data, name, layout, good, reasons):
    found, why, count = None, {}, 0
    for chunk in open_source([str(real_data / name)]).chunks(1000):
        assert not chunk.rejects
        found = found or detect(chunk.rows)
        for row in chunk.rows:
            try:
                record = found.parse(row)
            except RowError as error:
                why[str(error)] = why.get(str(error), 0) + 1
                continue
            count += 1
            if layout in ("implicit", "simpo"):
                assert None not in record.measured["reward"]
    assert (found.name, count, why) == (layout, good, reasons)
