"""The README.md of an export: what the folder contains, for people and for `datasets`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from curate.exporters.registry import Exporter, Written

MARK = "made by `curate export`"
"""In every README of ours; a folder without it is not replaced."""


def export_card(exporter: Exporter, written: Written, snippets: Mapping[str, str], manifest: Mapping[str, Any]) -> str:
    """Front matter for `datasets.load_dataset`, the columns, the other files, and how it was made."""
    names = ", ".join(f"`{name}`" for name in written.columns)
    files = "\n".join(f"- `{name}`" for name in snippets)
    return f"""---
configs:
- config_name: default
  data_files: {written.file}
tags:
- preference
- curate
---

# Preference data for {exporter.name}

{written.rows:,} rows, {MARK}. {exporter.summary}.

`{written.file}` has the columns {names}.

How to train on it:

{files}

## How it was made

```json
{json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)}
```
"""
