"""Every option of every command, stated once: type, default, help, spelling, and what a manifest holds of it."""

from curate.settings.base import (
    FRESH,
    ColumnSettings,
    DataSettings,
    Files,
    MetricSettings,
    Option,
    Options,
    ReadingSettings,
    Record,
    Settings,
    flags,
    for_manifest,
    make,
    option,
    option_of,
    parse_options,
    renamed,
)
from curate.settings.commands import (
    GenerateSettings,
    PairSettings,
    ScoreSettings,
    SelectSettings,
)
from curate.settings.models import MeasureSettings, ModelSettings

__all__ = [
    "FRESH",
    "ColumnSettings",
    "DataSettings",
    "Files",
    "GenerateSettings",
    "MeasureSettings",
    "MetricSettings",
    "ModelSettings",
    "Option",
    "Options",
    "PairSettings",
    "ReadingSettings",
    "Record",
    "ScoreSettings",
    "SelectSettings",
    "Settings",
    "flags",
    "for_manifest",
    "make",
    "option",
    "option_of",
    "parse_options",
    "renamed",
]
