"""What the manifests of a table say about how it was made: the steps, the rows that each left out, the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curate.cards.commands import history_of
from curate.cards.markdown import code, escaped, table

Manifest = Mapping[str, Any]
ROLES = {"edit": "tokenizer of the edit distance", "embedding": "embedder", "reward.reward": "reward"}
HOW = ("backend", "dtype", "device", "truncation")
MOST_REASONS = 8
"""Reasons that are listed for one step; the rest are counted together."""


def steps_of(manifest: Manifest) -> list[Manifest]:
    """Every step that led to a table, oldest first, each once."""
    found: list[Manifest] = []
    for before in (*(step for one in history_of(manifest) for step in steps_of(one)), manifest):
        if before not in found:
            found.append(before)
    return found


def newest(manifest: Manifest, *keys: str) -> Any:
    """The value under these nested keys in the newest step that has one; None if no step has."""
    for step in reversed(steps_of(manifest)):
        value: Any = step
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            return value
    return None


def sources(manifest: Manifest) -> str:
    """The data that the first steps read, as a table; empty if the manifest does not say."""
    rows = dict.fromkeys(row for step in steps_of(manifest) if not history_of(step) for row in _inputs(step))
    return table(("data", "size in bytes", "hash or revision"), rows) if rows else ""


def _inputs(step: Manifest) -> Iterator[tuple[str, ...]]:
    for one in step.get("inputs") or (step.get("staged_from") or {}).get("inputs") or []:
        size = one.get("bytes")
        mark = one.get("blake2b") or one.get("revision") or one.get("fingerprint")
        yield code(one.get("name", "")), f"{size:,}" if isinstance(size, int) else "", code(mark) if mark else ""


def models(manifest: Manifest) -> str:
    """The models that measured or wrote, as a table; empty if there was none."""
    rows = dict.fromkeys(row for step in steps_of(manifest) for row in _models(step))
    return table(("model", "as", "how it ran", "hash of its files"), rows) if rows else ""


def _models(step: Manifest) -> Iterator[tuple[str, ...]]:
    for role, facts in (step.get("measured_with") or {}).items():
        if not isinstance(facts, Mapping) or not (facts.get("model") or facts.get("tokenizer")):
            continue
        ran = [str(facts[name]) for name in HOW if facts.get(name) not in (None, "", "auto")]
        if "samples" in facts:
            temperatures = " ".join(map(str, facts.get("temperatures") or []))
            ran = [f"{facts['samples']} samples", f"temperature {temperatures}", f"seed {facts.get('seed')}", *ran]
        role = "writer" if "samples" in facts else ROLES.get(role, role.replace("reward.", "reward "))
        mark = facts.get("hash") or ("" if "model" in facts else facts.get("tokenizer_hash"))
        shown = facts.get("model") or facts.get("tokenizer")
        yield code(shown), escaped(role), escaped(", ".join(ran)), code(mark) if mark else ""


def parameters(manifest: Manifest, metric: str | None) -> str:
    """The parameters that a metric was computed with, in a sentence; empty if it has none."""
    found = newest(manifest, "metrics", str(metric))
    if not isinstance(found, Mapping) or not found:
        return ""
    shown = [f"{name} {'+'.join(map(str, one)) if isinstance(one, list) else one}" for name, one in found.items()]
    return f"{code(metric)} was computed with {escaped(', '.join(shown))}."


def row_counts(manifest: Manifest) -> str:
    """How many rows each step read, wrote and left out, and why, as a table; empty if no step says."""
    found = [_counts(step) for step in steps_of(manifest) if isinstance(step.get("rows"), Mapping)]
    header = ("step", "rows in", "rows out", "left out")
    return table(header, found) if found else ""


def _counts(step: Manifest) -> tuple[str, ...]:
    rows = step["rows"]
    unreadable = _reasons(rows.get("rejected"))
    reasons = {**_reasons(rows.get("not_kept")), **_reasons(rows.get("left_out")), **unreadable}
    if rows.get("without_pair"):
        reasons["prompts without a pair"] = int(rows["without_pair"])
    out = rows.get("kept", rows.get("written"))
    read = next((rows[name] for name in ("in", "read", "prompts", "pairs") if name in rows), out)
    total = (read if isinstance(read, int) else 0) + (sum(unreadable.values()) if "read" not in rows else 0)
    shown = [f"{count:,}: {escaped(reason)}" for reason, count in list(reasons.items())[:MOST_REASONS]]
    more = sum(list(reasons.values())[MOST_REASONS:])
    shown += [f"{more:,}: other reasons"] if more else []
    return code(step.get("command", "")), f"{total:,}", f"{out:,}" if isinstance(out, int) else "", "<br>".join(shown)


def _reasons(counted: object) -> dict[str, int]:
    found = counted if isinstance(counted, Mapping) else {}
    return dict(sorted(((str(k), int(n)) for k, n in found.items()), key=lambda one: (-one[1], one[0])))


def comparison(
    before: str, after: str, rows: tuple[int, int], figures: Mapping[str, tuple[float | None, float | None]]
) -> dict[str, Any]:
    """What the manifest of a selection says of the rows before and after it, for the cards of all that is made of them.

    Args:
        before: what the rows before are.
        after: what the rows after are.
        rows: how many they are.
        figures: what is known of both, None where it is not: means by column, others by what they are called.
    """
    rounded = [
        [name, *(None if one is None else float(f"{one:.6g}") for one in both)] for name, both in figures.items()
    ]
    return {"before": before, "after": after, "rows": list(rows), "figures": rounded}


def before_and_after(manifest: Manifest) -> str:
    """The rows before and after the last selection or pairing, as a table; empty if nothing is known of them."""
    compared = newest(manifest, "compared")
    if not isinstance(compared, Mapping) or not compared.get("figures"):
        return ""
    before, after = compared["rows"]
    header = ("", f"{escaped(compared['before'])} ({before:,})", f"{escaped(compared['after'])} ({after:,})")
    rows = [(_named(name), *map(_shown, both)) for name, *both in compared["figures"]]
    return table(header, rows)


def _named(name: str) -> str:
    return f"{code(name)}, mean" if name.isidentifier() else escaped(name)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else ""
