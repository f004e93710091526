"""Training-signal methods: what margin-aware trainers want to know of each pair, one method a file."""
