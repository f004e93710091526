"""What all settings share: how an option is stated, how values become settings, and which of them a manifest holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, ValidationError

from curate.errors import SettingsError, did_you_mean

Options = dict[str, dict[str, Any]]
RUN = "How to run"
READING = "How to read the data"
FRESH = "Start over instead of resuming unfinished work."


class Record(Enum):
    """What the manifest holds of a setting."""

    GIVEN = "the value as it was given: it decides the result"
    MEANT = "what it means: data by its hash, a model by name and hash, `auto` as decided"
    PLACE = "nothing: it says where or how patiently the work is done, so an interrupted run may resume with another"


@dataclass(frozen=True)
class Option:
    """How the command line spells a setting, and what the manifest holds of it.

    Attributes:
        panel: the heading of the help under which it stands; None for the first.
        metavar: what the help shows in place of a value.
        spelled: its name on the command line, where that is not the setting's.
        short: its one-letter spelling, such as `-o`.
        record: what the manifest holds of it.
        argument: whether it is given by its place, without a name.
        was: its name in earlier releases, which is still taken.
    """

    panel: str | None = None
    metavar: str | None = None
    spelled: str | None = None
    short: str | None = None
    record: Record = Record.GIVEN
    argument: bool = False
    was: str | None = None


def flags(settings: type[BaseModel], name: str) -> tuple[str, ...]:
    """How the command line spells a setting: `--long-name`, and the one letter where there is one."""
    stated = option_of(settings, name)
    return (f"--{(stated.spelled or name).replace('_', '-')}", *filter(None, [stated.short]))


def option(
    default: Any = ...,
    help: str = "",
    *,
    panel: str | None = None,
    metavar: str | None = None,
    spelled: str | None = None,
    short: str | None = None,
    record: Record = Record.GIVEN,
    argument: bool = False,
    was: str | None = None,
    **checks: Any,
) -> Any:
    """State a setting: its default, what it does, how the command line spells it, and pydantic's own checks."""
    stated = Option(panel, metavar, spelled, short, record, argument, was)
    return Field(default, description=help, json_schema_extra={"option": stated}, **checks)  # type: ignore[dict-item]


def option_of(settings: type[BaseModel], name: str) -> Option:
    """How a setting was stated."""
    extra = settings.model_fields[name].json_schema_extra
    found = extra.get("option") if isinstance(extra, dict) else None
    return found if isinstance(found, Option) else Option()


