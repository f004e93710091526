"""Commands as they are typed, from the manifests of what they wrote."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from curate.errors import as_option
from curate.settings import DataSettings, PairSettings, ScoreSettings, SelectSettings, WeighSettings

KNOWN: Mapping[str, type[DataSettings]] = {
    "score": ScoreSettings,
    "select": SelectSettings,
    "pair": PairSettings,
    "weigh": WeighSettings,
}
ROLES = ("policy", "reference", "embedder")


def command_of(manifest: Mapping[str, Any]) -> str:
    """The command that wrote a file: inputs and models by name, since a manifest holds no folders."""
    name = str(manifest.get("command", ""))
    if name not in KNOWN:
        return ""
    staged = manifest.get("staged_from") or {}
    inputs = [str(one.get("name", "")) for one in manifest.get("inputs") or staged.get("inputs") or []]
    parts = ["curate", name, *map(shlex.quote, inputs), *_models(manifest), *_settings(manifest, KNOWN[name])]
    return " ".join([*parts, "-o", "OUT.parquet"])


def commands_of(manifests: list[dict[str, Any]]) -> list[str]:
    """Every command that led to some files, oldest first, each once."""
    found: list[str] = []
    for manifest in manifests:
        history = [one for one in manifest.get("history", []) if isinstance(one, dict)]
        found += [*commands_of(history), command_of(manifest)]
    return [one for one in dict.fromkeys(found) if one]


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


def _settings(manifest: Mapping[str, Any], kind: type[DataSettings]) -> Iterator[str]:
    for name, value in (manifest.get("settings") or {}).items():
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
