"""The data of a run: staged on disk, with a slot for each response, measured once."""
