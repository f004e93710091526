"""Recipe files: read, checked completely before the first step, run, and resumed after an interruption."""
