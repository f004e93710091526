"""Exports: what each trainer reads, its folder, its card, and what is refused because a trainer would misread it."""
