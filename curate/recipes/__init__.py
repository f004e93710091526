"""Steps from a recipe file: read, checked whole before the first one runs, run, and resumed where they stopped."""
