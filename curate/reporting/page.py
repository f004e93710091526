"""The file: markup, style and scripts of the page with the document in it, nothing to load from anywhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from curate.errors import StoreError
from curate.storage.places import Kind, Place
from curate.storage.placing import written_aside

MARK = "<!doctype html><!-- curate report -->"
"""The first characters of every page, by which an earlier one is known."""
SCRIPTS = ("data", "dom", "filter", "charts", "overview", "slider", "sections", "pairs", "main")
UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""Characters that could end a script or begin markup, as JSON spells them instead."""


def embedded(document: Mapping[str, Any]) -> str:
    """The document as JSON that is safe inside a script tag, whatever texts it holds.

    Raises:
        ValueError: it holds a number that JSON has no spelling for.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, spelled in UNSAFE.items():
        text = text.replace(character, spelled)
    return text


def page_of(document: Mapping[str, Any], title: str) -> str:
    """The whole page."""
    folder = files("curate.reporting").joinpath("page")
    style = folder.joinpath("page.css").read_text("utf-8")
    code = "\n".join(folder.joinpath(f"{name}.js").read_text("utf-8") for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{code}\n}})();\n'
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": html.escape(policy, quote=True),
        "title": html.escape(title),
        "style": style,
        "script": script,
        "data": embedded(document),
    }
    text = folder.joinpath("page.html").read_text("utf-8")
    pieces = text.split("@@")
    return MARK + "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def _hash(text: str) -> str:
    """What allows exactly this script or style in a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def write_page(text: str, out: Path, before: Callable[[], object] = lambda: None) -> None:
    """Write the page; whatever was at `out` stays there until it is complete.

    Raises:
        StoreError: the disk is full, or the place cannot be written.
    """
    with written_aside(Place(out, PAGE), before) as aside, aside.open("wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def _check_name(path: Path) -> None:
    if path.suffix.lower() not in (".html", ".htm"):
        raise StoreError("The page is an HTML file.", str(path), "Name a .html file with -o.")
    if path.is_dir():
        raise StoreError("The output is a folder.", str(path), "Name a file.")


def _foreign(path: Path) -> str | None:
    if not path.is_file():
        return path.name
    with path.open("rb") as file:
        return None if file.read(len(MARK)) == MARK.encode() else path.name


PAGE = Kind(_check_name, _foreign)
"""A page that this tool wrote."""
