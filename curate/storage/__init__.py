"""What touches the disk: places, locks, checksums, shards, unfinished work."""
