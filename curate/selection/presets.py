"""Named bundles of `curate select` settings, each from a paper; explicit settings override them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curate.errors import SettingsError, did_you_mean
from curate.settings import SelectSettings

AMOUNTS = frozenset({"top", "bottom", "middle"})


@dataclass(frozen=True)
class Preset:
    """One bundle of settings.

    Attributes:
        name: as `--preset` spells it.
        settings: fields of SelectSettings.
        source: the paper.
        differs: how this differs from the paper; empty if no difference is known.
    """

    name: str
    settings: Mapping[str, Any] = field(repr=False)
    source: str
    differs: str = ""


PRESETS: Mapping[str, Preset] = {
    one.name: one
    for one in (
        Preset("bees", {"by": "bees", "top": "10%"}, "Less is More, arXiv 2502.14560"),
        Preset("alignment-potential", {"by": "alignment_potential", "top": "40%"}, "arXiv 2503.01864"),
        Preset("dpo-gap", {"by": "dpo_gap", "top": "10%"}, "arXiv 2508.04149"),
        Preset(
            "easy-first",
            {"by": "dpo_margin", "top": "50%"},
            "SelectiveDPO, arXiv 2502.09650",
            "Its authors take as difficulty the DPO loss under six models, each trained on the other half of the data, "
            "averaged, and train from easy to hard. Here it is the DPO loss of the one policy that was scored (large "
            "margin, small loss), and rows keep the input's order.",
        ),
        Preset("ifd", {"by": "ifd", "top": "10%", "where": "ifd <= 1"}, "Cherry LLM, arXiv 2308.12032"),
        Preset(
            "rip",
            {"by": "rip", "above": 0.0},
            "RIP, arXiv 2501.18578",
            "The thresholds are the medians of the whole table, taken before anything is left out.",
        ),
        # Just below half: `--above` leaves out what it names, and a pair on which half of the sources agree is kept.
        Preset("rm-votes", {"by": "rm_votes", "above": 0.499}, "PrefCleanBench, arXiv 2509.23564"),
        Preset("ifd-gap", {"by": "ifd_gap", "top": "80%"}, "PrefCleanBench, arXiv 2509.23564"),
        Preset(
            "ppl-diff",
            {"by": "ppl_diff", "below": 0.0},
            "PerpCorrect, NeurIPS 2024",
            "Its authors align a model on pairs known to be clean, fit the threshold to those, and swap suspect pairs. "
            "Here the threshold is 0 under the policy that was scored, and suspect pairs are left out.",
        ),
        Preset(
            "chosen-reward",
            {"by": "chosen_reward", "top": "50%"},
            "What Matters in Data for DPO, arXiv 2508.18312",
            "The paper compares data of better and worse chosen responses; half is our share.",
        ),
        Preset(
            "air",
            {"by": "air", "above": 0.0},
            "AIR, arXiv 2504.03612",
            "The paper asks for moderate margins and high scores; the quantiles are ours.",
        ),
    )
}


def with_preset(settings: SelectSettings) -> SelectSettings:
    """Fill in the preset's values that the user left unset; if the user sets an amount, the preset's amount is dropped.

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
    """Return the preset of this name.

    Raises:
        SettingsError: there is no such preset.
    """
    if name not in PRESETS:
        raise SettingsError(
            f"select has no preset {name}.", setting="preset", value=name, hint=did_you_mean(name, PRESETS)
        )
    return PRESETS[name]
