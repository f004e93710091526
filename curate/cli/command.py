"""Commands made from their settings: every field is an option, the docstring of the command's file is the help."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from curate import offline
from curate.cli import starting
from curate.cli.console import say, say_json, stderr, stdout
from curate.cli.reporters import reporter
from curate.cli.standard import streams
from curate.jobs import help_of, job
from curate.jobs.contract import Job
from curate.lines import Line
from curate.settings import flags, make, option_of, parse_options

Quiet = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="No progress and no summary.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print the summary as JSON.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", metavar="", help="Check everything and say what would happen; write nothing.")
]
Offline = Annotated[
    bool, typer.Option("--offline", metavar="", help="Refuse every connection but to servers that you name.")
]
SPOKEN = {"offline": Offline, "quiet": Quiet}
LAST = ("dry_run", "offline", "json", "quiet")
Completion = Callable[[str], list[str]]
"""Maps what was typed so far to words that begin like it."""
Call = Callable[..., None]


def job_command(name: str, extra: Mapping[str, Any], before: Callable[[dict[str, Any]], dict[str, Any]]) -> Call:
    """What typer calls for a job: its signature is the settings, its docstring the help.

    Args:
        name: of the job.
        extra: options that only the command line has, by name.
        before: takes the given values, with the extra ones, and returns those of the settings.
    """
    one = job(name)

    def run(**values: Any) -> None:
        quiet, as_json, dry = values.pop("quiet"), values.pop("json"), values.pop("dry_run", False)
        if values.pop("offline"):
            offline.begin("leave out --offline")
        if "options" in values:
            values["options"] = parse_options(values["options"] or [])
        starting.make_short_jobs_shorter()
        with streams(_given(before(values)), writes_table=one.writes_table, as_json=as_json) as piped:
            made = make(one.settings, piped.values)
            result, lines = _tried(one, made, quiet) if dry else _ran(one, made, quiet)
            if not dry:
                piped.write()
            if as_json:
                say_json(result.to_dict())
            elif not quiet:
                say(piped.summary(lines), stdout() if piped.out is None else stderr())

    dry_run = {"dry_run": DryRun} if one.is_step else {}
    return _described(run, name, one.settings, help_of(name), {**extra, **dry_run, **SPOKEN, "json": Json})


def _ran(one: Job, made: Any, quiet: bool) -> tuple[Any, Iterable[Line]]:
    result = one.run(made, reporter(quiet))
    return result, one.summary(result)


def _tried(one: Job, made: Any, quiet: bool) -> tuple[Any, Iterable[Line]]:
    from curate.cli.trial import trial  # imports what recipes need

    return trial(one, made, reporter(quiet))


def command(name: str, settings: type[BaseModel], call: Call, help: str) -> Call:
    """What typer calls for a command that is not a job.

    Args:
        name: of the command.
        settings: its signature.
        call: takes the settings, whether to print JSON, and, if it has that argument, whether to be quiet.
        help: what it does.
    """
    speaks = "quiet" in inspect.signature(call).parameters

    def run(**values: Any) -> None:
        if values.pop("offline", False):
            offline.begin("leave out --offline")
        told = {"as_json": values.pop("json")} | ({"quiet": values.pop("quiet")} if speaks else {})
        call(make(settings, _given(values)), **told)

    return _described(run, name, settings, help, {**(SPOKEN if speaks else {}), "json": Json})


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _described(run: Call, name: str, settings: type[BaseModel], help: str, extra: Mapping[str, Any]) -> Call:
    """The function with the settings' fields as parameters; extra ones follow the first two, how to speak is last."""
    options = [parameter(settings, field, completing(name, field)) for field in in_order(settings)]
    more = [_parameter(key, kind, False) for key, kind in extra.items() if key not in LAST]
    last = [_parameter(key, extra[key], False) for key in LAST if key in extra]
    parameters = [*options[:2], *more, *options[2:], *last]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__doc__ = inspect.cleandoc(help)
    return run


def in_order(settings: type[BaseModel]) -> list[str]:
    """The names of the fields as the help lists them: data and output, the command's own, then those that it shares."""
    known = settings.model_fields
    own = [name for kind in settings.__mro__ for name in vars(kind).get("__annotations__", {}) if name in known]
    return list(dict.fromkeys([name for name in ("data", "out") if name in known] + own))


def parameter(settings: type[BaseModel], name: str, completion: Completion | None) -> inspect.Parameter:
    """The argument or option for one field, with the field's help, spelling, choices, default and completion."""
    info, stated = settings.model_fields[name], option_of(settings, name)
    kind, default = _typed(info)
    if stated.argument:
        shown: Any = typer.Argument(
            metavar=stated.metavar, help=info.description, show_default=False, autocompletion=completion
        )
    else:
        shown = typer.Option(
            *flags(settings, name),
            metavar="" if kind is bool else stated.metavar,
            help=info.description,
            rich_help_panel=stated.panel,
            show_default=kind is not bool and default is not None,
            min=_least(info) if kind in (int, int | None) else None,
            autocompletion=completion,
        )
    return _parameter(name, Annotated[kind, shown], inspect.Parameter.empty if info.is_required() else default)


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _typed(info: FieldInfo) -> tuple[Any, Any]:
    """The type that the command line parses, and its default; what it cannot parse, it leaves to the settings as text.

    An option that can be given several times is a list, and None when it is not given.
    """
    kind, optional = _bare(info.annotation)
    if kind is dict or get_origin(kind) in (dict, tuple):
        return (list[str] if info.is_required() else list[str] | None), None
    if kind not in (bool, int, float, Path) and get_origin(kind) is not Literal:
        kind = str
    default = None if info.is_required() else info.get_default()
    return (kind | None if optional else kind), default


def _bare(annotation: Any) -> tuple[Any, bool]:
    """A type without its checks, and whether None is one of its values."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (types.UnionType, typing.Union):
        kinds = [one for one in get_args(annotation) if one is not type(None)]
        return _bare(kinds[0])[0], True
    return annotation, False


def _least(info: FieldInfo) -> int | None:
    """The smallest whole number that the field takes."""
    checks = [*info.metadata]
    for one in get_args(info.annotation):
        checks += get_args(one)[1:] if get_origin(one) is Annotated else []
    return next((1 for one in checks if isinstance(one, annotated_types.Gt) and one.gt == 0), None)


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
