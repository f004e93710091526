"""What the shell offers for the values of settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

Completion = Callable[[str], list[str]]
"""Maps what was typed so far to words that begin like it."""


def _metrics() -> Iterable[str]:
    from curate.metrics.registry import all_metrics

    return all_metrics()


def _formats() -> Iterable[str]:
    from curate.exporters.registry import all_exporters

    return all_exporters()


def _methods() -> Iterable[str]:
    from curate.weighing.registry import all_methods

    return (name.replace("_", "-") for name in all_methods())


def _recipes() -> Iterable[str]:
    from curate.recipes.shipped import shipped

    return shipped()


VALUES: Mapping[tuple[str, str], Callable[[], Iterable[str]]] = {
    ("select", "by"): _metrics,
    ("show", "by"): _metrics,
    ("pair", "by"): _metrics,
    ("report", "by"): _metrics,
    ("metrics", "name"): _metrics,
    ("export", "to"): _formats,
    ("weigh", "method"): _methods,
    ("run", "recipe"): _recipes,
    ("recipes", "name"): _recipes,
}
"""Where the values of a command's setting have names: what lists them."""


def completing(command: str, setting: str) -> Completion | None:
    """What the shell offers for a setting: the names that begin as typed; None to leave it to the shell."""
    names = VALUES.get((command, setting))
    if names is None:
        return None

    def offered(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return offered
