"""Steps from a recipe file: read, checked whole before the first one runs, run, and gone on with where they stopped."""
