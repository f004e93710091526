"""Rooms whose files declare things: dropping a file in is the whole change."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TypeVar

T = TypeVar("T")


def declared(package: str, kind: type[T]) -> list[T]:
    """Everything of this kind that the modules of a package hold at their top level, module by module."""
    found: list[T] = []
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = importlib.import_module(f"{package}.{info.name}")
        found += [value for value in vars(module).values() if isinstance(value, kind)]
    return found
