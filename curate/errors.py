"""Every error that `curate` raises on purpose, and how each interface spells the setting that it concerns.

CurateError                  anything that the user can fix; printed as three lines, exit code 2
  InputError                 a file, a column or a row of the data
  SettingsError              an option, a metric parameter, a recipe
  ModelError                 a model or a tokenizer that cannot be used
  MissingExtra               an optional package that is not installed
  OfflineError               a connection that --offline forbids
  StoreError                 the output folder, unfinished work, disk space
RowError                     one bad row; goes to the rejects file, never stops a run
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

KEPT = "What was done is kept."
"""A note on an exception that left unfinished work to resume."""

Value = str | int | float | bool | Path | None

FLAGS = {"options": "--set", "rows_as": "--as", "out": "-o"}
"""Settings whose option has another name."""
FIELDS = {flag: name for name, flag in FLAGS.items()}
MAPPINGS = {"options", "set"}
"""Settings of many: their values are `metric.parameter=value`, or the input of a recipe with `=value`."""
OPTION = re.compile(
    r"`(?:curate|hf) [^`]*`|(?<![\w/-])(--set [\w.*-]*[\w*]|-o\b|--[a-z][a-z-]*)(?:=([^\s;`]*[^\s;`,.)]))?"
)


class CurateError(Exception):
    """An error that the user can fix.

    Its three texts are written once, as the command line spells options: `--name`, `--name=value`, `--set metric.name`.
    `str(error)` respells them for Python, as `for_python` and `as_argument` say.

    Args:
        what: what went wrong, one sentence.
        where: the file, column or model that it concerns; left out where it is a setting.
        hint: what to try next.
        setting: the name of the setting's field, such as `min_margin`; `options` for a metric's parameter.
        value: what it was set to, None where it was not given; `dcrm.eps=3` where the setting is `options`.
    """

    def __init__(self, what: str, where: str = "", hint: str = "", *, setting: str = "", value: Value = None) -> None:
        super().__init__(what)
        self.what, self.hint = what, hint
        self.setting, self.value = setting, value
        self.place = where

    @property
    def where(self) -> str:
        """The place that was named, or else the setting as the command line spells it."""
        return self.place or as_option(self.setting, self.value)

    @where.setter
    def where(self, place: str) -> None:
        self.place = place

    def __str__(self) -> str:
        where = self.place or as_argument(self.setting, self.value)
        return "\n".join(line for line in (for_python(self.what), where, for_python(self.hint)) if line)

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors travel between processes, and not every kind is made from these.
        return _again, (type(self), self.what, self.place, self.hint, self.setting, self.value)


def _again(kind: type[CurateError], what: str, where: str, hint: str, setting: str, value: Value) -> CurateError:
    error = kind.__new__(kind)
    CurateError.__init__(error, what, where, hint, setting=setting, value=value)
    return error


def as_option(setting: str, value: Value = None) -> str:
    """A setting as the command line spells it: `--by dcrm`, `--fresh`, `--set dcrm.eps=3`."""
    if not setting:
        return ""
    option = FLAGS.get(setting, f"--{setting.replace('_', '-')}")
    return option if value is None or value is True else f"{option} {value}"


def as_argument(setting: str, value: Value = None) -> str:
    """A setting as a Python call spells it: `by='dcrm'`, `by=` without a value, `options={'dcrm': {'eps': 3}}`."""
    if setting in MAPPINGS and value is not None:
        return f"{setting}={_as_mapping(setting, str(value))}"
    if not setting or value is None:
        return setting and f"{setting}="
    return f"{setting}={(str(value) if isinstance(value, Path) else value)!r}"


def as_entry(setting: str, value: Value = None) -> str:
    """A setting as a recipe spells it: `by: dcrm`, `dcrm.eps: 3` for a metric's parameter."""
    if setting in MAPPINGS and value is not None:
        setting, _, value = str(value).partition("=")
    if value is None or value == "":
        return setting
    return f"{setting}: {str(value).lower() if isinstance(value, bool) else value}"


