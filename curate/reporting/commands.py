"""Commands as they are typed, from the manifests of what they wrote."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from curate.errors import as_option
from curate.settings import DataSettings

Kinds = Callable[[str], type[DataSettings] | None]
"""The class of a command's settings, by the command's name; None for a command that is not known."""
ROLES = ("policy", "reference", "embedder")


def command_of(manifest: Mapping[str, Any], kinds: Kinds) -> str:
    """The command that wrote a file: inputs and models by name, since a manifest holds no folders.

    Empty where the manifest does not hold all that the command needs.
    """
    name = str(manifest.get("command", ""))
    kind, given = kinds(name), _given(manifest)
    if kind is None or _lacks(given, kind):
        return ""
    staged = manifest.get("staged_from") or {}
    inputs = [str(one.get("name", "")) for one in manifest.get("inputs") or staged.get("inputs") or []]
    parts = ["curate", name, *map(shlex.quote, inputs), *_models(manifest), *_settings(given, kind)]
    return " ".join([*parts, "-o", "OUT.parquet"])


def commands_of(manifests: list[dict[str, Any]], kinds: Kinds) -> list[str]:
    """Every command that led to some files, oldest first, each once."""
    found: list[str] = []
    for manifest in manifests:
        history = [one for one in manifest.get("history", []) if isinstance(one, dict)]
        found += [*commands_of(history, kinds), command_of(manifest, kinds)]
    return [one for one in dict.fromkeys(found) if one]


def _given(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decided the file; `curate weigh` notes its method's parameters instead, presets resolved."""
    if "method" not in manifest:
        return dict(manifest.get("settings") or {})
    known = {name: value for name, value in manifest.get("parameters", {}).items() if value is not None}
    return {"method": manifest["method"], "options": {manifest["method"]: known}}


def _lacks(given: Mapping[str, Any], kind: type[DataSettings]) -> bool:
    needed = {name for name, field in kind.model_fields.items() if field.is_required()} - {"data", "out"}
    return not needed <= set(given)


def _models(manifest: Mapping[str, Any]) -> Iterator[str]:
    measured = manifest.get("measured_with") or {}
    for role in ROLES:
        model = (measured.get(role) or {}).get("model")
        if model:
            yield from (f"--{role}", shlex.quote(str(model)))
    for reward in manifest.get("rewards") or []:
        name, kind, target = (str(part) for part in (*reward, "", "", "")[:3])
        if kind != "columns":
            yield from ("--reward", shlex.quote(f"{name}={target}" if name else target))


def _settings(given: Mapping[str, Any], kind: type[DataSettings]) -> Iterator[str]:
    for name, value in given.items():
        field = kind.model_fields.get(name)
        if name == "metrics":
            for file in value:
                yield from ("--metrics", shlex.quote(str(file)))
        elif name == "options":
            for metric, parameters in value.items():
                for parameter, one in parameters.items():
                    yield from ("--set", shlex.quote(f"{metric}.{parameter}={one}"))
        elif field is not None and value != field.default and value not in (None, False):
            yield as_option(name)
            if value is not True:
                shown = ",".join(map(str, value)) if isinstance(value, list) else str(value)
                yield shlex.quote(shown)
