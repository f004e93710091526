"""No manifest depends on where files are: every setting of every command, with relative and with absolute paths."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import Field

from curate.errors import CurateError
from curate.jobs import steps
from curate.progress import Silent
from curate.recipes.check import prepare
from curate.recipes.file import read_recipe
from curate.recipes.run import run
from curate.settings import Settings, for_manifest, make
from tests.commands.helpers import candidate_rows, pair_rows, prompt_rows, read_manifest, run_score, write_jsonl

AT = "@/"
"""Stands for the folder in which a command finds its files."""
FAKE: dict[str, Any] = {"policy": "fake:1", "reference": "fake:2"}
REAL: dict[str, Any] = {"max_length": 64, "policy": "@/models/policy", "reference": None}
BASE: dict[str, dict[str, Any]] = {
    "score": {"data": ("@/pairs.jsonl",), **FAKE},
    "pair": {"data": ("@/pool.jsonl",), **FAKE},
    "generate": {"data": ("@/prompts.jsonl",), "policy": ("fake:1",), "samples": 2},
    "select": {"data": ("@/scored.parquet",), "by": "dpo_margin", "top": "50%"},
    "weigh": {"data": ("@/scored.parquet",), "method": "bpo"},
    "export": {"data": ("@/scored.parquet",), "to": "trl"},
}
# What a setting is tried with, and what else must then be set; a setting whose values name nothing needs no entry.
TRIED: dict[str, list[dict[str, Any]]] = {
    "data": [{}],
    "out": [{"out": "folder"}, {}],
    "options": [{"options": {"dpo_margin": {"beta": "0.2"}}}],
    "metrics": [{"metrics": ("@/own_metrics.py",)}, {"metrics": "@/own_metrics.py", "by": "own_margin"}],
    "cache": [{"cache": "@/numbers", **REAL}],
    "cache_limit": [{"cache_limit": "1GB"}],
    "chat_template": [{"chat_template": "@/template.jinja", **REAL}],
    "template_date": [{"template_date": "2024-03-05", "chat_template": "@/dated.jinja", **REAL}],
    "policy": [REAL],
    "reference": [{**REAL, "reference": "@/models/reference"}],
    "reward": [
        {"reward": ("@/models/reward", "named=@/models/reward"), "max_length": 64},
        {"reward": ("columns", "fake:3"), "reward_combine": "zmean"},
    ],
    "reward_head": [{"reward": ("@/models/reward",), "reward_head": ("logits:0",), "max_length": 64}],
    "embedder": [{"embedder": "fake:4"}, {"embedder": "minilm"}],
    "tokenizer": [{"tokenizer": "@/models/policy"}],
    "device": [{"device": "cpu"}],
    "columns": [{"columns": {"system": "source"}}],
    "add_flags": [{"add_flags": ("duplicate", "near_duplicate_prompt")}],
    "decontaminate": [{"decontaminate": ("@/prompts.jsonl",)}],
    "drop_flags": [{"drop_flags": ("rm_disagrees",)}],
    "preset": [{"preset": None}],
    "by": [{"by": "dcrm"}],
    "top": [{"top": "3"}],
    "bottom": [{"top": None, "bottom": "3"}],
    "middle": [{"top": None, "middle": "50%"}],
    "where": [{"where": "id < 9"}],
    "per": [{"per": "source"}],
    "per_weights": [{"per": "source", "per_weights": "x=2,y=0.5"}],
    "sort": [{"sort": "id"}],
    "left_out": [{"left_out": "rejects.parquet"}],
    "report": [{"report": "page.html"}],
    "method": [{"method": "repo"}],
    "to": [{"to": "llamafactory"}],
}
NOT_HERE = {"gpus", "push", "ray_address"}
"""Settings that need what this machine lacks; that their values are no paths is seen without a run."""
UNFINISHED = {"shard"}
"""A shard is no result yet: it tells `curate merge` where the data is."""
SPECIAL = {
    ("score", "strict"): [{"strict": True, "data": ("@/scored.parquet",)}],
    ("generate", "policy"): [{"policy": ("@/models/policy", "again=@/models/policy"), "max_tokens": 2}],
    ("generate", "chat_template"): [
        {"policy": ("@/models/policy",), "chat_template": "@/template.jinja", "max_tokens": 2}
    ],
    ("generate", "template_date"): [
        {
            "policy": ("@/models/policy",),
            "chat_template": "@/dated.jinja",
            "template_date": "2024-03-05",
            "max_tokens": 2,
        }
    ],
    ("generate", "options"): [{}],
    ("score", "metrics"): [{"metrics": ("@/own_metrics.py",)}],
    ("pair", "columns"): [{"data": ("@/pairs.jsonl",), "columns": {"system": "source"}}],
    ("pair", "embedder"): [{"embedder": "fake:4"}],
    ("weigh", "preset"): [{"method": "amapo", "preset": "mistral-7b"}],
    ("select", "preset"): [{"by": None, "top": None, "preset": "dpo-gap"}],
    ("select", "options"): [{"options": {"dpo_margin": {"beta": "0.2"}}}],
    ("weigh", "options"): [{"options": {"bpo": {"alpha": "0.2"}}}],
    ("export", "options"): [{}],
    ("score", "options"): [
        {"options": {"dpo_margin": {"beta": "0.2"}}},
        {"reward": ("judge:fake:5",), "options": {"judge": {"template": "@/ask.jinja", "mode": "pointwise"}}},
    ],
}
METRICS = """\
import polars as pl
from curate.metrics.registry import metric


