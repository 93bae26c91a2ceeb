"""Files of weights and words: found, fetched, read; without any engine."""
