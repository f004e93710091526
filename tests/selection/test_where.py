from __future__ import annotations

import http.server
import math
import threading
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from curate.errors import CurateError, SettingsError
from curate.selection.where import condition
from tests.examples import examples

NAN = float("nan")
FRAME = pl.DataFrame(
    {
        "x": [1.0, 2.5, None, NAN, -3.0],
        "n": [1, 2, 3, None, -5],
        "s": ["abc", "A%c", None, "", "x_y"],
        "t": [True, False, None, True, False],
        "flags": [["tie", "short"], [], None, ["tie"], [None, "short"]],
        "scores": [[1.0, 2.0], [NAN, 4.0], None, [], [NAN]],
        "st": [{"k": 1, "z": NAN}, {"k": 2, "z": 0.5}, None, {"k": None, "z": 2.0}, {"k": 5, "z": None}],
        "messages": [
            [{"role": "user", "content": "hi"}],
            [],
            None,
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
            [{"role": "system", "content": "c"}],
        ],
        "a b": [1, 2, 3, 4, 5],
        "x.y": [5, 4, 3, 2, 1],
        "subplan": ["subplan", "", None, "a subplan", "b"],
        "day": [date(2024, 1, 1), date(2025, 2, 3), None, date(2025, 12, 31), date(2023, 1, 1)],
        "empty": pl.Series([None] * 5, dtype=pl.Null),
    }
)


def kept(where: str, frame: pl.DataFrame = FRAME) -> list[int]:
    return condition(where).holds(frame).arg_true().to_list()


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("x > 1", [1]),
        ("NOT x > 1", [0, 4]),
        ("x <> 1", [1, 4]),
        ("x = x", [0, 1, 4]),
        ("x IS NULL", [2, 3]),
        ("x IS NOT NULL", [0, 1, 4]),
        ("t", [0, 3]),
        ("NOT t", [1, 4]),
        ("t IS NOT TRUE", [1, 2, 4]),
        ("t IS UNKNOWN", [2]),
        ("x IS NOT DISTINCT FROM NULL", [2, 3]),
        ("x > 1 OR t", [0, 1, 3]),
        ("x > 1 AND NULL", []),
        ("x > 1 OR NULL", [1]),
        ("x > 100 AND NULL OR n = 1", [0]),
        ("x IN (1, 2.5)", [0, 1]),
        ("x IN (1, NULL)", [0]),
        ("x NOT IN (1, NULL)", []),
        ("x NOT IN (1)", [1, 4]),
        ("n IN (1.5)", []),
        ("s IN ('abc', 'x_y')", [0, 4]),
        ("s NOT IN ('abc')", [1, 3, 4]),
        ("x BETWEEN -3 AND 1", [0, 4]),
        ("x NOT BETWEEN -3 AND 1", [1]),
        ("s LIKE 'a%'", [0]),
        ("s NOT LIKE 'a%'", [1, 3, 4]),
        ("s ILIKE 'A%'", [0, 1]),
        ("s LIKE '%\\%%'", []),
        ("s LIKE '__c'", [0, 1]),
        ("s LIKE 'x.y'", []),
        ("s ~ '^[ax]'", [0, 4]),
        ("s ~* '^a'", [0, 1]),
        ("s !~ '^a'", [1, 3, 4]),
        ("s = 'it''s'", []),
        ("CASE WHEN x > 1 THEN 'high' WHEN x < 0 THEN 'low' ELSE '-' END = 'low'", [4]),
        ("CASE n WHEN 1 THEN true WHEN 2 THEN x > 2 END", [0, 1]),
        ("COALESCE(x, 7) = 7", [2, 3]),
        ("NULLIF(n, 1) IS NULL", [0, 3]),
        ("ABS(x) = 3", [4]),
        ("ROUND(x / 2, 1) = 1.2", [1]),
        ("n % 2 = -1", [4]),
        ("n // 2 = -2", [4]),
        ("MOD(n, 2) = 1 AND DIV(n, 2) = 1", [2]),
        ("n % 0 IS NULL", [0, 1, 2, 3, 4]),
        ("LENGTH(s) = 3 AND LOWER(s) LIKE 'a%'", [0, 1]),
        ("SUBSTR(s, 2) = 'bc' OR SUBSTRING(s, 1, 1) = 'x'", [0, 4]),
        ("STRPOS(s, 'c') = 3", [0, 1]),
        ("LENGTH(s) - 4 < 0", [0, 1, 3, 4]),
        ("-2 * ARRAY_LENGTH(flags) = -4", [0, 4]),
        ("s || '!' = '!'", [3]),
        ("CAST(x AS INT) = 2", [1]),
        ("CAST(n AS TEXT) = '-5'", [4]),
        ("x::text = '1.0'", [0]),
        ("TRY_CAST(s AS DOUBLE) IS NULL", [0, 1, 2, 3, 4]),
        ("day > DATE '2025-01-01' AND MONTH(day) = 2", [1]),
        ("ARRAY_CONTAINS(flags, 'tie')", [0, 3]),
        ("NOT 'tie' = ANY(flags)", [1, 4]),
        ("ARRAY_CONTAINS(flags, NULL)", []),
        ("ARRAY_LENGTH(flags) = 0", [1]),
        ("flags[1] = 'tie' AND flags[-1] = 'tie'", [3]),
        ("flags = ['tie', 'short']", [0]),
        ("messages[1].content = 'hi'", [0]),
        ("st.k > 1", [1, 4]),
        ("st['z'] IS NULL", [0, 2, 4]),
        ('"a b" > 3 AND `x.y` > 1', [3]),
        ("subplan = 'subplan'", [0]),
        ("empty IS NULL AND NOT empty > 1 OR empty = 'a'", []),
        ("empty IS NULL", [0, 1, 2, 3, 4]),
        ("x > 1 -- more than one", [1]),
    ],
)
def test_the_rows_for_which_a_condition_is_true(where: str, rows: list[int]) -> None:
    assert kept(where) == rows


