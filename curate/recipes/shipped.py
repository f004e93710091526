"""The recipes that come with the package, found by name: in its wheel, or in `recipes/` of a checkout."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".yaml"
IN_WHEEL = Path(__file__).with_name("shipped")
"""`setup.py` puts them there when it builds the package."""
IN_CHECKOUT = Path(__file__).parents[2] / "recipes"


def shipped() -> dict[str, Path]:
    """The files of the recipes by name, in the order of their names."""
    folder = IN_WHEEL if IN_WHEEL.is_dir() else IN_CHECKOUT
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def located(recipe: Path) -> Path:
    """The file of a recipe: its own path, or that of a recipe of the package if this is the name of one."""
    is_name = recipe.name == str(recipe) and not recipe.suffix and not recipe.is_file()
    return shipped().get(recipe.name, recipe) if is_name else recipe
