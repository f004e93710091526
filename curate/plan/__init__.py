"""What a run will measure, and with which models, settled before any data is processed."""