@pytest.mark.parametrize(
    "where",
    [
        "x > 1e9 OR x < 1e9 OR x = x",
        "NOT x < 0",
        "x >= 'NaN'::double",
        "SQRT(x) > 1",
        "LN(x) > 0 OR LN(x) <= 0",
        "x * 0 / 0 <> 1",
        "x % 0 <> 1",
        "GREATEST(x, x) > 1",
        "scores[1] > 0",
        "ARRAY_SUM(scores) <> 0",
        "ARRAY_UPPER(scores) >= 0",
        "st.z > 0",
        "ARRAY_CONTAINS(scores, SQRT(-1))",
        "CASE WHEN x > -9 THEN true END",
    ],
)
def test_a_row_of_nan_is_never_kept(where: str) -> None:
    frame = pl.DataFrame(
        {
            "x": [NAN, NAN],
            "scores": [[NAN], [NAN, NAN]],
            "st": [{"z": NAN}, {"z": NAN}],
        }
    )
    assert kept(where, frame) == []


def test_nan_is_null_in_every_kind_of_column_that_can_hold_one() -> None:
    frame = pl.DataFrame(
        {
            "f32": pl.Series([NAN], dtype=pl.Float32),
            "fixed": pl.Series([[NAN, 1.0]], dtype=pl.Array(pl.Float64, 2)),
            "deep": [[{"inner": {"scores": [NAN]}}]],
        }
    )
    for where in ("f32 IS NULL", "fixed[1] IS NULL", "fixed[2] = 1", "deep[1].inner.scores[1] IS NULL"):
        assert kept(where, frame) == [0], where


@pytest.mark.parametrize("kind", [pl.UInt8, pl.Int8, pl.UInt32, pl.UInt64])
def test_whole_numbers_do_not_wrap(kind: pl.DataType) -> None:
    frame = pl.DataFrame({"n": pl.Series([3, 100], dtype=kind), "l": pl.Series([[3], [100]], dtype=pl.List(kind))})
    assert kept("n - 4 < 0", frame) == [0]
    assert kept("n * 100 = 10000 AND -n = -100", frame) == [1]
    assert kept("l[1] * 100 = 10000", frame) == [1]


@pytest.mark.parametrize("function", ["MAX(x)", "x > AVG(x)", "COUNT(*) > 1", "SUM(x) OVER () > 1", "FIRST(x) = 1"])
def test_aggregates_are_refused_in_plain_words(function: str) -> None:
    with pytest.raises(SettingsError, match="it cannot aggregate"):
        condition(function)


