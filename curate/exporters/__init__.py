"""What each trainer reads: the rows of its data file, and its configuration snippet; a file per trainer family."""
