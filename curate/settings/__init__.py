"""Every option of every command, stated once: type, default, help, spelling, and what a manifest holds of it."""

from curate.settings.base import (
    DataSettings,
    MetricSettings,
    Option,
    Options,
    Settings,
    flags,
    for_manifest,
    make,
    option_of,
    parse_options,
)
from curate.settings.commands import (
    ExplainSettings,
    ExportSettings,
    GenerateSettings,
    InspectSettings,
    PairSettings,
    ReportSettings,
    ScoreSettings,
    SelectSettings,
    WeighSettings,
)
from curate.settings.models import MeasureSettings, ModelSettings
from curate.settings.others import CatalogueSettings, DemoSettings, RunSettings

__all__ = [
    "CatalogueSettings",
    "DataSettings",
    "DemoSettings",
    "ExplainSettings",
    "ExportSettings",
    "GenerateSettings",
    "InspectSettings",
    "MeasureSettings",
    "MetricSettings",
    "ModelSettings",
    "Option",
    "Options",
    "PairSettings",
    "ReportSettings",
    "RunSettings",
    "ScoreSettings",
    "SelectSettings",
    "Settings",
    "WeighSettings",
    "flags",
    "for_manifest",
    "make",
    "option_of",
    "parse_options",
]