@metric(unit="nats", prefer="high")
def own_margin(dpo_margin: pl.Series) -> pl.Series:
    return dpo_margin * 2
"""
COMMANDS = steps()


def names_nothing(annotation: Any) -> bool:
    """Whether the values of a type are numbers, dates, or words of a fixed list, which name no file."""
    if get_origin(annotation) is Literal or annotation in (bool, int, float, date, NoneType):
        return True
    if get_origin(annotation) is Annotated:
        return names_nothing(get_args(annotation)[0])
    inner = [one for one in get_args(annotation) if one is not ...]
    return bool(inner) and all(names_nothing(one) for one in inner)


def tried(command: str, field: str) -> list[dict[str, Any]]:
    """Settings that try this one."""
    if (command, field) in SPECIAL:
        return SPECIAL[command, field]
    if field in TRIED:
        return TRIED[field]
    raise AssertionError(f"{command} has a new setting {field}: say in TRIED how to try it, with a path if it is one.")


FIELDS = [
    (name, field)
    for name, command in COMMANDS.items()
    for field, info in command.settings.model_fields.items()
    if field in TRIED
    or (name, field) in SPECIAL
    or not (field in NOT_HERE | UNFINISHED or names_nothing(info.annotation))
]


@pytest.fixture(scope="module")
def places(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders that hold the same, one deeper than the other."""
    first = tmp_path_factory.mktemp("here") / "first"
    first.mkdir()
    shutil.copytree(demo_models, first / "models")
    write_jsonl(first / "pairs.jsonl", [*pair_rows(6), "{broken"])
    write_jsonl(first / "pool.jsonl", candidate_rows(4))
    write_jsonl(first / "prompts.jsonl", prompt_rows(2))
    template = (demo_models / "policy" / "chat_template.jinja").read_text()
    (first / "template.jinja").write_text("{{ '' }}" + template)
    (first / "dated.jinja").write_text("{{ strftime_now('%d %B %Y') }}" + template)
    (first / "own_metrics.py").write_text(METRICS)
    (first / "ask.jinja").write_text("Rating, please: {{ prompt }} {{ response }}")
    run_score(first / "pairs.jsonl", first / "scored.parquet", **FAKE)
    second = tmp_path_factory.mktemp("there") / "a" / "deeper" / "second"
    shutil.copytree(first, second)
    return first, second


