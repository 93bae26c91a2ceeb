"""What providers really answered: read, matched, replayed, and held against our dialects."""
