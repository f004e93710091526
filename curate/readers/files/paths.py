"""Which files the user meant: paths, globs, folders, and folders that `save_to_disk` wrote."""

from __future__ import annotations

import glob
import json
from pathlib import Path
from typing import Any

from curate.errors import InputError, did_you_mean
from curate.readers.files.streams import COMPRESSIONS

FORMATS = (".parquet", ".json", ".jsonl", ".csv", ".tsv", ".arrow")
COMPRESSIBLE = (".json", ".jsonl", ".csv", ".tsv")
DATASET_STATE, DATASET_SPLITS = "state.json", "dataset_dict.json"
# files next to the data that are not data: the descriptions of the datasets library
SIDE_FILES = {DATASET_STATE, DATASET_SPLITS, "dataset_info.json", "dataset_infos.json"}
REJECTS = ".rejects.parquet"
READABLE = (
    "Readable: .parquet, .json, .jsonl, .csv, .tsv (these four also .gz, .zst), .arrow, a folder of them, "
    "hf://owner/name."
)


def suffix_of(path: Path) -> str | None:
    """The suffix of the format, without that of the compression; None if the format is not readable."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if not suffixes:
        return None
    if suffixes[-1] in COMPRESSIONS:
        return suffixes[0] if len(suffixes) == 2 and suffixes[0] in COMPRESSIBLE else None
    return suffixes[-1] if suffixes[-1] in FORMATS else None


def find_files(name: str) -> list[Path]:
    """The files behind one path, glob or folder, in reading order.

    Raises:
        InputError: nothing of that name exists, or nothing readable.
    """
    try:
        return _found(name, Path(name))
    except (OSError, ValueError) as error:
        raise InputError(f"The path cannot be read: {error}", name[:200], "Check its name and permissions.") from error


def _found(name: str, path: Path) -> list[Path]:
    if path.is_dir():
        return _in_folder(path)
    if path.exists():
        if not path.is_file():
            raise InputError("This is neither a file nor a folder.", name, "Write the data to a file first.")
        if suffix_of(path) is None:
            raise InputError(
                f"Files {f'of type {path.suffix}' if path.suffix else 'without a suffix'} cannot be read.",
                name,
                READABLE,
            )
        return [path]
    if glob.has_magic(name):
        return _in_glob(name)
    raise InputError("There is no such file or folder.", name, _similar(path))


def _similar(path: Path) -> str:
    try:
        siblings = [other.name for other in path.parent.iterdir()]
    except OSError:
        return f"The folder {path.parent} does not exist either."
    hint = did_you_mean(path.name, siblings)
    return hint if hint.startswith("Did") else "Check the path and the folder in which the command runs."


def _in_glob(name: str) -> list[Path]:
    # Path.glob does not accept absolute patterns
    found = [Path(match) for match in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207
    files = [path for path in found if path.is_file() and _is_data(path)]
    if files:
        return files
    if any(path.is_file() for path in found):
        raise InputError("The pattern matches no readable file.", name, READABLE)
    folders = [path for path in found if path.is_dir()]
    if not folders:
        raise InputError("The pattern matches nothing.", name, "Quote it to keep the shell from expanding it.")
    return [file for folder in folders for file in _in_folder(folder)]


def _is_data(path: Path) -> bool:
    hidden = path.name.startswith(".") or path.name in SIDE_FILES or path.name.lower().endswith(REJECTS)
    return suffix_of(path) is not None and not hidden


def _in_folder(folder: Path) -> list[Path]:
    if (folder / DATASET_SPLITS).is_file():
        return _in_folder(folder / Path(_split_of(folder)).name)
    if (folder / DATASET_STATE).is_file():
        return _saved_files(folder)
    below = [path for path in folder.rglob("*") if path.is_file() and _is_data(path)]
    files = sorted(
        (path for path in below if not any(part.startswith(".") for part in path.relative_to(folder).parts)),
        key=lambda path: path.relative_to(folder).as_posix(),
    )
    if not files:
        raise InputError("The folder holds no readable file.", str(folder), READABLE)
    return files


def _split_of(folder: Path) -> str:
    splits = _described(folder / DATASET_SPLITS).get("splits")
    names = [str(split) for split in splits] if isinstance(splits, list) else []
    if len(names) == 1:
        return names[0]
    raise InputError(
        f"The saved data set has several splits: {', '.join(names) or 'none named'}.",
        str(folder),
        f"Name the folder of one: {' or '.join(str(folder / Path(name).name) for name in names) or 'there is none'}.",
    )


def _saved_files(folder: Path) -> list[Path]:
    entries = _described(folder / DATASET_STATE).get("_data_files")
    names = [entry.get("filename") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    # a base name only: the description must not lead out of its folder
    files = [folder / Path(name).name for name in names if isinstance(name, str)]
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        raise InputError(
            f"The saved data set lacks its files: {', '.join(missing) or 'none named'}.", str(folder), "Save it again."
        )
    return files


def _described(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("The description of a saved data set cannot be read.", str(path), str(error)) from error
    return content if isinstance(content, dict) else {}
