"""Files, folders and hub data as chunks of rows, whatever the format."""
