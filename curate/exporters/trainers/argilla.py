"""Argilla, for looking at pairs by hand: not a trainer, but a server where people say which response is better.

Tried with its client 2.8.0 against a simulated server only (`make test-trainers`), which gets every text as it was
written. With `--keep-scores` the numbers that curate measured become metadata, by which Argilla filters and sorts.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from curate.exporters.conversations import MESSAGES, context
from curate.exporters.registry import Exporter, Pair, Row, Written
from curate.hashing import pair_id, text_of
from curate.schema import PAIR_ID

SCRIPT = "argilla_upload.py"
TEXT = '''"""Send the pairs of this folder to an Argilla server, for people to say which response is better.

Set ARGILLA_API_URL and ARGILLA_API_KEY, name the data set, then run this file.
Needs: pip install argilla pyarrow requests (argilla 2.8.0 needs the last without asking for it)
"""

import re
from pathlib import Path

import argilla as rg
import pyarrow.parquet as pq
import pyarrow.types as kinds

NAME = "pairs"
TABLE = pq.read_table(Path(__file__).with_name("DATA-FILE"))
SCORES = [one for one in TABLE.schema if one.name.startswith("curate_") and one.name != "curate_pair_id"]


def name_of(score):
    """Argilla's names are in lower case."""
    return re.sub("[^a-z0-9_-]", "_", score.name.lower())


def metadata_of(score):
    if kinds.is_floating(score.type):
        return rg.FloatMetadataProperty(name=name_of(score))
    if kinds.is_integer(score.type):
        return rg.IntegerMetadataProperty(name=name_of(score))
    return rg.TermsMetadataProperty(name=name_of(score))


def settings():
    """What people see, and what they are asked."""
    return rg.Settings(
        guidelines="Read the prompt, then both responses. Which one is better?",
        fields=[
            rg.ChatField(name="prompt", use_markdown=False),
            rg.TextField(name="chosen", use_markdown=False),
            rg.TextField(name="rejected", use_markdown=False),
        ],
        questions=[
            rg.LabelQuestion(name="better", labels=["chosen", "rejected", "equally good", "both bad"]),
            rg.TextQuestion(name="comment", required=False),
        ],
        metadata=[metadata_of(score) for score in SCORES],
    )


def records():
    """The pairs; one that was sent before is updated, because its id is the same."""
    for row in TABLE.to_pylist():
        scores = {name_of(score): row[score.name] for score in SCORES if row[score.name] is not None}
        yield rg.Record(
            id=row["pair_id"],
            fields={name: row[name] for name in ("prompt", "chosen", "rejected")},
            metadata={name: str(value) if isinstance(value, bool) else value for name, value in scores.items()},
        )


if __name__ == "__main__":
    client = rg.Argilla()
    dataset = client.datasets(NAME)
    if dataset is None:
        dataset = rg.Dataset(name=NAME, settings=settings(), client=client)
        dataset.create()
    dataset.records.log(list(records()))
'''


def _rows(pair: Pair) -> list[Row]:
    name = pair_id(text_of(pair.prompt), pair.chosen, pair.rejected)
    return [{PAIR_ID.name: name, "prompt": context(pair), "chosen": pair.chosen, "rejected": pair.rejected}]


def _snippet(written: Written) -> Mapping[str, str]:
    return {SCRIPT: TEXT.replace("DATA-FILE", written.file)}


ARGILLA = Exporter(
    "argilla",
    "Argilla, to look at pairs by hand: prompt as messages, chosen, rejected as texts",
    "parquet",
    pa.schema([(PAIR_ID.name, pa.string()), ("prompt", MESSAGES), ("chosen", pa.string()), ("rejected", pa.string())]),
    _rows,
    _snippet,
)
