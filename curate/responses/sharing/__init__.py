"""Several runs that measure one data set together: each its share, which `curate merge` joins."""
