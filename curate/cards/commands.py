"""Commands as they are typed, from the manifests of what they wrote."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from curate.errors import as_option
from curate.settings import DataSettings, GenerateSettings, PairSettings, ScoreSettings, SelectSettings

DEFAULTS: Mapping[str, type[DataSettings]] = {
    "generate": GenerateSettings,
    "score": ScoreSettings,
    "select": SelectSettings,
    "pair": PairSettings,
}
"""Commands whose manifests also hold settings that were left at their default."""
KNOWN = (*DEFAULTS, "weigh", "export")
ROLES = ("policy", "reference", "embedder")
UNNAMED = "OUT.parquet"
FOLDER, SHARDS = "OUT", "FOLDER"
"""What an output folder is called, and a folder of shards that was read, since no manifest holds their names."""
SHARD = re.compile(r"data-\d{5}\.parquet")


def command_of(manifest: Mapping[str, Any], out: str = UNNAMED) -> str:
    """The command that wrote a file: inputs and models by name, since a manifest holds no folders.

    Args:
        manifest: of the file.
        out: the name of the output.
    """
    name = str(manifest.get("command", ""))
    if name not in KNOWN:
        return ""
    parts = ["curate", name, *map(shlex.quote, inputs_of(manifest)), *_models(manifest), *_method(manifest)]
    return " ".join([*parts, *_settings(manifest, DEFAULTS.get(name)), "-o", shlex.quote(out)])


def commands_of(manifests: Sequence[Mapping[str, Any]], out: str = UNNAMED) -> list[str]:
    """Every command that led to some files, oldest first, each once.

    Args:
        manifests: of the files.
        out: the name of the last command's output; the others are named as the next command read them.
    """
    found: list[str] = []
    for manifest in manifests:
        earlier = zip(history_of(manifest), _names_before(manifest), strict=True)
        found += [one for before, name in earlier for one in commands_of([before], name)]
        found.append(command_of(manifest, out))
    return [one for one in dict.fromkeys(found) if one]


def history_of(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The manifests of the files that a command read."""
    return [one for one in manifest.get("history") or [] if isinstance(one, dict)]


def inputs_of(manifest: Mapping[str, Any]) -> list[str]:
    """The names of what a command read; the shards of a folder, whose name no manifest holds, count as one."""
    staged = manifest.get("staged_from") or {}
    names = [str(one.get("name", "")) for one in manifest.get("inputs") or staged.get("inputs") or []]
    return list(dict.fromkeys(SHARDS if SHARD.fullmatch(name) else name for name in names))


def _names_before(manifest: Mapping[str, Any]) -> list[str]:
    """What the outputs of the earlier commands were called."""
    history, names = history_of(manifest), inputs_of(manifest)
    if len(names) == 1 and names[0]:
        return names * len(history)
    return names if len(names) == len(history) and all(names) else [UNNAMED] * len(history)


def _models(manifest: Mapping[str, Any]) -> Iterator[str]:
    if manifest.get("command") == "generate":
        for model in manifest.get("models") or []:
            yield from (as_option("policy"), shlex.quote(str(model)))
        return
    measured = manifest.get("measured_with") or {}
    for role in ROLES:
        model = (measured.get(role) or {}).get("model")
        if model:
            yield from (f"--{role}", shlex.quote(str(model)))
    for reward in manifest.get("rewards") or []:
        name, kind, target = (str(part) for part in (*reward, "", "", "")[:3])
        if kind != "columns":
            yield from (as_option("reward"), shlex.quote(f"{name}={target}" if name else target))
    for evaluation in (manifest.get("flags_from") or {}).get("decontaminate") or []:
        yield from (as_option("decontaminate"), shlex.quote(str(evaluation.get("name"))))


def _method(manifest: Mapping[str, Any]) -> Iterator[str]:
    """The method and the parameters of `curate weigh`, its preset resolved."""
    method = manifest.get("method")
    if manifest.get("command") != "weigh" or not method:
        return
    yield from (as_option("method"), shlex.quote(str(method).replace("_", "-")))
    known = {name: value for name, value in (manifest.get("parameters") or {}).items() if value is not None}
    for name, value in known.items():
        yield from (as_option("options"), shlex.quote(f"{method}.{name}={value}"))


def _settings(manifest: Mapping[str, Any], kind: type[DataSettings] | None) -> Iterator[str]:
    for name, value in (manifest.get("settings") or {}).items():
        if name == "metrics":
            for file in value:
                yield from (as_option("metrics"), shlex.quote(str(file)))
        elif name == "options":
            for metric, parameters in value.items():
                for parameter, one in parameters.items():
                    yield from (as_option("options"), shlex.quote(f"{metric}.{parameter}={one}"))
        elif value not in (None, False) and _is_told(name, value, kind):
            yield as_option(name)
            if value is not True:
                yield shlex.quote(_spelled(value))


def _is_told(name: str, value: Any, kind: type[DataSettings] | None) -> bool:
    """Whether a setting is an option that was given: known, and not its default."""
    if kind is None:
        return True
    field = kind.model_fields.get(name)
    default = field.default if field is not None else None
    return field is not None and value != (list(default) if isinstance(default, tuple) else default)


def _spelled(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={one}" for name, one in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
