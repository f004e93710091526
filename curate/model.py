"""What a model's name means (a folder, a hub id, an adapter or a server), and what identifies a model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import SettingsError
from curate.hashing import DIGEST_BYTES

ADAPTER_CONFIG = "adapter_config.json"
WHOLE_FILE_BYTES = 64 * 2**20
SAMPLES, SAMPLE_BYTES = 256, 64 * 2**10


@dataclass(frozen=True)
class ServedModel:
    """A model behind a server, spelled `http://HOST:PORT#NAME` or `http://HOST:PORT#NAME@TOKENIZER`.

    Attributes:
        url: the server's address, without /v1.
        name: what the server calls the model.
        tokenizer: folder or hub id of its tokenizer; same as `name` if none is given.
    """

    url: str
    name: str
    tokenizer: str


def served_model(name: str) -> ServedModel | None:
    """The parts of a served model's name; None for a folder or a hub id.

    Raises:
        SettingsError: a server's address without a model.
    """
    if not name.startswith(("http://", "https://")):
        return None
    url, _, rest = name.partition("#")
    served, _, tokenizer = rest.partition("@")
    if not served:
        raise SettingsError(
            "A server's address does not say which model is meant.",
            name,
            "Write http://HOST:PORT#NAME, with a name that /v1/models lists.",
        )
    return ServedModel(url.rstrip("/").removesuffix("/v1"), served, tokenizer or served)


def adapter_base(name: str) -> str | None:
    """The base model of an adapter's folder; None for a model, a hub id or a server.

    Raises:
        SettingsError: the adapter does not name its base model.
    """
    folder = Path(name).expanduser()
    file = folder / ADAPTER_CONFIG
    if served_model(name) or not file.is_file() or (folder / "config.json").exists():
        return None
    try:
        base = json.loads(file.read_text("utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        base = None
    if not isinstance(base, str) or not base:
        raise SettingsError(
            "The adapter does not say which model it adapts.", str(file), "It must hold base_model_name_or_path."
        )
    return base


def same_model(one: str, other: str) -> bool:
    """Whether two names mean the same model: the same folder, or the same hub id."""
    places = [Path(name).expanduser() for name in (one, other)]
    return one == other or (all(place.is_dir() for place in places) and places[0].samefile(places[1]))


def short_name(name: str) -> str:
    """A model's name without its location: a folder's base name, the hub id, or what a server calls it."""
    served = served_model(name)
    name = served.name if served else name
    path = Path(name).expanduser()
    return path.resolve().name if name and path.exists() else name


def model_identity(name: str) -> dict[str, Any]:
    """What identifies a model: a folder's base name and hash, or a hub id and its commit.

    The hash covers every file of up to 64 MiB completely; of a larger file 256 samples, and of a larger safetensors
    file also the beginning of every tensor, so any retraining changes it. Nothing more is known of a served model. An
    adapter is identified together with its base model.
    """
    if (base := adapter_base(name)) is not None:
        return {**_folder_identity(Path(name).expanduser()), "adapts": model_identity(base)}
    if served_model(name):
        return {"model": short_name(name), "served": True}
    path = Path(name).expanduser()
    if not path.is_dir():
        return {"model": name, "revision": _hub_commit(name)}
    return _folder_identity(path)


def _folder_identity(path: Path) -> dict[str, Any]:
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
    return {"model": path.resolve().name, "hash": digest.hexdigest()}


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


def _hub_commit(name: str) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    if name.count("/") > 1 or ":" in name:
        return None
    found = try_to_load_from_cache(name, "config.json")
    return Path(found).parent.name if isinstance(found, str) else None
