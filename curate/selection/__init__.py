"""Which rows of a scored table are kept."""
