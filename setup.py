"""Puts the recipes of `recipes/` into the package when it is built; everything else is in pyproject.toml."""

from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_py import build_py

RECIPES = Path(__file__).parent / "recipes"


class WithRecipes(build_py):
    """The usual step, and a copy of the recipes; an editable install reads them where they are."""

    def run(self) -> None:
        """Build."""
        super().run()
        if self.editable_mode:
            return
        for target, source in self._recipes():
            self.mkpath(str(Path(target).parent))
            self.copy_file(str(source), target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """All files of the built package."""
        return [*super().get_outputs(include_bytecode), *(target for target, _ in self._recipes())]

    def _recipes(self) -> list[tuple[str, Path]]:
        folder = Path(self.build_lib) / "curate" / "recipes" / "shipped"
        return [(str(folder / source.name), source) for source in sorted(RECIPES.glob("*.yaml"))]


COMMANDS: dict[str, Any] = {"build_py": WithRecipes}
setup(cmdclass=COMMANDS)
