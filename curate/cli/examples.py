"""Examples for the help of each command, and what the shell may complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

Completion = Callable[[str], list[str]]
"""Maps what was typed so far to words that begin like it."""

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "inspect": (
        "curate inspect pairs.jsonl",
        "curate inspect hf://owner/name --columns prompt=question,chosen=answer_a",
    ),
    "generate": ("curate generate prompts.jsonl -o sampled.parquet --policy MODEL -n 8",),
    "score": (
        "curate score pairs.jsonl -o scored.parquet",
        "curate score pairs.jsonl -o scored.parquet --reward REWARD_MODEL",
        "curate score pairs.jsonl -o scored.parquet --policy MODEL --reference MODEL",
    ),
    "select": (
        "curate select scored.parquet -o best.parquet --by dcrm --top 10%",
        'curate select scored.parquet -o kept.parquet --where "length_ratio < 2"',
    ),
    "show": (
        "curate show best.parquet -n 5",
        "curate show best.parquet --left-out",
        "curate show scored.parquet --by dcrm",
    ),
    "explain": ("curate explain scored.parquet row:1 --selected best.parquet",),
    "pair": (
        "curate pair candidates.parquet -o pairs.parquet --best-of-n2",
        "curate pair scored.parquet -o pairs.parquet --strategy max-min",
    ),
    "weigh": ("curate weigh scored.parquet -o weighed.parquet --method gamma-po",),
    "export": ("curate export best.parquet -o for_trl --to trl",),
    "report": ("curate report scored.parquet --selected best.parquet -o report.html",),
    "run": (
        "curate run less-is-more --plan --set data=pairs.jsonl",
        "curate run mine.yaml -o results --set select.top=25%",
    ),
    "recipes": ("curate recipes", "curate recipes less-is-more > mine.yaml"),
    "metrics": ("curate metrics", "curate metrics dcrm"),
    "demo": ("curate demo -o demo-output",),
}


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
