"""The trainers, one file each: the rows of its data file, and its configuration; a new file here is found."""
