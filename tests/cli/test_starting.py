"""A command does not wait for pandas, and whoever wants it has it."""

import subprocess
import sys

PROGRAM = """
import sys
import pyarrow as pa
from curate.cli.starting import leave_out_pandas
leave_out_pandas()
pa.array([1, None])
pa.table({"a": ["x"]}).take([0])
assert "pandas" not in sys.modules
assert pa.table({"a": [1, 2]}).to_pandas()["a"].tolist() == [1, 2]
import pandas
assert pa.array(pandas.Series([1.0, None])).null_count == 1
leave_out_pandas()
"""


def test_pandas_is_left_out_until_it_is_asked_for() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
