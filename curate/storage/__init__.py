"""Everything on disk: paths, locks, checksums, shards, unfinished work."""
