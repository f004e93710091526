"""An embedded world with a known gold reward, and tiny models trained on it."""
