import pyarrow.parquet as pq
import pytest

from curate.errors import InputError, RowError
from curate.readers import detect
from tests.commands.helpers import run_pair, run_score, write_jsonl


def row(prompt, response, **more):
    return {"prompt": prompt, "response": response, **more}


ROWS = [
    row("q", "fine", score=3, source="x"),
    row("p", "so so", score=2, source="x"),
    row("q", "bad", score=1, source="y"),
    row("q", "unrated", score="N/A", source="y"),
    row("p", "good", score=4, source="y"),
]


def test_a_row_is_one_candidate(layouts):
    assert detect(ROWS) == layouts["long"]
    record = layouts["long"].parse(ROWS[0] | {"model": "m"})
    assert record.responses == ("fine",) and record.pair is None
    assert record.measured == {"reward": (3.0,), "model": ("m",)}


def test_a_prompts_rows_are_paired_wherever_they_are(tmp_path):
    run_pair(write_jsonl(tmp_path / "l.jsonl", ROWS), tmp_path / "o.parquet", strategy="max-min")
    made = [(r["chosen"][-1]["content"], r["rejected"][-1]["content"], r["reward_margin"]) for r in rows_of(tmp_path)]
    assert made == [("fine", "bad", 2.0), ("good", "so so", 2.0)]


def test_the_scored_table_is_read_as_candidates_with_the_same_rewards(tmp_path):
    run_score(write_jsonl(tmp_path / "l.jsonl", ROWS), tmp_path / "s.parquet")
    run_pair(tmp_path / "s.parquet", tmp_path / "o.parquet", strategy="max-min")
    assert [r["reward_margin"] for r in rows_of(tmp_path)] == [2.0, 2.0]


def rows_of(folder):
    return pq.read_table(folder / "o.parquet").to_pylist()


@pytest.mark.parametrize(
    "rows",
    [
        [row("q", "a", score=1), row("p", "b", score=2)],
        [row("q", "a", score=1), row("q", "a", score=1)],
        [row("q", "a", label=1), row("q", "b", label=0)],
        [row("q", "a", score=True), row("q", "b", score=False)],
    ],
    ids=["one response each", "one response twice", "labels", "truth values"],
)
def test_rows_that_cannot_be_compared_are_refused(rows):
    with pytest.raises(InputError, match="the rows are not paired"):
        detect(rows)


def test_a_row_without_its_response_is_rejected(layouts):
    with pytest.raises(RowError, match="the response is missing"):
        layouts["long"].parse({"prompt": "q", "score": 1})