class DataSettings(BaseModel):
    """Where the data is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: tuple[str, ...] = option(
        help="Paths, globs or folders (.parquet .json .jsonl .csv .tsv .arrow, also .gz .zst), hf://owner/name, or - "
        "for standard input.",
        metavar="DATA",
        record=Record.MEANT,
        argument=True,
        min_length=1,
    )


def _by_name(value: Any) -> Any:
    """`NAME=COLUMN`, or text with commas between several, as a mapping."""
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        return value
    pairs = [one.partition("=") for part in parts for one in str(part).split(",") if one.strip()]
    if not all(equals and name.strip() and column.strip() for name, equals, column in pairs):
        raise ValueError("columns are named as NAME=COLUMN, for example prompt=question,chosen=answer_a")
    found = {name.strip(): column.strip() for name, _, column in pairs}
    if len(found) < len(pairs):
        raise ValueError("a name is given twice")
    return found


Columns = Annotated[dict[str, str], BeforeValidator(_by_name)]


class ColumnSettings(BaseModel):
    """Which columns hold what, where their names do not say so."""

    columns: Columns = option(
        {},
        "Read COLUMN as NAME (prompt, chosen, rejected, responses, ...), where the data's names are not recognised. "
        "The output has it under NAME.",
        metavar="NAME=COLUMN[,...]",
        panel=READING,
    )


class ReadingSettings(ColumnSettings):
    """How pairs are read."""

    ties: Literal["drop", "keep", "error"] = option(
        "drop",
        "Rows that say that neither response is better: drop sets them aside, keep makes them pairs with the flag "
        "tie, error stops.",
        panel=READING,
        record=Record.MEANT,
    )


class FirstRows(BaseModel):
    """How much of the data is read."""

    limit: PositiveInt | None = option(
        None, "Read only the first N rows, to try the command.", metavar="N", panel=READING
    )


class Settings(DataSettings):
    """What every command that writes shares."""

    out: Path = option(
        help="A .parquet file, a folder of shards, or - for lines of JSON on standard output.",
        metavar="OUT",
        short="-o",
    )
    strict: bool = option(False, "Make the first bad row an error.", panel=RUN)


Files = Annotated[tuple[Path, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str | Path) else v)]


class PageSettings(BaseModel):
    """What every command whose result a page can show shares."""

    report: Path | None = option(
        None, "Also write the page of `curate report` on the result.", metavar="FILE.html", record=Record.PLACE
    )


class MetricSettings(Settings):
    """What every command that computes metrics shares."""

    options: Options = option(
        {},
        "A metric's parameter; see `curate metrics`. Repeatable.",
        metavar="METRIC.NAME=VALUE",
        spelled="set",
    )
    metrics: Files = option(
        (),
        "A Python file that declares metrics of your own. Repeatable.",
        metavar="FILE",
        record=Record.MEANT,
    )


S = TypeVar("S", bound=BaseModel)


def for_manifest(settings: Settings, *, defaults: bool = True) -> dict[str, Any]:
    """The settings that a manifest holds as they were given, without empty ones, and perhaps without defaults.

    Paths are never among them: where a file is decides nothing.
    """
    left_out = {
        name
        for name, field in type(settings).model_fields.items()
        if _holds_paths(field.annotation) or option_of(type(settings), name).record is not Record.GIVEN
    }
    held = settings.model_dump(mode="json", exclude=left_out, exclude_defaults=not defaults)
    return {key: value for key, value in held.items() if value not in (None, (), [], {})}


def _holds_paths(kind: Any) -> bool:
    """Whether a value of this type is a path, or can hold one."""
    return kind is Path or any(map(_holds_paths, get_args(kind)))


def make(kind: type[S], values: Mapping[str, Any]) -> S:
    """Settings of this kind from plain values, such as a command line's or a recipe's.

    Raises:
        SettingsError: an unknown key, or a value that the setting cannot have.
    """
    values = renamed(kind, values)
    unknown = [key for key in values if key not in kind.model_fields]
    if unknown:
        raise SettingsError(f"There is no setting {unknown[0]}.", setting=unknown[0], hint=_meant(kind, unknown[0]))
    several = {name for name, field in kind.model_fields.items() if field.annotation == tuple[str, ...]}
    tupled = {name: (one,) if name in several and isinstance(one, str) else one for name, one in values.items()}
    try:
        return kind(**tupled)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        why = first["msg"].removeprefix("Value error, ")
        raise SettingsError(
            f"The setting {name} cannot be {first['input']!r}: {why}.",
            setting=name.split(".")[0],
            value=first["input"] if isinstance(first["input"], str | int | float | Path) else None,
            hint="See the command's help.",
        ) from error


def _meant(kind: type[BaseModel], unknown: str) -> str:
    """What an unknown setting may be: one of the values that another setting takes, or a name like it."""
    value = unknown.replace("_", "-")
    for name, field in kind.model_fields.items():
        if value in (get_args(field.annotation) if get_origin(field.annotation) is Literal else ()):
            default = ", which is the default, so leave it out" if field.default == value else ""
            return f"It is a value of another setting: --{name.replace('_', '-')}={value}{default}."
    return did_you_mean(unknown, kind.model_fields)


def renamed(kind: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with settings under their present names."""
    now = {option_of(kind, name).was: name for name in kind.model_fields}
    return {now.get(key, key): value for key, value in values.items()}


def parse_options(assignments: Sequence[str]) -> Options:
    """`METRIC.parameter=value` assignments as a mapping of mappings; values stay text until a metric checks them.

    Raises:
        SettingsError: an assignment of another form, or one parameter given twice.
    """
    options: Options = {}
    for assignment in assignments:
        target, equals, value = assignment.partition("=")
        metric, dot, parameter = target.strip().partition(".")
        if not (equals and dot and metric and parameter):
            raise SettingsError(
                f"{assignment!r} is not of the form METRIC.parameter=value.",
                setting="options",
                value=assignment,
                hint="For example: --set dcrm.eps=0.1",
            )
        metric = metric.replace("-", "_")
        if parameter in options.setdefault(metric, {}):
            raise SettingsError(
                f"{metric}.{parameter} is set twice.", setting="options", value=assignment, hint="Keep one of the two."
            )
        options[metric][parameter] = value.strip()
    return options
