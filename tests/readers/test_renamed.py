"""`--columns`: columns of any name are read as what the user says they are, and nothing is guessed."""

import pyarrow.parquet as pq
import pytest

from curate.errors import InputError, SettingsError
from curate.jobs.inspect import InspectSettings, inspect
from curate.progress import Silent
from curate.readers import detect, first_rows, open_source
from curate.settings import ScoreSettings, make
from tests.commands.helpers import read_manifest, run_pair, run_score, write_jsonl
from tests.exporters.golden import run_export

ROWS = [{"ask": f"q{i}", "first": f"good {i}", "second": f"bad {i}", "topic": "x"} for i in range(4)]
NAMED = {"prompt": "ask", "chosen": "first", "rejected": "second"}
BATTLES = [
    {"ask": "q", "one": "a", "other": "b", "who_is_better": verdict} for verdict in ("one", "other", "tie", "one")
]


@pytest.fixture
def data(tmp_path):
    return write_jsonl(tmp_path / "d.jsonl", ROWS)


@pytest.mark.parametrize(
    "given",
    [NAMED, "prompt=ask, chosen=first,rejected=second", ["prompt=ask", "chosen=first,rejected=second"]],
    ids=["mapping", "text", "several texts"],
)
def test_named_columns_are_read(data, given):
    settings = make(InspectSettings, {"data": (str(data),), "columns": given})
    assert settings.columns == NAMED
    found = inspect(settings, Silent())
    assert found.rows == 4 and found.layout.name == "explicit"
    assert found.reading.read == ("prompt", "chosen", "rejected") and found.reading.unread == ("topic",)


@pytest.mark.parametrize("given", ["prompt", "=ask", "prompt=", "prompt=ask,prompt=first"])
def test_other_forms_are_refused(given):
    with pytest.raises(SettingsError, match=r"NAME=COLUMN|given twice"):
        make(InspectSettings, {"data": ("d",), "columns": given})


@pytest.mark.parametrize(
    ("columns", "message", "hint"),
    [
        ({"prompt": "aks"}, "The data has no column aks", "Did you mean ask"),
        ({"promt": "ask"}, "No layout reads a column promt", "Did you mean prompt"),
        ({"prompt": "ask", "chosen": "first", "rejected": "first"}, "The column first is named twice", "once"),
    ],
)
def test_what_names_nothing_is_refused(data, columns, message, hint):
    with pytest.raises(SettingsError, match=message) as raised:
        open_source([str(data)], columns)
    assert hint in str(raised.value) and raised.value.setting == "columns"


@pytest.mark.parametrize("taken", ["prompt", "Prompt"])
def test_a_name_that_the_data_already_has_is_refused(tmp_path, taken):
    rows = [row | {taken: "a template"} for row in ROWS]
    with pytest.raises(SettingsError, match="already has a column prompt"):
        open_source([str(write_jsonl(tmp_path / "d.jsonl", rows))], NAMED)


def test_a_later_file_with_both_columns_is_refused(tmp_path, data):
    more = write_jsonl(tmp_path / "more.jsonl", [row | {"prompt": "p"} for row in ROWS])
    with pytest.raises(SettingsError, match="already has a column prompt"):
        open_source([str(data), str(more)], NAMED)
    write_jsonl(data, ROWS * 100)
    with pytest.raises(InputError, match="next to the one that is to be read as prompt"):
        list(open_source([str(data), str(more)], NAMED).chunks(100))


@pytest.mark.parametrize(
    "rows",
    [
        BATTLES,
        [{"ask": "q", "left": "a", "right": "b", "label": n} for n in (1, 2, 1)],
        [{"ask": "q", "left": "a", "right": "b", "preference_strength": n} for n in (-1, 0, 3)],
        [{"ask": "q", "response_a": "a", "response_b": "b", "score_a": 1, "score_b": n} for n in (0, 2)],
    ],
    ids=["winner", "label", "strength", "scores"],
)
def test_no_column_of_ab_data_is_chosen_throughout(tmp_path, rows):
    first, second = list(rows[0])[1:3]
    path = write_jsonl(tmp_path / "ab.jsonl", rows)
    with pytest.raises(SettingsError, match="The data is A/B"):
        open_source([str(path)], {"prompt": "ask", "chosen": first, "rejected": second})


