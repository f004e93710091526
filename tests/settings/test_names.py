"""Names that a registry holds and a setting's help or type repeats, because settings import no registry."""

from __future__ import annotations

import re
from typing import get_args

from curate.exporters.registry import all_exporters
from curate.jobs.export import ExportSettings
from curate.jobs.weigh import WeighSettings
from curate.pairs.strategies import BEST_OF_N2, STRATEGIES
from curate.selection.presets import PRESETS
from curate.settings import SelectSettings
from curate.settings.commands import Strategy
from curate.weighing.registry import all_methods


def named(help: str | None) -> set[str]:
    return set(re.findall(r"[a-z]+(?:-[a-z0-9]+)*", help or ""))


def test_the_help_of_weigh_names_every_method() -> None:
    known = {name.replace("_", "-") for name in all_methods()}
    assert named(WeighSettings.model_fields["method"].description) - {"or"} == known


def test_the_help_of_export_names_every_format() -> None:
    assert named(ExportSettings.model_fields["to"].description) - {"or"} == set(all_exporters())


def test_the_help_of_select_names_every_preset() -> None:
    assert set(PRESETS) <= named(SelectSettings.model_fields["preset"].description)


def test_the_strategies_are_those_that_pair() -> None:
    assert set(get_args(Strategy)) == {BEST_OF_N2, *STRATEGIES}
