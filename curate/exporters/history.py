"""What an export's manifest says about the commands before it: how its columns were made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def weighed_by(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The manifest of the nearest `curate weigh` in a file's history; None if there is none, or several."""
    if manifest.get("command") == "weigh":
        return manifest
    found = [one for one in map(weighed_by, manifest.get("history", [])) if one is not None]
    agreeing = all((one["method"], one["parameters"]) == (found[0]["method"], found[0]["parameters"]) for one in found)
    return found[0] if found and agreeing else None


def measured_under(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    """The models that computed the log-probabilities, by role; a role with several models is left out."""
    found: dict[str, set[str]] = {"policy": set(), "reference": set()}
    _collect(manifest, found)
    return {role: names.pop() for role, names in found.items() if len(names) == 1}


def _collect(manifest: Mapping[str, Any], found: dict[str, set[str]]) -> None:
    measured = manifest.get("measured_with") or {}
    for role, names in found.items():
        if "model" in measured.get(role, {}):
            names.add(str(measured[role]["model"]))
    for one in manifest.get("history", []):
        _collect(one, found)
