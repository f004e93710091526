"""What layouts are made of: prompts, sides, messages, scores, labels and verdicts, each read one way."""
