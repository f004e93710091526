"""The functions of `import curate`: signatures from the settings, frames for files, results that can be read."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import curate
from curate import face
from curate.errors import CurateError
from curate.jobs import JOBS, job
from tests.docs import stub

FRAME = pl.DataFrame(
    {
        "prompt": [f"q{i}" for i in range(30)],
        "chosen": [f"a {i}" for i in range(30)],
        "rejected": [f"b c {i}" for i in range(30)],
        "score_chosen": [float(i % 7) for i in range(30)],
        "score_rejected": [0.5] * 30,
    }
)


def as_dataset(frame: pl.DataFrame) -> Any:
    datasets = pytest.importorskip("datasets")
    return datasets.Dataset.from_dict(frame.to_dict(as_series=False))


def test_the_stub_is_what_the_settings_say() -> None:
    assert ast.dump(ast.parse(stub.STUB.read_text("utf-8"))) == ast.dump(ast.parse(stub.text()))


def test_every_job_has_a_function_and_no_function_takes_anything_unnamed() -> None:
    assert set(JOBS) < set(curate.__all__)
    for name in JOBS:
        parameters = inspect.signature(getattr(curate, name)).parameters
        assert set(parameters) == set(job(name).settings.model_fields)
        kinds = {one.kind for one in parameters.values()}
        assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}


@pytest.mark.parametrize("name", JOBS)
def test_the_docstring_says_what_each_argument_is(name: str) -> None:
    doc = getattr(curate, name).__doc__
    for one, field in job(name).settings.model_fields.items():
        assert f"    {one}: " in doc
        assert field.description


def test_importing_the_package_imports_no_settings() -> None:
    code = "import sys, curate; sys.exit('pydantic' in sys.modules or 'polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "given",
    [lambda f: f, lambda f: f.lazy(), lambda f: f.to_arrow(), lambda f: [f[:10], f[10:]], as_dataset],
    ids=["polars", "lazy", "arrow", "several", "datasets"],
)
def test_a_frame_is_scored_as_its_file_is(given: Any, tmp_path: Path) -> None:
    FRAME.write_ndjson(tmp_path / "f.jsonl")
    expected = curate.score(tmp_path / "f.jsonl").frame
    found = curate.score(given(FRAME))
    assert found.rows == 30
    assert found.frame.equals(expected)


def test_a_pandas_frame_is_scored_as_its_file_is() -> None:
    pytest.importorskip("pandas")
    assert (
        curate.score(FRAME.to_pandas()).frame["reward_margin"].to_list()
        == curate.score(FRAME).frame["reward_margin"].to_list()
    )


def test_results_feed_the_next_function_and_go_with_their_folder() -> None:
    best = curate.select(curate.score(FRAME), by="reward_margin", top="10%")
    assert best.frame.height == 3
    assert best.frame["reward_margin"].min() == 5.5
    place = best.out
    assert place.exists()
    del best
    assert not place.exists()


def test_a_count_may_be_a_number_and_a_selection_a_result(tmp_path: Path) -> None:
    scored = curate.score(FRAME)
    best = curate.select(scored, by="dcrm", top=1)
    assert best.kept == 1
    assert curate.report(scored, tmp_path / "r.html", selected=best).kept == 1
    with pytest.raises(CurateError, match="top cannot be True"):
        curate.select(scored, by="dcrm", top=True)


def test_with_an_output_nothing_is_temporary(tmp_path: Path) -> None:
    result = curate.score(FRAME, tmp_path / "o.parquet")
    assert result.out == tmp_path / "o.parquet"
    assert result.frame.equals(pl.read_parquet(tmp_path / "o.parquet"))


def test_no_temporary_path_is_in_a_manifest() -> None:
    folder = str(Path(face.TemporaryDirectory(prefix="curate-").name).parent)
    result = curate.score(FRAME)
    metadata = pq.read_schema(result.out).metadata
    assert all(folder.encode() not in value for key, value in metadata.items() if key != b"ARROW:schema")


@pytest.mark.parametrize("wrong", [3, {"a": 1}, None])
def test_what_is_no_table_is_refused(wrong: Any) -> None:
    with pytest.raises(CurateError, match="not a table"):
        curate.score(wrong)


def test_a_misspelled_argument_names_the_nearest_one() -> None:
    with pytest.raises(CurateError, match="no setting rewards") as caught:
        curate.score(FRAME, rewards="fake:1")
    assert "reward" in caught.value.hint


def test_a_result_is_shown_as_lines_and_as_a_table_without_markup_of_its_own() -> None:
    result = curate.select(FRAME, by="score_chosen", where="prompt != '<b>'", top="2")
    assert "kept: 2" in repr(result)
    assert repr(result).startswith("SelectResult\n")
    assert "<td" in result._repr_html_()
    assert "<b>" not in result._repr_html_()


def test_one_value_does_for_several() -> None:
    assert curate.score(FRAME, reward="fake:1").frame.equals(curate.score(FRAME, reward=["fake:1"]).frame)
