"""What is read of texts: prompts, marks of markdown, and where two texts differ."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curate.errors import InputError
from curate.readers.files.table import open_table
from curate.reporting import texts
from curate.reporting.texts import marked, pair_layout, read_texts, records_at

SAID = [{"role": "user", "content": "hi"}]


def row(prompt: str, chosen: str, rejected: str) -> dict[str, object]:
    before = [{"role": "user", "content": prompt}]
    sides = {"chosen": chosen, "rejected": rejected}
    return {name: [*before, {"role": "assistant", "content": text}] for name, text in sides.items()}


ROWS = [
    row("a", "# Title\n- one\n2) two\n**bold** and `code`", "plain * text - here"),
    row("b", "```\nx\n```", ""),
    row("a", "#no heading", "1. yes"),
]


def read(folder: Path, rows: list[dict[str, object]]) -> texts.Texts:
    path = folder / "t.parquet"
    pl.DataFrame(rows).write_parquet(path)
    table = open_table([str(path)], folder / "r.html")
    return read_texts(table, pair_layout(table), lambda rows: None)


def test_marks_of_markdown_are_counted(tmp_path: Path) -> None:
    # a heading, two list items, bold, a code span; two fences; nothing
    found = read(tmp_path, ROWS)
    assert found.marks[0].tolist() == [5, 2, 0]
    assert found.marks[1].tolist() == [0, 0, 1]
    assert found.words is not None
    assert found.words[0].tolist()[2] == 3
    assert found.prompts[0] == found.prompts[2] != found.prompts[1]


def test_columns_and_rows_are_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_columns = read(tmp_path, ROWS)
    monkeypatch.setattr(texts, "_plain_columns", lambda table, layout: None)
    by_rows = read(tmp_path, ROWS)
    assert by_columns.marks[0].tolist() == by_rows.marks[0].tolist()
    assert by_columns.words is not None and by_rows.words is not None
    assert by_columns.words[1].tolist() == by_rows.words[1].tolist()
    same = [np.equal.outer(one.prompts, one.prompts).tolist() for one in (by_columns, by_rows)]
    assert same[0] == same[1]


def test_a_row_without_texts_counts_as_a_prompt_of_its_own(tmp_path: Path) -> None:
    found = read(tmp_path, [*ROWS, {"chosen": None, "rejected": None}, {"chosen": None, "rejected": None}])
    assert found.unreadable == 2
    assert len(set(found.prompts.tolist())) == 4
    assert np.isnan(found.marks[0][3:]).all()


def test_other_layouts_are_read_row_by_row(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "chosen": "**a**", "rejected": "b"}, {"prompt": "p", "chosen": "c", "rejected": "d e"}]
    found = read(tmp_path, [dict(one) for one in rows])
    assert found.marks[0].tolist() == [1, 0]
    assert found.prompts.tolist() == [0, 0]
    table = open_table([str(tmp_path / "t.parquet")], tmp_path / "r.html")
    (record,) = records_at(table, pair_layout(table), np.array([1]))
    assert record is not None
    assert record.responses == ("c", "d e")


def test_candidates_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"prompt": "p", "responses": ["a", "b", "c"]}\n')
    with pytest.raises(InputError, match="list of responses"):
        pair_layout(open_table([str(path)], tmp_path / "r.html"))


def test_differences_are_marked_word_by_word_and_lose_nothing() -> None:
    left, right = marked("Use the `code`, please.", "Use a  code please.")
    assert "".join(text for _, text in left) == "Use the `code`, please."
    assert "".join(text for _, text in right) == "Use a  code please."
    assert [text for differs, text in left if differs] == ["the `", "`,"]
    assert [text for differs, text in right if differs] == ["a  "]
    assert marked("", "x") == ([], [[1, "x"]])
