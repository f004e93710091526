"""Arrow tables whose columns disagree: decides on one type per column, and converts every chunk to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as kinds

from curate.errors import InputError
from curate.readers.files.limits import DEPTH, check_columns, is_deep_type


def json_text(value: object) -> str | None:
    """A value as text: text unchanged, null as null, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False, default=str)


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table; columns in order of first appearance.

    A column that no single Arrow type fits, or that Parquet cannot store, becomes JSON text.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _array([row.get(name) for row in rows]) for name in names})


def _array(values: list[Any]) -> pa.Array:
    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return _text_array(values)
    return _text_array(values) if _parquet_lacks(array.type) else array


def _text_array(values: Iterable[Any]) -> pa.Array:
    return pa.array([json_text(value) for value in values], pa.string())


def merge_schemas(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """One schema to which `conform` can convert the tables of all given ones.

    Fields are in order of first appearance. If a field's types have nothing in common, it becomes a string, and so does
    a field that is null everywhere. Schema metadata is dropped: it describes one file only.
    """
    types: dict[str, pa.DataType] = {}
    for schema in schemas:
        for field in schema:
            new = plain_type(field.type)
            types[field.name] = _common(types[field.name], new) if field.name in types else new
    check_columns(types)
    return pa.schema([pa.field(name, _settled(kind)) for name, kind in types.items()])


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly the columns and types of `schema`: missing ones null, others cast or as JSON text.

    Raises:
        InputError: a value does not fit its type; cannot happen if `schema` was merged from this table's own.
    """
    present = set(table.column_names)
    columns = [
        _cast(table.column(field.name), field) if field.name in present else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def decode(table: pa.Table) -> pa.Table:
    """The table without dictionaries, views and extension types, which differ from file to file.

    What Parquet cannot store becomes JSON text.

    Raises:
        InputError: duplicate column names, too many columns, or a column nested too deeply.
    """
    check_columns(table.column_names)
    deep = [field.name for field in table.schema if is_deep_type(field.type)]
    if deep:
        raise InputError(
            f"A column is nested more than {DEPTH} deep.",
            f"Column: {deep[0]}.",
            "Drop it, or write it as text.",
        )
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise InputError("Two columns have the same name.", f"Column: {', '.join(twice)}.", "Rename one of them.")
    kinds_of = [(field.name, plain_type(field.type)) for field in table.schema]
    fields = [pa.field(name, pa.string() if _parquet_lacks(kind) else kind) for name, kind in kinds_of]
    return conform(table, pa.schema(fields))


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that holds the same values without dictionaries, views or extensions, also inside lists and structs."""
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if kinds.is_dictionary(kind):
        return plain_type(kind.value_type)
    if kinds.is_string_view(kind):
        return pa.string()
    if kinds.is_binary_view(kind):
        return pa.binary()
    return _rebuilt(kind, plain_type)


def _settled(kind: pa.DataType) -> pa.DataType:
    """The type with every null type inside replaced by string; string altogether if Parquet cannot store it."""
    if kinds.is_null(kind) or _parquet_lacks(kind):
        return pa.string()
    return _rebuilt(kind, _settled)


def _rebuilt(kind: pa.DataType, change: Any) -> pa.DataType:
    """A nested type with its children changed."""
    if kinds.is_struct(kind):
        return pa.struct([pa.field(child.name, change(child.type)) for child in kind])
    if kinds.is_large_list(kind):
        return pa.large_list(change(kind.value_type))
    if kinds.is_list(kind) or kinds.is_list_view(kind) or kinds.is_large_list_view(kind):
        return pa.list_(change(kind.value_type))
    if kinds.is_fixed_size_list(kind):
        return pa.list_(change(kind.value_type), kind.list_size)
    return kind


def _parquet_lacks(kind: pa.DataType) -> bool:
    """Whether Parquet lacks such a type: a struct without fields, a union, an interval, run-end encoding."""
    if (kinds.is_struct(kind) and not kind.num_fields) or kinds.is_union(kind) or kinds.is_interval(kind):
        return True
    return kinds.is_run_end_encoded(kind) or any(_parquet_lacks(kind.field(i).type) for i in range(kind.num_fields))


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other:
        return one
    if {one, other} >= {pa.int64(), pa.uint64()}:
        # pyarrow would choose int64, which turns large unsigned numbers negative
        return pa.string()
    try:
        schemas = [pa.schema([("column", kind)]) for kind in (one, other)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowTypeError, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.string()


def _cast(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    if column.type == field.type:
        return column
    textual = kinds.is_string(column.type) or kinds.is_large_string(column.type) or kinds.is_string_view(column.type)
    plain_text = kinds.is_string(field.type) or kinds.is_large_string(field.type)
    if plain_text and not textual and plain_type(column.type) != field.type:
        return pa.chunked_array([_text_array(column.to_pylist()).cast(field.type)])
    try:
        return column.cast(field.type)
    except pa.ArrowException:
        return _forced(column, field)


def _forced(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    """The cast of last resort: integers beyond 2^53 to doubles, and nestings that Arrow's own cast rejects."""
    try:
        return column.cast(field.type, safe=False)
    except pa.ArrowException:
        pass
    try:
        return pa.chunked_array([pa.array(column.to_pylist(), field.type)])
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"The column {field.name} of type {column.type} does not fit {field.type}.",
            str(error).splitlines()[0],
            "Read files with different columns in separate runs.",
        ) from error
