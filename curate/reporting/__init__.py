"""The page that shows a scored table to people: every number over all rows, and a sample to click through."""
