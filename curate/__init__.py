"""Measure, select and build the preference pairs that are worth training on."""
