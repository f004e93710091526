"""Hugging Face hub data sets, read with the datasets library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curate.errors import InputError
from curate.hub import endpoint, hub_access, is_offline, why_unreachable
from curate.offline import how_to_end
from curate.readers.contract import Chunk
from curate.readers.files.arrow import chunks_of
from curate.readers.files.damage import readable, sound

HUB = "hf://"
SPEC = re.compile(
    r"hf://(?P<name>[^/@:]+/[^/@:]+)(@(?P<revision>[^/:]+))?(:(?P<config>[^/]+))?(/(?P<split>[^/]+))?/?\Z"
)
COMMIT = re.compile(r"@([0-9a-f]{40})(?:/|\Z)")


@dataclass(frozen=True)
class HubSource:
    """One split of a hub data set.

    Attributes:
        name: the spec as the user wrote it.
        revision: the revision in the spec, or the commit that was loaded, if known.
        dataset: the loaded split.
    """

    name: str
    revision: str | None
    dataset: Any

    def fingerprints(self) -> list[dict[str, Any]]:
        """One entry: the spec, the revision, and the datasets library's fingerprint."""
        info = getattr(self.dataset, "info", None)
        fingerprint = getattr(self.dataset, "_fingerprint", None)
        size = getattr(info, "dataset_size", None)
        return [{"name": self.name, "bytes": size, "revision": self.revision, "fingerprint": fingerprint}]

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """The split's rows, `rows` at a time; origins count them from 1.

        Raises:
            InputError: the downloaded files are damaged.
        """
        with readable(self.name):
            tables = self.dataset.with_format("arrow").iter(batch_size=rows)
            batches = (batch for table in tables for batch in table.to_batches())
            yield from chunks_of(sound(batches), rows, self.name)


def open_hub(spec: str) -> HubSource:
    """Load `hf://owner/name[@revision][:config][/split]`.

    Without a split, it must have only one.

    Raises:
        InputError: the spec is malformed, the data set cannot be loaded, or no split is named and there are several.
    """
    parts = SPEC.match(spec)
    if parts is None:
        raise InputError(
            "This is not the name of a data set.", spec, "Write hf://owner/name[@revision][:config][/split]."
        )
    loaded = _load(spec, parts["name"], parts["config"], parts["revision"], parts["split"])
    dataset = loaded if parts["split"] else loaded[_choose(spec, sorted(loaded))]
    return HubSource(spec, _commit(dataset) or parts["revision"], dataset)


def _load(spec: str, name: str, config: str | None, revision: str | None, split: str | None) -> Any:
    # imported here: it costs seconds, and files do not need it
    import datasets

    try:
        with hub_access(spec):
            return datasets.load_dataset(name, name=config, revision=revision, split=split)
    except Exception as error:
        # the library raises whatever the network, the hub or one of its parsers raised
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if is_offline():
            raise InputError(
                f"The data set cannot be loaded from the hub's cache: {reason}",
                spec,
                f"Name files, or {how_to_end()} to ask the hub.",
            ) from error
        if (away := why_unreachable()) is not None:
            raise InputError(
                "The hub cannot be reached, and its cache does not contain this data set.",
                f"{spec}, {endpoint()}: {away}",
                "Check the network, HF_ENDPOINT and the proxy's settings; or name files.",
            ) from error
        raise InputError(
            f"The data set cannot be loaded: {reason}",
            spec,
            "Check its name, revision, configuration and split, the network, and `hf auth login` for a gated one.",
        ) from error


def _choose(spec: str, splits: list[str]) -> str:
    if len(splits) == 1:
        return splits[0]
    raise InputError(
        f"The data set has several splits: {', '.join(splits)}.",
        spec,
        f"Name one, as in {spec.rstrip('/')}/{splits[0] if splits else 'SPLIT'}.",
    )


def _commit(dataset: Any) -> str | None:
    """The commit found in the URLs of the downloaded files."""
    checksums = getattr(getattr(dataset, "info", None), "download_checksums", None) or {}
    found = {match[1] for address in checksums if (match := COMMIT.search(str(address)))}
    return found.pop() if len(found) == 1 else None
