"""The data set card of an output folder: what the rows are, how they were made, and how to make them again."""
