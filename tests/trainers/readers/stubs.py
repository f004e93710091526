"""Modules that a trainer imports and its data code does not use, made of nothing. Runs in the trainer's environment."""

from __future__ import annotations

import importlib.machinery
import sys
import types
from typing import Any


class _Names(type):
    """Gives a class any attribute that is asked of it: another such class."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _class(name)


def _class(name: str) -> Any:
    """A class that can be subclassed, made with any arguments, and whose instances decorate by doing nothing."""

    class Made(metaclass=_Names):
        def __init__(self, *args: Any, **more: Any) -> None:
            """Whatever is given."""

        def __call__(self, decorated: Any = None, *args: Any, **more: Any) -> Any:
            return decorated

        def __class_getitem__(cls, item: Any) -> Any:
            return cls

    Made.__name__ = Made.__qualname__ = name
    return Made


class _Nothing(types.ModuleType):
    """A module with any name in it."""

    __path__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = _class(name)
        setattr(self, name, made)
        return made


class _Finder:
    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] in self.names:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> Any:
        return _Nothing(spec.name)

    def exec_module(self, module: Any) -> None:
        """There is nothing to run."""


def stub(*names: str) -> None:
    """Put nothing in the place of these packages, where they are not installed."""
    sys.meta_path.append(_Finder(names))
