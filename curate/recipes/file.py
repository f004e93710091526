"""The contents of a recipe file: a paper, inputs, and steps, which are commands with their settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from curate.errors import SettingsError, did_you_mean
from curate.recipes.shipped import located, shipped
from curate.recipes.yaml_text import Document, Place, parse_yaml
from curate.text_file import read_text

SUFFIXES = (".yaml", ".yml")
Word = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
Given = str | tuple[str, ...] | None


class Part(BaseModel):
    """A frozen part of a recipe; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Paper(Part):
    """What the recipe follows, and how far that was verified.

    Attributes:
        verified: what was checked against the paper or its authors' code.
        not_verified: what was not checked, and where the recipe departs from the paper.
    """

    title: str
    arxiv: str = Field(pattern=r"^\d{4}\.\d{5}$")
    verified: str
    not_verified: str


class Input(Part):
    """A value that `--set NAME=value` replaces; None means that it must be given."""

    default: Given = None
    about: str = ""


class Step(Part):
    """One command and its settings; the default id is the command's name."""

    run: str
    id: Word | None = None
    with_: dict[str, Any] = Field(alias="with")

    @property
    def name(self) -> str:
        """The name that later steps and `--set` use."""
        return self.id or self.run


def _as_input(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {"default": value}


class Recipe(Part):
    """A whole recipe file."""

    name: Word
    about: str
    paper: Paper | None = None
    inputs: dict[Word, Annotated[Input, BeforeValidator(_as_input)]] = Field(default_factory=dict)
    steps: tuple[Step, ...] = Field(min_length=1)


@dataclass(frozen=True)
class RecipeFile:
    """A recipe and the file it came from."""

    path: Path
    recipe: Recipe
    document: Document

    def where(self, *place: str | int) -> str:
        """The file and line of an entry."""
        return f"{self.path}, line {self.document.line(place)}"


def read_recipe(path: Path) -> RecipeFile:
    """Read and check a recipe file, without looking into the settings of its steps.

    Args:
        path: the file, or the name of a recipe that comes with the package.

    Raises:
        SettingsError: the file does not exist or is not a recipe, or a key is unknown.
    """
    path = located(path)
    if not path.suffix:
        hint = did_you_mean(path.name, shipped())
        raise SettingsError(f"There is no recipe {path.name}.", str(path), f"{hint} Or give a .yaml file of your own.")
    if path.suffix.lower() not in SUFFIXES:
        raise SettingsError(
            f"A recipe is a .yaml file, not {path.suffix}.",
            str(path),
            "To read data, use `curate score` and the other commands; `curate recipes` lists recipes.",
        )
    document = parse_yaml(_text(path), str(path))
    if not isinstance(document.value, dict):
        raise SettingsError(
            "This is not a recipe: it has no keys.", str(path), "A recipe has name, about, inputs and steps."
        )
    try:
        recipe = Recipe(**document.value)
    except ValidationError as error:
        raise _problem(error, document, path) from error
    file = RecipeFile(path, recipe, document)
    _check_names(file)
    return file


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError as error:
        raise SettingsError("There is no such recipe.", str(path), _beside(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The recipe cannot be read: {error}.", str(path), "Check its name and permissions."
        ) from error


def _beside(path: Path) -> str:
    if path.stem in shipped():
        return f"The package has a recipe of this name: `curate run {path.stem}`."
    try:
        names = [other.name for other in path.parent.iterdir() if other.suffix.lower() in SUFFIXES]
    except OSError:
        return f"The folder {path.parent} does not exist either."
    return did_you_mean(path.name, names) or "Check the path and the folder in which the command runs."


def _check_names(file: RecipeFile) -> None:
    names = [step.name for step in file.recipe.steps]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise SettingsError(
                f"Two steps are called {name}.", file.where("steps", number), "Give one of them its own id."
            )


def _problem(error: ValidationError, document: Document, path: Path) -> SettingsError:
    # A misspelt key is also a missing key; the misspelling is the better message.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    # Alternatives of a union and key checks of a dictionary add their own names at the end of the place.
    place = tuple(part for part in first["loc"] if part not in ("str", "tuple[str, ...]", "[key]"))
    where = f"{path}, line {document.line(place)}"
    shown = ".".join(str(part) for part in place)
    if first["type"] == "extra_forbidden":
        return SettingsError(f"A recipe has no key {shown}.", where, did_you_mean(str(place[-1]), _known(place[:-1])))
    if first["type"] == "missing":
        return SettingsError(f"The recipe lacks {shown}.", where, f"Known here: {', '.join(_known(place[:-1]))}.")
    return SettingsError(
        f"{shown} cannot be {first['input']!r}: {first['msg']}.",
        where,
        "See `curate recipes less-is-more` for an example.",
    )


def _known(place: Place) -> Iterable[str]:
    parts: dict[str, type[Part]] = {"paper": Paper, "inputs": Input, "steps": Step}
    part = parts[str(place[0])] if place else Recipe
    return [field.alias or name for name, field in part.model_fields.items()]
