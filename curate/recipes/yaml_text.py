"""YAML as plain text, lists and mappings, with the line of every entry; nothing in it can execute or refer elsewhere.

Scalars stay the text that was written (`10%`, `0.1`, `2502.14560`); the setting that takes them decides what they
mean, as on the command line. Only an unquoted null, `~` or nothing is None.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from curate.errors import SettingsError

MOST_CHARACTERS = 1_000_000
TAG = "tag:yaml.org,2002:"
PLAIN_TAGS = frozenset(TAG + name for name in ("str", "int", "float", "bool", "timestamp", "null"))
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A parsed text: its value, and the line of each place (keys and list positions), counted from 1."""

    value: Any
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """The line of the entry, or of the nearest one around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def parse_yaml(text: str, name: str) -> Document:
    """Parse the text of one document.

    Raises:
        SettingsError: it is not YAML, or uses more than plain values: tags, anchors, merges, duplicate keys.
    """
    if len(text) > MOST_CHARACTERS:
        raise SettingsError("The file is too large for a recipe.", name, "A recipe is a few dozen lines.")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Place, int] = {}
        value = None if node is None else _plain(node, (), lines, set(), name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}, line {mark.line + 1}" if mark else name
        raise SettingsError(
            f"The recipe is not valid YAML: {error.problem or error.context}.",
            where,
            "Check indentation; ': ' and ' #' in a value need quotes, and so does ${...} inside [ ] and { }.",
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SettingsError(
            "The recipe is not valid YAML.", name, f"{str(error).splitlines()[0] if str(error) else 'Too deep.'}"
        ) from error
    return Document(value, lines)


def _plain(node: yaml.Node, place: Place, lines: dict[Place, int], seen: set[int], name: str) -> Any:
    line = node.start_mark.line + 1
    lines[place] = min(line, lines.get(place, line))
    if id(node) in seen:
        raise SettingsError("A recipe cannot use YAML anchors.", f"{name}, line {line}", "Write the value out.")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode) and node.tag == TAG + "map":
        return {key: _plain(value, (*place, key), lines, seen, name) for key, value in _items(node, place, lines, name)}
    if isinstance(node, yaml.SequenceNode) and node.tag == TAG + "seq":
        return [_plain(value, (*place, i), lines, seen, name) for i, value in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode) and node.tag in PLAIN_TAGS:
        return None if node.tag == TAG + "null" else node.value
    raise SettingsError(
        f"A recipe holds plain values only, not {node.tag}.", f"{name}, line {line}", "Leave the tag out."
    )


def _items(node: yaml.MappingNode, place: Place, lines: dict[Place, int], name: str) -> Iterator[tuple[str, yaml.Node]]:
    known: set[str] = set()
    for key, value in node.value:
        where = f"{name}, line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode) or key.tag not in PLAIN_TAGS:
            raise SettingsError("A key is not a plain word.", where, "Write NAME: value.")
        if key.value in known:
            raise SettingsError(f"The key {key.value} is there twice.", where, "Keep one of the two.")
        known.add(key.value)
        lines[(*place, key.value)] = key.start_mark.line + 1
        yield key.value, value
