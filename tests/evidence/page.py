"""RESULTS.md: the tables with intervals, the verdict on each claim, and what has not been run."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from tests.evidence.cells import DRAWS, Amounts, Cell, plan
from tests.evidence.statistics import Estimate, estimate, holm, paired, verdict

CLAIMS = Path(__file__).parent / "claims.toml"
PAGE = Path(__file__).parent / "RESULTS.md"
TOP = """# Does what curate selects make better models?

Made by `make evidence` (`python -m tests.evidence page`); the design is in `cells.py`, the claims, written down before
the first run, in `claims.toml`.

What this cannot prove: the policies have 0.2 million parameters and the world is made of short lists, so nothing here
says what an 8B model gains. What may carry over are mechanisms (label noise, length, saturation), not absolute gains.
Draws redraw pairs, prompts, samples and the order of training; the reference and the reward model are the demo's in
every draw. A bootstrap over {draws} draws gives intervals that are too narrow if anything. The learning rate is tuned
by gold on held-out prompts, which nobody has in practice, in the same way for every set. All trainings have the same
number of steps (equal compute); random controls of the same share are the comparison at equal data. Not in the design
yet: the pairing strategy `delta-ucb`, which needs a second reward model.
"""
HEAD = (
    "| world | method | share | draws | pairs | gold | minus control (95%) | p, Holm | tokens | log-ratio | "
    "chosen logp change | malformed |"
)
Values = dict[str, dict[int, dict[str, Any]]]


def page(results: pl.DataFrame, amounts: Amounts) -> str:
    """The page in Markdown."""
    cells = plan()
    found = by_name(results, cells, amounts)
    claims = tomllib.loads(CLAIMS.read_text("utf-8"))["claim"]
    tables, comparisons = _comparisons(found), _judged_claims(found, claims)
    ps = [one.p for _, one in (*tables, *comparisons) if one is not None]
    adjusted = iter(holm(ps))
    lines = [TOP.format(draws=DRAWS), _progress(cells, results, amounts, len(ps))]
    rows = {name: (one, next(adjusted)) for name, one in tables if one is not None}
    for table in ("selection", "pairing", "loss"):
        lines.append(_table(table, found, rows))
    answers = [one for _, one in comparisons]
    settled = [(claim, one, next(adjusted) if one else 1.0) for claim, one in zip(claims, answers, strict=True)]
    lines.append(_verdicts(settled))
    lines.append(_missing(cells, results, amounts))
    return "\n".join(lines)


def by_name(results: pl.DataFrame, cells: list[Cell], amounts: Amounts) -> Values:
    """Rows of the present configuration by key without the draw, then by draw."""
    rows = {row["config"]: row for row in results.iter_rows(named=True)}
    found: Values = {}
    for cell in cells:
        if row := rows.get(cell.config(amounts)):
            found.setdefault(cell.key.rpartition("/")[0], {})[cell.draw] = row
    return found


def control_of(name: str) -> str | None:
    """What a cell is compared with: random of the same share, random pairs, or DPO. None for controls."""
    table, world, method, share = name.split("/")
    if table == "selection":
        return None if method in ("random", "untrained", "all") else f"{table}/{world}/random/{share}"
    baseline = {"pairing": "random", "loss": "dpo"}[table]
    return None if method == baseline else f"{table}/{world}/{baseline}/-"


def difference(found: Values, ours: str, control: str, outcome: str = "gold") -> Estimate | None:
    """Mean difference, paired by draw and prompt; None while no draw has both. An empty control stands for 0."""
    values = {draw: row[outcome] for draw, row in found.get(ours, {}).items()}
    if not control:
        return estimate(list(values.values())) if values else None
    others = {draw: row[outcome] for draw, row in found.get(control, {}).items()}
    draws = paired(values, others)
    return estimate(draws) if draws else None


def _comparisons(found: Values) -> list[tuple[str, Estimate | None]]:
    return [(name, difference(found, name, control)) for name in found if (control := control_of(name))]


def _judged_claims(found: Values, claims: list[Mapping[str, str]]) -> list[tuple[str, Estimate | None]]:
    return [
        (one["says"], difference(found, one["method"], one["control"], one.get("outcome", "gold"))) for one in claims
    ]


def _progress(cells: list[Cell], results: pl.DataFrame, amounts: Amounts, comparisons: int) -> str:
    done = set(results["config"])
    mine = [cell for cell in cells if cell.config(amounts) in done]
    seconds = results.filter(pl.col("config").is_in([cell.config(amounts) for cell in mine]))["seconds"].sum()
    return (
        f"\n{len(mine)} of {len(cells)} cells have been run ({seconds:.0f} s of processor time). "
        f"{comparisons} comparisons, corrected together by Holm.\n"
        f"A set: {amounts.pairs} pairs to select from, {amounts.prompts} prompts to pair, {amounts.steps} steps of "
        f"{amounts.batch}, learning rates {', '.join(map(str, amounts.rates))}, {amounts.judged} fresh prompts.\n"
    )


def _mean(rows: Mapping[int, Mapping[str, Any]], name: str) -> float:
    """Mean over draws of a column of numbers, or of lists of them."""
    values = [row[name] for row in rows.values()]
    means = [one if isinstance(one, int | float) else sum(one) / len(one) for one in values]
    return sum(means) / len(means)


def _table(table: str, found: Values, compared: Mapping[str, tuple[Estimate, float]]) -> str:
    lines = [f"\n## {table.capitalize()}\n"]
    rows = [name for name in found if name.startswith(f"{table}/")]
    if not rows:
        return f"{lines[0]}\nNo cell has been run.\n"
    lines += [HEAD, "|" + "---|" * 12]
    for name in rows:
        _, world, method, share = name.split("/")
        got, (one, p) = found[name], compared.get(name, (None, 1.0))
        against = interval(one) if one else "control" if control_of(name) is None else "no control yet"
        numbers = [f"{_mean(got, column):.2f}" for column in ("tokens", "log_ratio", "chosen_change", "malformed")]
        said = [world, method, share, len(got), round(_mean(got, "pairs")), f"{_mean(got, 'gold'):.3f}", against]
        lines.append("| " + " | ".join(map(str, [*said, f"{p:.3f}" if one else "", *numbers])) + " |")
    return "\n".join(lines) + "\n"


def interval(one: Estimate) -> str:
    """A difference with its interval and, if it has fewer than the planned draws, their number."""
    few = f", {one.draws} of {DRAWS} draws" if one.draws < DRAWS else ""
    return f"{one.mean:+.3f} ({one.low:+.3f} to {one.high:+.3f}{few})"


def _verdicts(settled: list[tuple[Mapping[str, str], Estimate | None, float]]) -> str:
    lines = ["\n## Claims\n", "| paper | claim | found | verdict |", "|---|---|---|---|"]
    for claim, one, p in settled:
        said = verdict(one, p, claim["sign"], DRAWS) if one else "cannot tell"
        lines.append(f"| {claim['paper']} | {claim['says']} | {interval(one) if one else 'not run'} | {said} |")
    return "\n".join(lines) + "\n"


def _missing(cells: list[Cell], results: pl.DataFrame, amounts: Amounts) -> str:
    done = set(results["config"])
    left: dict[str, list[str]] = {}
    for cell in cells:
        if cell.config(amounts) not in done:
            left.setdefault(cell.key.rpartition("/")[0], []).append(str(cell.draw))
    lines = [f"- `{name}`: draws {', '.join(draws)}" for name, draws in left.items()]
    return "\n".join(["\n## Outstanding cells\n", *(lines or ["None."])]) + "\n"
