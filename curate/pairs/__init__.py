"""Which two of a prompt's responses become a pair. Knows nothing of files, models or texts."""