@pytest.mark.parametrize(
    "where",
    [
        "x IN (SELECT 1)",
        "x > (SELECT MAX(x) FROM self)",
        "EXISTS (SELECT 1)",
        "x IN (WITH q AS (SELECT 1) SELECT * FROM q)",
        "(SELECT x FROM read_csv('f')) > 1",
        "x = ANY(SELECT 1)",
        "read_csv('f') > x",
        "x IN read_csv('f')",
        "x.read_csv('f') > 1",
        "pg_read_file('f') = s",
        "UNNEST(flags) = 'a'",
        "ROW_NUMBER() = x",
        "NOW() > day",
        "CURRENT_USER = s",
        "s LIKE s",
        "s LIKE 'a' ESCAPE '!'",
        "x > 1; DROP TABLE y",
        "x > 1 AS y",
        "DROP TABLE x",
        "*",
        "COLUMNS('x') > 1",
        "x > @y",
        "x > $1",
        "x > ?",
        "0 < x < 1",
        "x AND t",
        "x",
        "x + 1",
        "1 = 1",
        "true",
        "NULL",
        "",
        " ",
        "x >",
        "x > 'a",
        "(x > 1",
        "x = 'a'",
        "st.nothing > 1",
        "x.y > 1",
        "messages[1].nothing = 'a'",
        "CAST(s AS INT) > 1",
        "CAST(s AS JSON) = 1",
        "CAST(s AS VARCHAR(1)) = 'a'",
        "ABS(x, 1) > 1",
        "TRIM(s, s) = 'a'",
        "NOTHING(x) > 1",
        "s ~ '('",
        "x > INTERVAL '1 day'",
        "{'a': x} = 1",
        "(x, n) = (1, 1)",
    ],
)
def test_anything_else_is_refused_in_three_lines(where: str) -> None:
    with pytest.raises(SettingsError) as caught:
        kept(where)
    error = caught.value
    assert error.where == f"--where {where}"
    assert error.what and error.hint
    assert "\x1b" not in str(error)
    assert "\n" not in error.what + error.hint


def test_a_failed_cast_prints_no_value_of_the_data() -> None:
    with pytest.raises(SettingsError) as caught:
        kept("CAST(s AS INT) = 1", pl.DataFrame({"s": ["private"]}))
    assert "private" not in str(caught.value)


@pytest.mark.parametrize("opening", ["(", "NOT ", "ABS(", "[", "CASE WHEN ", "x + ", "- "])
def test_what_is_nested_too_deeply_is_refused(opening: str) -> None:
    with pytest.raises(SettingsError):
        kept(opening * 3000 + "x")


def test_long_lists_and_chains_are_no_nesting() -> None:
    assert kept(" OR ".join(["x = 1"] * 2000)) == [0]
    assert kept(f"n IN ({', '.join(map(str, range(2, 2000)))})") == [1, 2]


@pytest.mark.parametrize("table", ["read_csv", "read_parquet", "read_ndjson", "scan_csv"])
def test_no_file_and_no_address_is_opened(tmp_path: Path, table: str) -> None:
    requests: list[str] = []

    class Listening(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Listening)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        secret = tmp_path / "secret.csv"
        secret.write_text("TOPSECRET\n1\n")
        for place in (secret, f"http://127.0.0.1:{server.server_port}/a.csv", tmp_path / "none"):
            with pytest.raises(SettingsError) as caught:
                condition(f"x IN (SELECT x FROM {table}('{place}'))")
            assert "TOPSECRET" not in str(caught.value)
    finally:
        server.shutdown()
        server.server_close()
    assert requests == []


def test_polars_parser_never_sees_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("parsed by Polars")

    monkeypatch.setattr(pl, "sql_expr", never)
    monkeypatch.setattr(pl, "SQLContext", never)
    monkeypatch.setattr(pl, "sql", never)
    assert kept("x > 1") == [1]
    with pytest.raises(CurateError):
        kept("x IN (SELECT x FROM read_csv('f'))")


# Random conditions, written as text, mean what they mean to Polars' own SQL.

SMALL = [None, 0, 1, 2, -3]


