"""The summary that each command prints when it has finished."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from curate.cli.console import cell, stdout, table

if TYPE_CHECKING:
    from curate.demo.run import DemoResult
    from curate.jobs.explain import Explanation, Number, Verdict
    from curate.jobs.export import ExportResult
    from curate.jobs.generate import GenerateResult
    from curate.jobs.inspect import Inspection
    from curate.jobs.pair import PairResult
    from curate.jobs.report import ReportResult
    from curate.jobs.score import ScoreResult
    from curate.jobs.select import SelectResult
    from curate.jobs.weigh import WeighResult
    from curate.pairs.table import MetricSummary

MOST_REASONS = 8


def print_inspect(found: Inspection) -> None:
    """The layout, what is read of it, how much there is, and what is wrong with it."""
    from curate.readers.reading import listed

    out = stdout()
    bad = sum(count for count, _ in found.rejected.values())
    facts = {
        "layout": f"{found.layout.name}: {found.layout.summary}",
        "columns": ", ".join(found.columns),
        "not read": listed(found.reading.unread) or "none",
        "rows": f"{found.rows:,} usable, {bad:,} not",
        "prompts": f"{found.unique_prompts:,} different; messages: " + _counts(found.turns),
        "responses": "a row: " + _counts(found.responses),
        "rewards": found.rewards,
        "duplicates": f"{found.duplicate_rows:,} duplicate rows",
        "flags": ", ".join(f"{name} {count:,}" for name, count in found.flags.items()) or "none",
    }
    for name, text in facts.items():
        out.print(f"{name:>11}  {text}", markup=False)
    for note in found.reading.notes():
        out.print(note, markup=False)
    rows = [(f"{name} words", *quantiles) for name, quantiles in found.lengths.items()]
    out.print(table("", ("length", "5%", "median", "95%", "most"), rows))
    for reason, (count, places) in found.rejected.items():
        out.print(
            f"  {count:,} rejected: {reason} ({', '.join(places)}{', ...' if count > len(places) else ''})",
            markup=False,
        )


def print_explain(found: Explanation) -> None:
    """The texts, every number with its percentile, what each metric was computed from, and the verdict."""
    out = stdout()
    out.print(f"pair {found.pair_id}, row {found.row:,} of {found.rows:,}", markup=False)
    for name, text in found.texts.items():
        out.print(f"\n[bold]{name}[/]")
        out.print(spoken(text), markup=False)
    if found.flags:
        out.print(f"\nflags: {', '.join(found.flags)}", markup=False)
    rows = [(one.name, one.value, percentile(one)) for one in found.numbers]
    out.print(table("", ("number", "value", "percentile"), rows))
    for term in found.metrics:
        one = term.number
        out.print(f"[bold]{one.name}[/] {cell(one.value)}, percentile {percentile(one)} ({term.better} is better)")
        out.print(f"  {term.formula}", markup=False)
        reads = [f"{name} {cell(value)}" for name, value in term.reads.items()]
        reads += [f"{name}={value}" for name, value in term.parameters.items()]
        out.print(f"  {', '.join(reads)}", markup=False)
    if found.verdict is not None:
        print_verdict(found.verdict)


def print_verdict(verdict: Verdict) -> None:
    """The rule of a selection, and how far the pair was from its cut."""
    out = stdout()
    said = "kept" if verdict.reason is None else f"not kept: {verdict.reason}"
    out.print(f"\n{said}\n  rule: {verdict.rule}", markup=False)
    if verdict.by is not None:
        rank = f"rank {verdict.rank:,} of {verdict.ranked:,}" if verdict.rank else "no value"
        line = f"  {verdict.by} {cell(verdict.value)}, {rank}; worst kept {cell(verdict.cut)}"
        out.print(line + (f", {verdict.distance:+.4g} from it" if verdict.distance is not None else ""), markup=False)


def percentile(one: Number) -> str:
    """A percentile with one decimal; a dash where there is none."""
    return "-" if one.percentile is None else f"{one.percentile:.1f}"


def spoken(text: Any) -> str:
    """A text; of an answer's conversation its last message, of a prompt's all with their roles."""
    if not isinstance(text, list):
        return str(text)
    said = [f"{one['role']}: {one['content']}" for one in text]
    return said[-1].partition(": ")[2] if text and text[-1]["role"] == "assistant" else "\n".join(said)


def _counts(counts: dict[int, int]) -> str:
    shown = [f"{size}: {count:,}" for size, count in list(counts.items())[:6]]
    return ", ".join(shown) + (", ..." if len(counts) > 6 else "")


def print_generate(result: GenerateResult) -> None:
    """Prompts in, responses out, and what each model generated."""
    console = stdout()
    bad = sum(result.rejected.values())
    console.print(
        f"{result.rows + bad:,} rows in ({result.layout}), {result.prompts:,} prompts sampled, {bad:,} rejected."
    )
    print_rejected(result.rejected, result.rejects)
    print_columns(result.unread)
    header = ("model", "temperature", "drawn", "different", "cut at the limit", "mean tokens")
    console.print(table("", header, [tuple(vars(one).values()) for one in result.writers]))
    console.print(f"{result.responses:,} responses; wrote {result.out}", markup=False)


def print_score(result: ScoreResult) -> None:
    """Rows in, scored and rejected by reason; one line per metric."""
    console = stdout()
    bad = sum(result.rejected.values())
    console.print(
        f"{result.rows + bad:,} rows in ({result.layout}), {result.rows:,} {result.kind} scored, {bad:,} rejected."
    )
    print_rejected(result.rejected, result.rejects)
    print_columns(result.unread)
    print_judges(result.judges)
    print_flags(result.flags)
    if result.metrics:
        console.print(metric_table(result.metrics))
    print_parameters({name: values for name, values in result.parameters.items() if name == "dcrm"})
    console.print(f"wrote {result.out}", markup=False)


def print_rejected(rejected: dict[str, int], path: Any) -> None:
    """The most frequent reasons, and where the rejected rows are."""
    console = stdout()
    for reason, count in list(rejected.items())[:MOST_REASONS]:
        console.print(f"  {count:,} rejected: {reason}", markup=False)
    if path is not None:
        console.print(f"  rejected rows are in {path}", markup=False)


def print_columns(unread: Sequence[str]) -> None:
    """The columns that were not read."""
    from curate.readers.reading import listed

    if unread:
        stdout().print(f"columns not read: {listed(unread)}", markup=False)


def print_flags(flags: dict[str, int]) -> None:
    """How many rows carry each flag."""
    if flags:
        stdout().print("flags: " + ", ".join(f"{name} {count:,}" for name, count in flags.items()), markup=False)


def print_unread(rejected: dict[str, int], path: Any) -> None:
    """How many rows of the files could not be read, why, and where they are."""
    if rejected:
        stdout().print(f"  {sum(rejected.values()):,} more could not be read and were set aside:", markup=False)
        print_rejected(rejected, path)


def print_judges(judges: dict[str, dict[str, int]]) -> None:
    """How often each judge gave each verdict."""
    from curate.scorers.judge import VERDICTS

    for name, verdicts in judges.items():
        shown = "; ".join(f"{count:,} {VERDICTS[verdict]}" for verdict, count in verdicts.items())
        stdout().print(f"judge {name}: {shown}", markup=False)


def metric_table(metrics: Sequence[MetricSummary]) -> Any:
    """One line per metric."""
    rows = [(m.name, m.mean, m.low, m.median, m.high, m.nulls) for m in metrics]
    return table("", ("metric", "mean", "5%", "median", "95%", "null"), rows)


def print_select(result: SelectResult) -> None:
    """Rows kept and the criterion, and why the others were dropped."""
    console = stdout()
    how = ""
    if result.by is not None:
        computed = " (computed here)" if result.computed else ""
        how = f" by {result.by}{computed}, {result.order} first"
        how += f", down to {result.cut:.6g}" if result.cut is not None and result.order == "highest" else ""
        how += f", up to {result.cut:.6g}" if result.cut is not None and result.order == "lowest" else ""
    console.print(f"{result.kept:,} of {result.rows:,} rows kept{how}.", markup=False)
    print_unread(result.rejected, result.rejects)
    if result.preset is not None:
        print_preset(result.preset)
    for reason, count in result.reasons.items():
        console.print(f"  {count:,} not kept: {reason}", markup=False)
    print_parameters(result.parameters)
    if not result.kept:
        console.print("warning: no row was kept; the output is empty.")
    console.print(f"wrote {result.out}", markup=False)


def print_preset(name: str) -> None:
    """What the preset is, and how it differs from its paper."""
    from curate.selection.presets import find_preset

    preset = find_preset(name)
    stdout().print(f"preset {name} ({preset.source}). {preset.differs}".rstrip(), markup=False)


def print_parameters(parameters: dict[str, dict[str, Any]]) -> None:
    """The parameters that decided a metric."""
    for name, values in parameters.items():
        shown = ", ".join(f"{k} {'+'.join(v) if isinstance(v, tuple) else v}" for k, v in values.items())
        if shown:
            stdout().print(f"{name}: {shown}", markup=False)


def print_pair(result: PairResult) -> None:
    """Pairs built, and how they differ from the old ones."""
    console = stdout()
    console.print(f"{result.prompts:,} prompts, {result.pairs:,} pairs, {result.without:,} prompts without a pair.")
    counted = result.edit_distances
    broken_off = f", {counted['broken_off']:,} more comparisons broken off" if counted["broken_off"] else ""
    console.print(f"{counted['measured']:,} of {counted['pairs']:,} edit distances measured{broken_off}.")
    print_rejected(result.rejected, result.rejects)
    print_columns(result.unread)
    print_judges(result.judges)
    print_flags(result.flags)
    print_parameters(result.parameters)
    label = "pairs in the data" if result.old == "given" else "max-min pairs"
    rows = [(name, old, new) for name, (old, new) in result.compared.items()]
    console.print(table("", ("mean", label, "new pairs"), rows))
    console.print(f"wrote {result.out}", markup=False)


def print_weigh(result: WeighResult) -> None:
    """The columns added, and how many rows have no value."""
    console = stdout()
    console.print(f"{result.rows:,} rows weighed by {result.method}, {result.nulls:,} without a value.", markup=False)
    print_unread(result.rejected, result.rejects)
    print_parameters({result.method: result.parameters})
    console.print(metric_table(result.columns))
    console.print(f"wrote {result.out}", markup=False)


def print_export(result: ExportResult) -> None:
    """Pairs read, rows written, the columns and the files."""
    console = stdout()
    console.print(
        f"{result.pairs:,} pairs ({result.layout}) exported for {result.format}, {result.rows:,} rows, "
        f"{sum(result.rejected.values()):,} rejected.",
        markup=False,
    )
    print_rejected(result.rejected, result.rejects)
    console.print(f"columns: {', '.join(result.columns)}", markup=False)
    console.print(f"wrote {result.out}: {', '.join(result.files)}", markup=False)


def print_report(result: ReportResult) -> None:
    """What the page shows, and how large it is."""
    console = stdout()
    kept = "" if result.kept is None else f", {result.kept:,} kept"
    by = "" if result.by is None else f", opening with {result.by}"
    console.print(f"{result.rows:,} rows{kept}{by}; {result.pairs:,} pairs with their numbers.", markup=False)
    if result.sampled < result.rows:
        console.print(
            f"Figures are over all rows; a click filters a random sample of {result.sampled:,}.", markup=False
        )
    print_unread(result.rejected, result.rejects)
    console.print(f"wrote {result.out} ({result.size / 1e6:.2f} MB)", markup=False)


def print_demo(result: DemoResult) -> None:
    """What was made, what it is worth by the gold reward known only to the demo's world, and where it is."""
    console = stdout()
    console.print("\nPairs of the demo world, scored by its tiny policy, reference and reward model:")
    console.print(metric_table(result.scored.metrics))
    console.print("What the world's gold reward, hidden from every model, says about the pairs kept:")
    console.print(table("", ("selection", "pairs", "mean gold margin", "rightly labelled"), result.selections))
    console.print("The policy's own responses, paired:")
    rows = [(name, old, new) for name, (old, new) in result.paired.compared.items()]
    console.print(table("", ("mean", "max-min pairs", "best-of-N^2 by dcrm"), rows))
    gold = ", ".join(f"{name} {value:.3f}" for name, value in result.gold_pairs.items())
    console.print(f"mean gold margin: {gold}\n", markup=False)
    for name, path in result.files.items():
        console.print(f"{name:>24}  {path}", markup=False)
    console.print(f"{'models':>24}  {result.folder / 'models'}", markup=False)
