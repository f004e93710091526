"""Which rows of a scored table to keep."""
