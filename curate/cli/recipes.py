"""List the recipes that come with the package, or print one to copy and change.

`curate run NAME` runs one of them by its name.

Examples:
    curate recipes
    curate recipes less-is-more > mine.yaml
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from curate.cli import console
from curate.errors import SettingsError, did_you_mean
from curate.lines import Grid, Next, Summary
from curate.recipes.file import Recipe, read_recipe
from curate.recipes.shipped import shipped
from curate.settings import option
from curate.text_file import read_text


class RecipesSettings(BaseModel):
    """The options of `curate recipes`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = option(None, "One recipe, whole: curate recipes NAME > mine.yaml.", argument=True)


def recipes(settings: RecipesSettings, as_json: bool) -> None:
    """Print the list, or one recipe as its file has it."""
    known = shipped()
    if settings.name is None:
        listed = [read_recipe(path).recipe for path in known.values()]
        if as_json:
            console.say_json([one.model_dump(mode="json") for one in listed])
        else:
            console.say(_all(listed))
        return
    path = known.get(settings.name.removesuffix(".yaml"))
    if path is None:
        hint = did_you_mean(settings.name, known)
        raise SettingsError(f"The package has no recipe {settings.name}.", f"recipe {settings.name}", hint)
    if as_json:
        console.say_json(read_recipe(path).recipe.model_dump(mode="json"))
    else:
        console.say([read_text(path).rstrip()])


def _all(known: list[Recipe]) -> Summary:
    yield Grid(
        ("recipe", "steps", "what it does"), [(one.name, _steps(one), " ".join(one.about.split())) for one in known]
    )
    yield "`curate recipes NAME` prints one with its inputs, its paper, and what of the paper was verified."
    yield Next("curate run less-is-more --plan --set data=FILE")


def _steps(recipe: Recipe) -> str:
    return ", ".join(step.run for step in recipe.steps)


COMMAND = RecipesSettings, recipes
