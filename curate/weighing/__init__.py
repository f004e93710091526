"""Training-signal methods: what margin-aware trainers want to know about each pair, one method per file."""
