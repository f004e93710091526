"""Metrics: pure functions of whole columns, one method a file. Dropping a file in is the whole change."""
