"""The data of a run: every response with its slot, staged, measured once."""
