"""Changes the code of the rooms that make numbers, one place at a time, and names each change that no test notices.

    python -m tests.mutants [FILE ...]

A FILE is `metrics/dcrm` for `curate/metrics/dcrm.py`; without one, all files of the four rooms. cosmic-ray makes the
changes, in a copy of the project, and runs the file's own tests after each. Changes that alter no result are kept in
equivalent.json with the reason.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COSMIC_RAY = ROOT / ".venv-mutants" / "bin"
ROOMS = ("metrics", "weighing", "pairs", "selection")
# Tests of a room that hold for each of its files; and of files whose values are worked out with another's.
SHARED = {"metrics": ["tests/metrics/test_every_metric.py"], "weighing": ["tests/weighing"]}
ELSEWHERE = {"metrics/beta_dpo": "tests/weighing/test_beta_dpo.py"}
COPIED = ("curate", "tests", "recipes", "pyproject.toml", "README.md", "Makefile")
SECONDS = 60
PYTEST = ("-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider")
# One other operator for each: more of them are found out by the same tests, for many times the hours.
OPERATORS = {
    "Binary": "Add_Sub|Sub_Add|Mul_Div|Div_Mul|Pow_Mul|FloorDiv_Div|Mod_Mul|BitAnd_BitOr|BitOr_BitAnd",
    "Comparison": "Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is|Lt_Gt|Gt_Lt|LtE_GtE|GtE_LtE",
    "Unary": "USub_UAdd|Delete_USub|Delete_Not|Invert_UAdd|Delete_Invert",
}


def main() -> int:
    """Print what survives; the number of survivors that equivalent.json does not know."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE")
    files = parser.parse_args().files or every_file()
    unnoticed = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = copied(Path(folder) / "copy")
        for file in files:
            made, alive = mutated(copy, Path(folder), file)
            known = [one for one in alive if one in equivalent()]
            unnoticed += len(alive) - len(known)
            say(f"{file}: {made} changes, {len(alive)} not noticed, {len(known)} of them equivalent")
            for before, after in (one[1:] for one in alive if one not in known):
                say(f"  - {before}\n  + {after}")
    return unnoticed


def say(line: str) -> None:
    """Print at once, as a file takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def every_file() -> list[str]:
    """All files of the rooms, as they are named on the command line."""
    paths = (path for room in ROOMS for path in sorted((ROOT / "curate" / room).glob("*.py")))
    return [f"{path.parent.name}/{path.stem}" for path in paths if path.stem != "__init__"]


def equivalent() -> set[tuple[str, str, str]]:
    """Changes that alter no result: file, line before, line after."""
    known = json.loads((Path(__file__).parent / "equivalent.json").read_text("utf-8"))
    return {(one["file"], one["before"], one["after"]) for one in known}


def copied(folder: Path) -> Path:
    """The project, where changes hurt nobody."""
    folder.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "results"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def own_tests(file: str) -> list[str]:
    """The tests that shall notice a change of the file."""
    room, name = file.split("/")
    own = Path("tests") / room / f"test_{name}.py"
    found = [ELSEWHERE.get(file, str(own) if (ROOT / own).exists() else f"tests/{room}")]
    return list(dict.fromkeys(found + SHARED.get(room, [])))


def mutated(copy: Path, folder: Path, file: str) -> tuple[int, list[tuple[str, str, str]]]:
    """How many changes were made, and those after which all tests passed."""
    config, session = folder / "config.toml", folder / f"{file.replace('/', '-')}.sqlite"
    config.write_text(_config(file), "utf-8")
    tests = own_tests(file)
    environment = {**os.environ, "PYTHONPATH": str(copy), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

    def run(*words: str) -> str:
        done = subprocess.run(words, cwd=copy, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    run(sys.executable, *PYTEST, *tests)
    run(str(COSMIC_RAY / "cosmic-ray"), "init", str(config), str(session))
    run(str(COSMIC_RAY / "cr-filter-operators"), str(session), str(config))
    run(str(COSMIC_RAY / "cosmic-ray"), "exec", str(config), str(session))
    shutil.copy(ROOT / "curate" / f"{file}.py", copy / "curate" / f"{file}.py")
    return _read(file, run(str(COSMIC_RAY / "cosmic-ray"), "dump", str(session)))


def _read(file: str, dump: str) -> tuple[int, list[tuple[str, str, str]]]:
    items = [json.loads(line) for line in dump.splitlines()]
    made = [(job["mutations"][0], one) for job, one in items if one and one["worker_outcome"] != "skipped"]
    types = annotations((ROOT / "curate" / f"{file}.py").read_text("utf-8"))
    tried = [one for place, one in made if not any(start <= tuple(place["start_pos"]) < end for start, end in types)]
    return len(tried), [(file, *_lines(one["diff"])) for one in tried if one["test_outcome"] == "survived"]


def annotations(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where types stand, which nothing reads when the code runs: beginning and end, as line and column."""
    found = []
    for node in ast.walk(ast.parse(source)):
        for field in ("annotation", "returns"):
            if (kind := getattr(node, field, None)) is not None:
                found.append(((kind.lineno, kind.col_offset), (kind.end_lineno, kind.end_col_offset)))
    return found


def _lines(diff: str) -> tuple[str, str]:
    """What a change removed and what it wrote instead."""
    body = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    before, after = (" ".join(line[1:].strip() for line in body if line.startswith(sign)) for sign in "-+")
    return before, after


def _config(file: str) -> str:
    kept = [f"core/Replace{kind}Operator_(?!({names})$)" for kind, names in OPERATORS.items()]
    settings: dict[str, Any] = {
        "module-path": [f"curate/{file}.py"],
        "timeout": float(SECONDS),
        "excluded-modules": [],
        "test-command": " ".join([sys.executable, *PYTEST, *own_tests(file)]),
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    excluded = json.dumps([*kept, "core/ExceptionReplacer", "core/RemoveDecorator"])
    return "\n".join(
        [
            "[cosmic-ray]",
            *lines,
            '[cosmic-ray.distributor]\nname = "local"',
            f"[cosmic-ray.filters.operators-filter]\nexclude-operators = {excluded}\n",
        ]
    )


if __name__ == "__main__":
    sys.exit(bool(main()))
