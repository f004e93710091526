"""The jobs: each walks a plan from reading to writing."""
