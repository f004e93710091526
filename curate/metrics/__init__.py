"""Metrics: pure functions of whole columns, one per file. Dropping a file in is all it takes."""