def at(value: Any, place: str) -> Any:
    """The value with the place where it says so."""
    if isinstance(value, dict):
        return {key: at(one, place) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(at(one, place) for one in value)
    return value.replace(AT, place) if isinstance(value, str) else value


def do(command: str, values: dict[str, Any], place: str, out: str) -> None:
    values = {"out": "out" if command == "export" else "out.parquet", **BASE[command], **values}
    settings = {key: value for key, value in at(values, place).items() if value is not None}
    settings |= {key: out + values[key] for key in ("out", "left_out", "report") if key in values}
    COMMANDS[command].run(make(COMMANDS[command].settings, settings), Silent())


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from (key, *texts(one))
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


def check(found: dict[str, bytes], roots: list[Path], folder: Path) -> None:
    for name, content in found.items():
        for root in roots:
            assert str(root).encode() not in content, name
        if name.endswith(".parquet") and "rejects" not in name:
            said = list(texts(read_manifest(folder / name)))
            assert said
            assert not [text for text in said if text.startswith(("/", "~", "./", "../")) or AT in text], name


@pytest.mark.parametrize(("command", "field"), FIELDS, ids=[f"{command}-{field}" for command, field in FIELDS])
def test_the_bytes_say_nothing_of_where_files_are(
    command: str,
    field: str,
    places: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = places
    for values in tried(command, field):
        near, far = first / "made", tmp_path_factory.mktemp("far")
        near.mkdir()
        try:
            monkeypatch.chdir(first)
            do(command, values, "", "made/")
            monkeypatch.chdir(far)
            do(command, values, f"{second}/", f"{far}/")
            assert files(near), "nothing was written"
            assert files(near) == files(far)
            check(files(near), [first, second, far], near)
        finally:
            shutil.rmtree(near)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_path_is_in_no_settings_that_are_kept(command: str) -> None:
    """Whatever is declared as a path, a new setting too."""
    kind = COMMANDS[command].settings
    paths = [name for name, one in kind.model_fields.items() if "Path" in str(one.annotation)]
    assert "out" in paths
    given: dict[str, Any] = {name: Path("/nowhere/at/all") for name in paths}
    settings = kind.model_construct(**{"data": ("/nowhere/at/all",), **given})
    assert "nowhere" not in json.dumps(for_manifest(settings))


def test_a_new_kind_of_path_is_left_out_too() -> None:
    class Later(Settings):
        several: tuple[Path, ...] = ()
        by_name: dict[str, Path | None] = Field(default_factory=dict)
        plain: str = "kept"

    settings = Later(data=("d",), out=Path("o"), several=(Path("/x"),), by_name={"a": Path("/y")})
    assert for_manifest(settings) == {"plain": "kept", "strict": False}


def test_models_are_named_alike_from_within_their_folder(
    places: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = places
    monkeypatch.chdir(first / "models" / "reward")
    run_score(first / "pairs.jsonl", tmp_path / "a.parquet", reward=(".", "columns"), max_length=64)
    run_score(first / "pairs.jsonl", tmp_path / "b.parquet", reward=("../reward/", "columns"), max_length=64)
    run_score(
        first / "pairs.jsonl", tmp_path / "c.parquet", reward=(f"{first}/models/reward", "columns"), max_length=64
    )
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "c.parquet").read_bytes()


RECIPE = """\
name: placed
about: Every kind of path that a recipe can name.
inputs:
  at: {about: where everything is}
steps:
  - run: score
    with:
      data: ${inputs.at}pairs.jsonl
      policy: ${inputs.at}models/policy
      reward: ["judge:fake:5", "rm=${inputs.at}models/reward"]
      tokenizer: ${inputs.at}models/policy
      chat_template: ${inputs.at}template.jinja
      options: {judge: {template: "${inputs.at}ask.jinja", mode: pointwise}}
      metrics: ${inputs.at}own_metrics.py
      max_length: 64
  - run: select
    with: {data: "${steps.score}", by: simpo_margin, top: 50%}
  - run: export
    with: {data: "${steps.select}", to: trl}
"""


def test_a_recipes_outputs_say_nothing_of_where_files_are(
    places: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = places
    (tmp_path / "placed.yaml").write_text(RECIPE)
    file = read_recipe(tmp_path / "placed.yaml")
    near, far = first / "made", tmp_path / "far"
    try:
        monkeypatch.chdir(first)
        run(prepare(file, {"at": "./"}, Path("made")), Silent())
        monkeypatch.chdir(tmp_path)
        run(prepare(file, {"at": f"{second}/"}, far), Silent())
        assert {"run.json", "01-score.parquet", "02-select.parquet"} < set(files(near))
        assert files(near) == files(far)
        check(
            {name: content for name, content in files(near).items() if "export" not in name}, [first, second, far], near
        )
    finally:
        shutil.rmtree(near, ignore_errors=True)


@pytest.mark.parametrize(
    ("kind", "nothing"),
    [
        (bool, True),
        (float | None, True),
        (tuple[Annotated[int, Field(gt=0)], ...], True),
        (Literal["a", "b"] | None, True),
        (Path | None, False),
        (tuple[str, ...], False),
        (dict[str, float], False),
        (int | str, False),
        (dict[str, Any], False),
        (list, False),
    ],
)
def test_what_may_name_a_file_is_seen_by_its_type(kind: Any, nothing: bool) -> None:
    assert names_nothing(kind) is nothing


def test_a_setting_that_is_not_known_is_refused() -> None:
    with pytest.raises(CurateError):
        make(COMMANDS["score"].settings, {"data": ("d",), "out": "o", "no_such_setting": 1})