TEXTS = ["s", "r", "'ab'", "''", "UPPER(s)", "s || r", "LEFT(s, 1)", "SUBSTR(r, 2)", "REVERSE(s)"]
NUMBERS = ["x", "y", "n", "m", "0", "1", "-2", "0.5", "NULL"]
# As 64 bits, as Polars counts in 32 without a sign.
COUNTS = [f"CAST({count} AS BIGINT)" for count in ("LENGTH(s)", "STRPOS(COALESCE(s, ''), 'b')", "ARRAY_LENGTH(flags)")]
NUMBER_FORMS = [
    "{a} + {b}",
    "{a} - {b}",
    "{a} * {b}",
    "({a})",
    "ABS({a})",
    "FLOOR({a})",
    "CAST({a} AS DOUBLE) / 4",
    "COALESCE({a}, {b}, x)",
    "CASE WHEN {c} THEN {a} ELSE {b} END",
]
# IS DISTINCT FROM in parentheses, as Polars would take what follows for a part of its right side.
PLAIN_FORMS = [
    "{a} {op} {b}",
    "{s} {op} {r}",
    "{a} IS NULL",
    "{a} IS NOT NULL",
    "{a} IN (1, 0.5)",
    "{a} NOT IN (1, 2)",
    "{a} IN (0, NULL)",
    "{a} BETWEEN {b} AND {d}",
    "{a} NOT BETWEEN {b} AND {d}",
    "({a} IS DISTINCT FROM {b})",
    "({a} <=> {b})",
    "{s} IN ('ab', 'b')",
    "{s} NOT IN ('ab')",
    "s LIKE 'a%'",
    "r NOT LIKE '%b'",
    "s ILIKE 'a%'",
    "s ~ '^.b'",
    "r !~ '^.b'",
    "s ~* '^AB'",
    "t",
    "ARRAY_CONTAINS(flags, 'a')",
    "'b' = ANY(flags)",
    "flags[1] = 'a'",
    "st.k > 0",
]
CONDITION_FORMS = [
    "{c} AND {e}",
    "{c} OR {e}",
    "NOT {c}",
    "({c})",
    "CASE WHEN {c} THEN t ELSE x > 0 END",
]


@st.composite
def _numbers(draw: st.DrawFn, depth: int) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from(NUMBERS + COUNTS * (depth > 0)))
    parts = {name: draw(_numbers(depth - 1)) for name in "ab"}
    return draw(st.sampled_from(NUMBER_FORMS)).format(c=draw(_conditions(0)), **parts)


@st.composite
def _conditions(draw: st.DrawFn, depth: int) -> str:
    if depth > 0 and draw(st.booleans()):
        parts = {name: draw(_conditions(depth - 1)) for name in "ce"}
        return draw(st.sampled_from(CONDITION_FORMS)).format(**parts)
    numbers = {name: draw(_numbers(min(depth, 2))) for name in "abd"}
    texts = {name: draw(st.sampled_from(TEXTS)) for name in "sr"}
    operator = draw(st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="]))
    return draw(st.sampled_from(PLAIN_FORMS)).format(op=operator, **numbers, **texts)


def _frames() -> st.SearchStrategy[pl.DataFrame]:
    number, text = st.sampled_from(SMALL), st.sampled_from([None, "", "ab", "b", "Ab"])
    row = st.fixed_dictionaries(
        {
            **{name: number.map(lambda v: None if v is None else v / 2) for name in ("x", "y")},
            **dict.fromkeys(("n", "m"), number),
            **dict.fromkeys(("s", "r"), text),
            "t": st.sampled_from([None, True, False]),
            "flags": st.sampled_from([None, [], ["a"], ["b", None]]),
            "st": st.sampled_from([None, {"k": 1}, {"k": None}, {"k": -1}]),
        }
    )
    types = {"x": pl.Float64, "y": pl.Float64, "n": pl.Int64, "m": pl.Int64, "s": pl.String, "r": pl.String}
    schema = {**types, "t": pl.Boolean, "flags": pl.List(pl.String), "st": pl.Struct({"k": pl.Int64})}
    return st.lists(row, min_size=1, max_size=6).map(lambda rows: pl.DataFrame(rows, schema=schema))


@examples(2)
@given(where=_conditions(3), frame=_frames())
def test_random_conditions_mean_what_they_mean_to_polars(where: str, frame: pl.DataFrame) -> None:
    try:
        theirs = frame.select(holds=pl.sql_expr(where))["holds"]
    except pl.exceptions.PolarsError:
        assume(False)
    assume(len(theirs) == frame.height)
    columns = condition(where + " OR x IS NULL AND x IS NOT NULL")
    assert columns.holds(frame).to_list() == theirs.fill_null(False).to_list()


@examples(2)
@given(
    values=st.lists(st.sampled_from([None, NAN, 0.0, 1.0, -1.5]), min_size=1, max_size=5),
    bound=st.sampled_from([0.0, 1.0, -2.0]),
    turned=st.booleans(),
)
def test_comparisons_by_hand(values: list[float | None], bound: float, turned: bool) -> None:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)})
    wanted = [
        i
        for i, v in enumerate(values)
        if v is not None and not math.isnan(v) and (not v > bound if turned else v > bound)
    ]
    assert kept(f"NOT x > {bound}" if turned else f"x > {bound}", frame) == wanted
