import pyarrow as pa
import pytest

from curate.readers.files.spool import Spool

TABLES = [
    pa.table({"a": [1, 2], "text": ["x", None]}),
    pa.table({"text": ["é"], "b": [0.5]}),
    pa.table({"a": pa.array([], pa.int64())}),
    pa.table({"a": ["one"], "list": [[1, 2]]}),
]


@pytest.fixture
def spool(tmp_path):
    found = Spool(tmp_path)
    for table in TABLES:
        found.add(table)
    return found


def test_tables_come_back_as_they_were(spool):
    assert [table.to_pydict() for table in spool.tables()] == [table.to_pydict() for table in TABLES]
    assert (spool.schemas, spool.rows) == ([table.schema for table in TABLES], 4)
    assert list(spool.tables()) == list(spool.tables())


@pytest.mark.parametrize("columns", [["a"], ["b", "a"], ["text", "list"], ["no such"], []])
def test_of_the_columns_named_each_table_gives_those_that_it_has(spool, columns):
    for whole, found in zip(TABLES, spool.tables(columns), strict=True):
        present = [name for name in columns if name in whole.column_names]
        assert found.column_names == present
        assert found.num_rows == whole.num_rows
        assert found.to_pydict() == whole.select(present).to_pydict()


def test_tables_may_be_added_after_some_were_read(spool):
    assert len(list(spool.tables())) == 4
    spool.add(TABLES[0])
    assert [table.num_rows for table in spool.tables(["a"])] == [2, 1, 0, 1, 2]


def test_an_empty_one_has_no_tables_and_nothing_stands_in_the_folder(tmp_path):
    assert list(Spool(tmp_path).tables()) == []
    full = Spool(tmp_path)
    full.add(TABLES[0])
    assert list(tmp_path.iterdir()) == []
