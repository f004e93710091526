"""The known layouts, one family per file; a new file here is found automatically.

Each file defines `LAYOUT`, or `LAYOUTS` for several.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from curate.readers.contract import Layout


@cache
def all_layouts() -> tuple[Layout, ...]:
    """Every layout, in the order they are tried."""
    found: list[Layout] = []
    for entry in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{entry.name}")
        found += getattr(module, "LAYOUTS", None) or [module.LAYOUT]
    return tuple(sorted(found, key=lambda layout: (layout.priority, layout.name)))
