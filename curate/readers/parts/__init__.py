"""Building blocks of layouts: prompts, sides, messages, scores, labels and verdicts, each read in one way."""
