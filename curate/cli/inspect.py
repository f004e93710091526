"""`curate inspect`."""

from __future__ import annotations

from curate.cli import options as o


def inspect(data: o.Data, quiet: o.Quiet = False) -> None:
    """Say which layout the data has, and what is wrong with it; loads no model."""
    from curate.cli import console
    from curate.jobs.inspect import inspect as run
    from curate.readers.reading import listed

    found = run(tuple(data), console.reporter(quiet))
    out = console.stdout()
    bad = sum(count for count, _ in found.rejected.values())
    facts = {
        "layout": f"{found.layout.name}: {found.layout.summary}",
        "columns": ", ".join(found.columns),
        "not read": listed(found.reading.unread) or "none",
        "rows": f"{found.rows:,} usable, {bad:,} not",
        "prompts": f"{found.unique_prompts:,} different; messages: " + _counts(found.turns),
        "responses": "a row: " + _counts(found.responses),
        "rewards": found.rewards,
        "duplicates": f"{found.duplicate_rows:,} rows stand earlier too",
        "flags": ", ".join(f"{name} {count:,}" for name, count in found.flags.items()) or "none",
    }
    for name, text in facts.items():
        out.print(f"{name:>11}  {text}", markup=False)
    for note in found.reading.notes():
        out.print(note, markup=False)
    rows = [(f"{name} words", *quantiles) for name, quantiles in found.lengths.items()]
    out.print(console.table("", ("length", "5%", "median", "95%", "most"), rows))
    for reason, (count, places) in found.rejected.items():
        out.print(
            f"  {count:,} rejected: {reason} ({', '.join(places)}{', ...' if count > len(places) else ''})",
            markup=False,
        )


def _counts(counts: dict[int, int]) -> str:
    shown = [f"{size}: {count:,}" for size, count in list(counts.items())[:6]]
    return ", ".join(shown) + (", ..." if len(counts) > 6 else "")
