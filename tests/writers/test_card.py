"""What a data set's card says of its columns."""

import pyarrow as pa

from curate.metrics.registry import all_metrics
from curate.schema import RESPONSE_FIELDS, SAMPLED, table_columns
from curate.writers.card import dataset_card


def test_a_column_has_one_meaning_whoever_writes_it() -> None:
    said: dict[str, set[str]] = {}
    for column in (*SAMPLED, *table_columns()):
        said.setdefault(column.name, set()).add(column.meaning)
    for one in all_metrics().values():
        said.setdefault(one.name, set()).add(one.meaning)
    for field in RESPONSE_FIELDS:
        said.setdefault(field.candidates, set()).add(f"{field.meaning}, one a response")
    assert {name: meanings for name, meanings in said.items() if len(meanings) > 1} == {}


def test_the_tokens_of_a_generated_table_are_called_drawn() -> None:
    schema = pa.schema(
        [("prompt", pa.string()), ("tokens", pa.list_(pa.int32())), ("sample_logps", pa.list_(pa.float64()))]
    )
    card = dataset_card("drawn", schema, {"command": "generate"}, 3)
    (line,) = (line for line in card.splitlines() if line.startswith("| `tokens`"))
    assert "as `curate generate` drew them, until a model measures the response again" in line
    assert line.endswith("one a response |")
