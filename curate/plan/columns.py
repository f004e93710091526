"""The columns that a job will write, known before it measures anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from curate.metrics.registry import all_metrics, columns_read
from curate.schema import (
    EDIT_DISTANCE,
    EDIT_DISTANCE_NORM,
    EMBEDDING_DISTANCE,
    HIDDEN_PRODUCT,
    HIDDEN_SQUARE,
    POLICY_LOGPS,
    REF_LOGPS,
    RESPONSE_FIELDS,
    REWARD,
    TOKENS,
    TRUNCATED,
    ResponseField,
    named_reward,
)
from curate.settings import MetricSettings


def fields_after(
    held: Collection[str], *, rewards: Sequence[tuple[str, bool]], models: Collection[str], cuts: bool, pairs: bool
) -> list[ResponseField]:
    """The response fields that exist after measuring.

    Args:
        held: fields that the data already has.
        rewards: the reward sources: each one's name, and whether the user gave it.
        models: fields that models measure.
        cuts: whether a model reads the responses, and so may truncate them.
        pairs: whether the rows are pairs, which count the tokens of their texts if there are no log-probabilities.
    """
    names = {f.name for f in RESPONSE_FIELDS if f.name in held} - {REWARD.name} | set(models)
    names |= {TRUNCATED.name} if cuts else set()
    logps = {POLICY_LOGPS.name, REF_LOGPS.name}
    if not logps & names:
        names = names | {TOKENS.name} if pairs else names - {TOKENS.name}
    elif logps & set(models):
        names |= {TOKENS.name}
    prefix = named_reward("").name
    sources = {name.removeprefix(prefix) for name in held if name.startswith(prefix)}
    sources |= {name for name, named in rewards if named or len(rewards) > 1}
    names |= {REWARD.name} if rewards else set()
    return [*(f for f in RESPONSE_FIELDS if f.name in names), *(named_reward(name) for name in sorted(sources))]


def measurements(fields: Iterable[ResponseField], *, embedded: bool, hidden: bool = False) -> frozenset[str]:
    """The measurement columns of pairs.

    Args:
        fields: the fields of their responses.
        embedded: whether an embedder measures their distance.
        hidden: whether the policy's hidden states are compared.
    """
    distances = {EDIT_DISTANCE.name, EDIT_DISTANCE_NORM.name} | ({EMBEDDING_DISTANCE.name} if embedded else set())
    distances |= {HIDDEN_PRODUCT.name, HIDDEN_SQUARE.name} if hidden else set()
    return frozenset(distances | {side for field in fields for side in (field.chosen, field.rejected)})


def computable(columns: Collection[str], settings: MetricSettings) -> list[str]:
    """Names of the metrics that can be computed from these columns."""
    present = frozenset(columns)
    return [name for name in all_metrics() if present.issuperset(columns_read(name, settings.options, present))]
