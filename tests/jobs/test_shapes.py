"""What is foretold of each step's output, against what the commands then write; and what is refused before they run."""

import json
from contextlib import nullcontext

import pyarrow.parquet as pq
import pytest

from curate.demo.world import make_pairs
from curate.errors import CurateError
from curate.jobs import steps
from curate.metrics.registry import all_metrics
from curate.plan.shape import Shape, joined, look
from curate.progress import Silent
from curate.schema import RESPONSE_FIELDS, table_columns
from curate.settings import make
from tests.recipes.helpers import write_pairs

COMMANDS = steps()
MODELS = {"policy": "fake:1", "reference": "fake:2"}


@pytest.fixture
def place(tmp_path):
    """Pairs as `d.jsonl`, candidates as `c.jsonl`, rows that hold both as `b.jsonl`."""
    write_pairs(tmp_path / "d.jsonl", 12)
    pairs = make_pairs(12, 2)
    texts = [row[side][-1]["content"] for row in pairs for side in ("chosen", "rejected")]
    candidates = [
        {"id": i, "prompt": row["chosen"][:-1], "responses": texts[i : i + 4], "rewards": [1.0, 2.0, 0.5, float(i)]}
        for i, row in enumerate(pairs)
    ]
    both = [
        {**row, "all_generated_responses": texts[i : i + 3], "all_rm_scores": [1.0, 2.0, 3.0]}
        for i, row in enumerate(pairs)
    ]
    for name, rows in (("c", candidates), ("b", both)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def settings_of(name, data, out="o.parquet", **more):
    return make(COMMANDS[name].settings, {"data": (str(data),), "out": out, **more})


def told_and_written(name, data, out, before=None, **more):
    """The foretold shape, and the columns of what the command then writes."""
    command = COMMANDS[name]
    settings = settings_of(name, data, out, **more)
    told = command.shape(settings, before or looked(command, data, settings))
    command.run(settings, Silent())
    return told, set(pq.read_schema(out).names)


def looked(command, data, settings=None):
    return look([str(data)], lambda rows: command.layout(rows, getattr(settings, "rows_as", None)))


def measured(columns):
    """Those that only measuring makes."""
    known = {column.name for column in table_columns()} | set(all_metrics())
    lists = {"responses", "finish_reasons", *(field.candidates for field in RESPONSE_FIELDS)}
    return {name for name in columns if name in known | lists or name.startswith(("chosen_reward_", "rewards_"))}


@pytest.mark.parametrize(
    ("data", "more"),
    [
        ("d", {}),
        ("d", {"reward": ("fake:3",)}),
        ("d", {"reward": ("a=fake:3", "b=columns"), "reward_combine": "zmean"}),
        ("d", {"reward": ("a=fake:3",), **MODELS}),
        ("d", {"policy": "fake:1"}),
        ("d", {"policy": "fake:1", "unconditional": True}),
        ("c", {"policy": "fake:1", "unconditional": True}),
        ("d", {"reward": ("judge:fake:3",), "options": {"judge": {"mode": "pairwise"}}}),
        ("c", {"reward": ("a=judge:fake:3", "columns")}),
        ("d", {"reference": "fake:2", "embedder": "fake:4"}),
        ("b", {"rows_as": "pairs"}),
        ("b", MODELS),
        ("c", {}),
        ("c", {"reward": ("fake:3",), "reference": "fake:2"}),
        ("b", {"rows_as": "candidates", "reward": ("a=fake:3", "fake:4")}),
    ],
)
def test_scored_columns_are_foretold(place, data, more):
    told, written = told_and_written("score", place / f"{data}.jsonl", place / "o.parquet", **more)
    # of finish_reasons is only known that they may be there
    assert measured(told.columns) - {"finish_reasons"} == measured(written) - {"finish_reasons"}
    assert written <= told.columns
    assert told.kind == ("candidates" if data == "c" or more.get("rows_as") == "candidates" else "pairs")


@pytest.mark.parametrize(
    ("data", "more"),
    [
        ("c", {}),
        ("c", {"strategy": "max-min"}),
        ("c", {"reward": ("fake:3",), **MODELS, "by": "simpo_margin"}),
        ("c", {"embedder": "fake:4", "options": {"dcrm": {"distance": "embedding"}}}),
        ("b", {}),
        ("d", {}),
        ("d", {"reference": "fake:2"}),
    ],
)
def test_paired_columns_are_foretold(place, data, more):
    told, written = told_and_written("pair", place / f"{data}.jsonl", place / "o.parquet", **more)
    assert measured(told.columns) - {"responses", "rewards", "finish_reasons"} == measured(written)
    assert written <= told.columns


@pytest.mark.parametrize("data", ["d", "c", "b", "p"])
def test_drawn_columns_are_foretold(place, data):
    (place / "p.jsonl").write_text('{"question": "what?", "source": "x"}\n')
    shape, written = told_and_written("generate", place / f"{data}.jsonl", place / "g.parquet", policy="fake:1")
    assert written <= shape.columns
    assert (shape.kind, shape.known) == ("candidates", True)
    settings = settings_of("score", place / "g.parquet", place / "s.parquet", reward=("fake:2",))
    foretold = COMMANDS["score"].shape(settings, shape)
    _, written = told_and_written("score", place / "g.parquet", place / "s.parquet", shape, reward=("fake:2",))
    assert foretold.fields >= {"reward"}
    assert written <= foretold.columns


def test_columns_are_foretold_through_several_steps(place):
    shape, _ = told_and_written("score", place / "b.jsonl", place / "1.parquet", rows_as="candidates", **MODELS)
    shape, written = told_and_written("pair", place / "1.parquet", place / "2.parquet", shape, by="dcrm")
    assert written <= shape.columns
    shape, written = told_and_written("select", place / "2.parquet", place / "3.parquet", shape, preset="easy-first")
    assert written <= shape.columns
    shape, written = told_and_written("weigh", place / "3.parquet", place / "4.parquet", shape, method="bpo")
    assert not shape.lacks("bpo_margin")
    assert not shape.lacks("anything")


REFUSED = [
    ("score", "d", {"options": {"bees": {"low": "-3"}}}, "policy"),
    ("score", "c", {"embedder": "fake:1"}, "candidates"),
    ("score", "d", {"policy": "fake:1", "options": {"ifd": {}}}, "--unconditional"),
    ("pair", "c", {"by": "simpo_margin"}, "policy"),
    ("pair", "c", {"options": {"dcrm": {"distance": "logp"}}}, "reference"),
    ("pair", "n", {"strategy": "max-min"}, "max-min"),
    ("select", "d", {"by": "bees", "top": "10%"}, "bees"),
    ("select", "d", {"preset": "rip"}, "rip"),
    ("select", "d", {"by": "score_chose", "top": "10%"}, "score_chosen"),
    ("select", "d", {"by": "score_chosen", "top": "10%", "per": "sorce"}, "sorce"),
    ("select", "d", {"by": "score_chosen", "top": "10%", "where": "scor > 1"}, "scor"),
    ("select", "d", {"by": "score_chosen", "top": "10%", "where": "(select 1)"}, "query"),
    ("weigh", "d", {"method": "repo"}, "policy"),
    ("weigh", "d", {"method": "madpo"}, "reward"),
    ("export", "c", {"to": "trl"}, "candidates"),
    ("score", "c", {"add_flags": "contradiction"}, "candidates"),
    ("select", "d", {"drop_flags": "tie"}, "no column flags"),
]


@pytest.mark.parametrize(("name", "data", "more", "told"), REFUSED)
def test_what_the_data_cannot_give_is_refused(place, name, data, more, told):
    (place / "n.jsonl").write_text('{"prompt": "p", "responses": ["a", "b"]}\n')
    command = COMMANDS[name]
    settings = settings_of(name, place / f"{data}.jsonl", **more)
    with pytest.raises(CurateError) as caught:
        command.shape(settings, looked(command, place / f"{data}.jsonl"))
    assert told in str(caught.value)
    # the command itself refuses the same
    with pytest.raises(CurateError):
        command.run(settings.model_copy(update={"out": place / "o.parquet"}), Silent())


@pytest.mark.parametrize(("name", "data", "more", "told"), [one for one in REFUSED if one[0] in ("select", "weigh")])
def test_where_nothing_is_known_the_step_is_believed(name, data, more, told):
    if more.get("where") != "(select 1)":
        COMMANDS[name].shape(settings_of(name, "anything", **more), Shape())


@pytest.mark.parametrize(("flag", "refused"), [("near_duplicat", True), ("near_duplicate", False), ("mine", False)])
def test_a_misspelt_flag_is_refused_before_any_step_runs(flag, refused):
    shape, settings = Shape(columns=frozenset({"flags"})), settings_of("select", "anything", drop_flags=flag)
    with pytest.raises(CurateError, match="Did you mean near_duplicate") if refused else nullcontext():
        COMMANDS["select"].shape(settings, shape)


def test_a_column_that_comes_late_in_the_data_is_found(place):
    rows = [json.loads(line) for line in (place / "d.jsonl").read_text().splitlines()] * 60
    rows[-1] = {**rows[-1], "late": 1.0}
    (place / "late.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shape = looked(COMMANDS["select"], place / "late.jsonl")
    assert "late" not in shape.columns
    settings = settings_of("select", place / "late.jsonl", by="late", above=0.0)
    assert "late" in COMMANDS["select"].shape(settings, shape).columns


def test_tables_read_together_have_the_columns_of_all(place):
    shapes = [looked(COMMANDS["score"], place / f"{name}.jsonl") for name in "dc"]
    both = joined(shapes)
    assert both.columns == shapes[0].columns | shapes[1].columns
    assert not both.known
    assert joined(shapes[:1]) is shapes[0]
