"""What every exporter writes is read again, without options, as the pairs that it was made from."""

import pytest

from curate.errors import InputError
from curate.jobs.inspect import InspectSettings, inspect
from curate.progress import Silent
from curate.readers import detect, first_rows, open_source
from curate.settings import make
from tests.commands.helpers import run_score
from tests.exporters.golden import CHOSEN, FORMATS, PROMPTS, REJECTED, rows, run_export, write

PAIRS = [(prompt, *sides) for prompt, *sides in zip(PROMPTS, CHOSEN, REJECTED, strict=True)]


@pytest.fixture
def exported(tmp_path):
    return lambda to: run_export(write(tmp_path / "pairs.jsonl", rows()), tmp_path / "out", to).out


@pytest.mark.parametrize("to", [name for name in FORMATS if name != "kto"])
def test_the_folder_is_read_as_the_same_pairs(to, exported, tmp_path):
    folder = exported(to)
    sample = first_rows(open_source([str(folder)]))
    layout = detect(sample, "pairs")
    records = [layout.parse(row) for row in sample]
    assert [(list(r.prompt), *(r.responses[place] for place in r.pair)) for r in records] == PAIRS
    assert inspect(make(InspectSettings, {"data": (str(folder),)}), Silent()).rows == 2
    assert run_score(folder, tmp_path / "s.parquet").rows == 2


def test_rows_of_one_response_are_refused_with_the_reason(exported):
    """KTO's rows are no pairs any more: which two of a prompt belonged together is not in the file."""
    with pytest.raises(InputError, match="A row has one response"):
        inspect(make(InspectSettings, {"data": (str(exported("kto")),)}), Silent())