def for_python(text: str) -> str:
    """The text with options spelled for Python.

    `--by` alone is named in backquotes, `--by=dcrm` becomes `by='dcrm'` and `--set dcrm.eps=3` the mapping that a call
    takes. A whole command in backquotes stays a command.
    """

    def respelled(found: re.Match[str]) -> str:
        option, value = found[1], found[2]
        if option is None:
            return found[0]
        if option.startswith("--set "):
            key = option.removeprefix("--set ")
            setting = "options" if "." in key else "set"
            return f"{setting}={_as_mapping(setting, key if value is None else f'{key}={value}')}"
        name = FIELDS.get(option, option.removeprefix("--").replace("-", "_"))
        return f"`{name}`" if value is None else f"{name}={_literal(value)}"

    return OPTION.sub(respelled, text)


def _as_mapping(setting: str, assignment: str) -> str:
    """`dcrm.eps=3` as `{'dcrm': {'eps': 3}}`, with `...` where there is no value."""
    key, equals, value = assignment.partition("=")
    shown = _literal(value) if equals else "..."
    owner, dot, parameter = key.partition(".") if setting == "options" else (key, "", "")
    inner = f"{{{parameter!r}: {shown}}}" if dot and parameter != "*" else shown
    return f"{{{owner!r}: {inner}}}"


def _literal(text: str) -> str:
    """A value as Python spells it; numbers and placeholders such as MODEL stay as they are."""
    try:
        float(text)
    except ValueError:
        return text if text.isupper() or text == "..." else repr(text)
    return text


class InputError(CurateError):
    """The data cannot be read, or lacks what the command needs."""


class SettingsError(CurateError):
    """An option or a parameter is meaningless, or contradicts another."""


class ModelError(CurateError):
    """A model or a tokenizer cannot be loaded, or cannot do what is asked of it."""


class StoreError(CurateError):
    """The output or the unfinished work next to it cannot be used."""


class OfflineError(CurateError):
    """A connection that was about to be made although the user wants none."""


class MissingExtra(CurateError):
    """An optional package is not installed.

    Args:
        package: the package that could not be imported.
        extra: the extra of this distribution that installs it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"The package {package} is not installed.",
            f"It belongs to the extra [{extra}].",
            f"Install it with: pip install 'curate-preferences[{extra}]'",
        )


class RowError(ValueError):
    """One row cannot be used; the message is the reason written to the rejects file."""


def first_line(error: BaseException) -> str:
    """The first line of another library's error message; the error's type if it has none."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__


def last_line(error: BaseException) -> str:
    """The last line of an exception's message; empty if it has none."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


MOST_NAMED = 12
"""So many names are read at a glance."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the closest known words, or all of them (the first dozen) if none is close.

    Capitals and the kind of hyphen do not count; `score` is close to `score_chosen`.
    """
    choices = sorted(set(known))
    near = closest(word, choices)
    if near:
        return f"Did you mean {' or '.join([', '.join(near[:-1]), near[-1]] if near[1:] else near)}?"
    more = f" and {len(choices) - MOST_NAMED:,} more" if len(choices) > MOST_NAMED + 1 else ""
    shown = choices[:MOST_NAMED] if more else choices
    return f"Known: {', '.join(shown)}{more}." if choices else ""


def closest(word: str, known: Iterable[str]) -> list[str]:
    """Up to three known words that are spelled like this one, or have a part that is; the closest first."""
    wanted = _plainly(word)
    likeness = {name: _likeness(wanted, _plainly(name)) for name in dict.fromkeys(known)}
    least = max(0.6, max(likeness.values(), default=0) - 0.2)
    near = sorted(name for name, one in likeness.items() if one >= least)
    return sorted(near, key=lambda name: -likeness[name])[:3]


def _plainly(word: str) -> str:
    return word.lower().replace("-", "_").strip()


def _likeness(wanted: str, name: str) -> float:
    """From 0 to 1, which is the same word; a part of a name counts for a little less than the whole."""
    matcher = difflib.SequenceMatcher(b=wanted)
    found = 0.0
    for text, weight in ((name, 1.0), *((part, 0.85) for part in name.split("_") if part != name)):
        matcher.set_seq1(text)
        found = max(found, weight * matcher.ratio() if len(text) > 2 or text == wanted else 0.0)
    return found
