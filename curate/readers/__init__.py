"""Reads data of any file format and layout into records of one form. Knows nothing of models or metrics."""

from curate.readers.contract import Chunk, Layout, Reject, Row, Source
from curate.readers.detect import detect
from curate.readers.files.columns import conform, merge_schemas
from curate.readers.files.looking import first_rows, input_paths, source_notes
from curate.readers.layouts import all_layouts
from curate.readers.opening import open_source
from curate.readers.parts.scores import reward_columns
from curate.readers.prompts import prompts_layout

__all__ = [
    "Chunk",
    "Layout",
    "Reject",
    "Row",
    "Source",
    "all_layouts",
    "conform",
    "detect",
    "first_rows",
    "input_paths",
    "merge_schemas",
    "open_source",
    "prompts_layout",
    "reward_columns",
    "source_notes",
]
