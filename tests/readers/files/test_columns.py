import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import InputError
from curate.readers.files.columns import conform, decode, merge_schemas, table_of
from tests.examples import examples

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), JSON, min_size=1), min_size=1, max_size=4)


@examples(1)
@given(st.lists(ROWS, min_size=1, max_size=3))
def test_any_json_rows_merge_and_fit_into_parquet(chunks):
    tables = [table_of(rows) for rows in chunks]
    schema = merge_schemas(table.schema for table in tables)
    whole = pa.concat_tables([conform(table, schema) for table in tables])
    assert whole.num_rows == sum(len(rows) for rows in chunks)
    pq.write_table(whole, pa.BufferOutputStream())


@examples(0.5)
@given(st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.integers(-9, 9), "c": st.booleans()}), min_size=1))
def test_uniform_rows_come_back(rows):
    assert table_of(rows).to_pylist() == rows


def test_mixed_column_is_json_text_and_keeps_text_as_it_is():
    table = table_of([{"x": "a"}, {"x": 1}, {"x": {"k": [None]}}, {"x": None}])
    assert table["x"].to_pylist() == ["a", "1", '{"k": [null]}', None]


def test_empty_struct_is_json_text():
    assert table_of([{"x": {}}])["x"].to_pylist() == ["{}"]
    assert table_of([{"x": [{"y": {}}]}])["x"].to_pylist() == ['[{"y": {}}]']


def test_merge_keeps_order_widens_and_falls_back_on_text():
    one = pa.table({"b": [1], "a": pa.nulls(1), "only": [True], "clash": [1]})
    two = pa.table({"a": pa.nulls(1), "clash": [["x"]], "b": [0.5], "new": ["n"]})
    schema = merge_schemas([one.schema, two.schema])
    assert schema.names == ["b", "a", "only", "clash", "new"]
    assert schema.types == [pa.float64(), pa.string(), pa.bool_(), pa.string(), pa.string()]
    assert conform(one, schema).to_pylist() == [{"b": 1.0, "a": None, "only": True, "clash": "1", "new": None}]
    assert json.loads(conform(two, schema)["clash"][0].as_py()) == ["x"]


def test_structs_with_different_fields_merge():
    one, two = table_of([{"m": [{"role": "u"}]}]), table_of([{"m": [{"content": "c", "role": "u"}]}])
    schema = merge_schemas([one.schema, two.schema])
    assert conform(one, schema)["m"].to_pylist() == [[{"role": "u", "content": None}]]
    assert conform(two, schema)["m"].to_pylist() == [[{"role": "u", "content": "c"}]]


def test_categories_do_not_break_merging():
    categories = pa.table({"c": pa.array(["x", "y", "x"]).dictionary_encode()})
    plain = pa.table({"c": ["z"]})
    schema = merge_schemas([categories.schema, plain.schema])
    assert schema.field("c").type == pa.string()
    assert conform(categories, schema)["c"].to_pylist() == ["x", "y", "x"]
    nested = pa.table({"c": pa.array([["x"]], pa.list_(pa.dictionary(pa.int8(), pa.string())))})
    assert decode(nested).schema.field("c").type == pa.list_(pa.string())


def test_whole_numbers_beyond_doubles_and_unsigned_ones():
    one, two = pa.table({"n": [2**60]}), pa.table({"n": [0.5]})
    assert conform(one, merge_schemas([one.schema, two.schema]))["n"].to_pylist() == [float(2**60)]
    unsigned = pa.table({"n": pa.array([2**63], pa.uint64())})
    merged = merge_schemas([unsigned.schema, one.schema])
    assert conform(unsigned, merged)["n"].to_pylist() == [str(2**63)]


def test_text_of_both_widths_is_not_encoded_twice():
    one, two = pa.table({"t": ["a"]}), pa.table({"t": pa.array(["b"], pa.large_string())})
    schema = merge_schemas([one.schema, two.schema])
    assert conform(one, schema)["t"].to_pylist() == ["a"]


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(InputError, match="same name"):
        decode(pa.table([pa.array([1]), pa.array([2])], names=["x", "x"]))
