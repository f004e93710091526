"""Engines: where scorers run."""
