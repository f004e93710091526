"""What the policy's pass reads besides log-probabilities, if the user asks for it: `score --also`."""

from __future__ import annotations

from dataclasses import replace

from curate.backends import Also, ModelSpec
from curate.errors import SettingsError
from curate.model import Model
from curate.scorers.model_scorers import ModelScorer
from curate.settings import MeasureSettings


def also_of(settings: MeasureSettings) -> frozenset[Also]:
    """What the policy's pass is to read besides log-probabilities."""
    return frozenset(getattr(settings, "also", ()))


def check_also(settings: MeasureSettings) -> None:
    """Check before a model is looked for that the policy can tell what `--also` asks for.

    Raises:
        SettingsError: there is no policy, or its engine tells neither hidden states nor all logits.
    """
    also = ",".join(sorted(also_of(settings)))
    if not also:
        return
    if settings.policy is None:
        raise SettingsError("No policy reads the responses.", setting="also", value=also, hint="Give --policy.")
    engine = ModelSpec(Model.of(settings.policy), backend=settings.backend).engine
    if engine not in ("torch", "fake"):
        raise SettingsError(
            f"A policy {'behind a server' if engine == 'server' else 'in vLLM'} tells neither its hidden states nor "
            "all of its logits.",
            setting="also",
            value=also,
            hint="Leave it out, or give the model's folder as --policy, with --backend=torch.",
        )


def reading_also(settings: MeasureSettings, scorers: list[ModelScorer]) -> list[ModelScorer]:
    """The scorers of log-probabilities, with the wishes of `--also` given to that of the policy."""
    also = also_of(settings)
    return [replace(one, also=also) if also and one.name == "policy" else one for one in scorers]
