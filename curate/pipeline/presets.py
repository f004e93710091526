"""Named bundles of `curate select` settings, each after a paper; what the user sets goes before them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curate.errors import SettingsError, did_you_mean
from curate.recipe import SelectSettings

AMOUNTS = frozenset({"top", "bottom", "middle"})


@dataclass(frozen=True)
class Preset:
    """One bundle.

    Attributes:
        name: as `--preset` spells it.
        settings: of SelectSettings.
        keeps: which rows are left, in a few words.
        source: the paper.
        differs: where this is not what the paper does; empty where nothing is known to differ.
    """

    name: str
    settings: Mapping[str, Any] = field(repr=False)
    keeps: str
    source: str
    differs: str = ""


PRESETS: Mapping[str, Preset] = {
    one.name: one
    for one in (
        Preset("bees", {"by": "bees", "top": "10%"}, "the surest 10%", "Less is More, arXiv 2502.14560"),
        Preset(
            "alignment-potential",
            {"by": "alignment_potential", "top": "40%"},
            "the 40% of most potential",
            "arXiv 2503.01864",
        ),
        Preset("dpo-gap", {"by": "dpo_gap", "top": "10%"}, "the 10% of smallest DPO margin", "arXiv 2508.04149"),
        Preset(
            "easy-first",
            {"by": "dpo_margin", "top": "50%"},
            "the easier half, of largest DPO margin",
            "SelectiveDPO, arXiv 2502.09650",
            "The paper takes as difficulty the validation loss of models trained on other parts of the data, averaged, "
            "and trains from easy to hard. Here it is the DPO loss of the one policy that was scored (large margin, "
            "small loss), and rows keep the input's order. The share of a half is recalled, not read.",
        ),
        Preset(
            "rip",
            {"by": "rip", "above": 0.0},
            "pairs whose rejected response is good and long, and whose margin is small",
            "RIP, arXiv 2501.18578",
            "The thresholds are the medians; the paper's text names the three criteria.",
        ),
    )
}


def with_preset(settings: SelectSettings) -> SelectSettings:
    """The settings with their preset's values where the user set none; one amount of the user's replaces the preset's.

    Raises:
        SettingsError: there is no such preset.
    """
    if settings.preset is None:
        return settings
    preset = find_preset(settings.preset)
    fields = SelectSettings.model_fields
    given = {name for name in fields if getattr(settings, name) != fields[name].get_default(call_default_factory=True)}
    taken = given | (AMOUNTS if AMOUNTS & given else set())
    return settings.model_copy(update={name: value for name, value in preset.settings.items() if name not in taken})


def find_preset(name: str) -> Preset:
    """The preset of this name.

    Raises:
        SettingsError: there is none.
    """
    if name not in PRESETS:
        raise SettingsError(f"select has no preset {name}.", f"--preset {name}", did_you_mean(name, PRESETS))
    return PRESETS[name]