def test_a_column_that_only_sounds_like_a_verdict_is_no_verdict(tmp_path):
    rows = [row | {"label": "geography"} for row in ROWS] + [ROWS[0] | {"label": "history"}]
    assert open_source([str(write_jsonl(tmp_path / "d.jsonl", rows))], NAMED).head[0]["chosen"] == "good 0"


def test_the_columns_of_ab_data_can_be_named(tmp_path):
    columns = {"prompt": "ask", "response_a": "one", "response_b": "other", "winner": "who_is_better"}
    source = open_source([str(write_jsonl(tmp_path / "ab.jsonl", BATTLES))], columns)
    layout = detect(first_rows(source))
    assert layout.name == "choice"
    assert [layout.parse(row).responses for row in source.head[:2]] == [("a", "b"), ("b", "a")]


def test_errors_say_how_to_name_columns_and_never_to_rename_those_of_ab_data(tmp_path):
    with pytest.raises(InputError, match=r"columns`? prompt=COLUMN,chosen=COLUMN,rejected=COLUMN"):
        detect(ROWS)
    with pytest.raises(InputError, match="response_a=COLUMN,response_b=COLUMN,winner=who_is_better") as raised:
        detect(BATTLES)
    assert "ename" not in str(raised.value) and "chosen=COLUMN" not in str(raised.value)
    with pytest.raises(InputError, match="winner=COLUMN") as raised:
        detect([{"prompt": "q", "response_a": "a", "response_b": "b"}])
    assert "ename" not in str(raised.value)


def test_the_output_is_read_without_naming_them_again(tmp_path, data):
    run_score(data, tmp_path / "s.parquet", columns=NAMED)
    assert pq.read_schema(tmp_path / "s.parquet").names[:4] == ["prompt", "chosen", "rejected", "topic"]
    assert run_score(tmp_path / "s.parquet", tmp_path / "again.parquet").rows == 4
    for name, source, more in (("e1", tmp_path / "s.parquet", {}), ("e2", data, {"columns": NAMED})):
        assert run_export(source, tmp_path / name, "trl", **more).rows == 4
    files = [pq.read_table(tmp_path / name / "train.parquet").to_pylist() for name in ("e1", "e2")]
    assert files[0] == files[1]


def test_the_columns_decide_the_result_and_are_in_the_manifest(tmp_path, data):
    swapped = {"prompt": "ask", "chosen": "second", "rejected": "first"}
    run_score(data, tmp_path / "s.parquet", columns=NAMED)
    assert read_manifest(tmp_path / "s.parquet")["settings"]["columns"] == NAMED
    run_score(data, tmp_path / "s.parquet", columns=swapped)
    assert pq.read_table(tmp_path / "s.parquet")["chosen"][0].as_py() == "bad 0"


def test_named_lists_of_rejected_responses_are_spread(tmp_path):
    rows = [{"ask": "q", "first": "good", "second": ["bad", "worse"]}]
    result = run_score(write_jsonl(tmp_path / "d.jsonl", rows), tmp_path / "s.parquet", columns=NAMED)
    assert result.rows == 2


def test_candidates_may_be_named_too(tmp_path):
    rows = [{"ask": f"q{i}", "texts": ["a", "b"], "points": [1, 2]} for i in range(2)]
    columns = {"prompt": "ask", "responses": "texts", "rewards": "points"}
    run_pair(write_jsonl(tmp_path / "c.jsonl", rows), tmp_path / "p.parquet", strategy="max-min", columns=columns)
    assert [r["reward_margin"] for r in pq.read_table(tmp_path / "p.parquet").to_pylist()] == [1.0, 1.0]


def test_without_the_option_the_manifest_is_as_before(tmp_path):
    settings = make(ScoreSettings, {"data": ("d",), "out": tmp_path / "o.parquet"})
    assert settings.columns == {} and settings.ties == "drop"
