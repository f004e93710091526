"""How many examples Hypothesis draws for a test, by the profile in force."""

from typing import Any

from hypothesis import settings


def examples(times: float, **others: Any) -> settings:
    """So many times the examples of the profile: more where an example is cheap or faults are rare, fewer where not."""
    return settings(max_examples=max(1, round(settings.default.max_examples * times)), **others)
