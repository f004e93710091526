"""Whether what curate selects makes better models: a study on tiny worlds whose true reward is known."""
