"""What `models.json` is made of: one file per open catalogue, and the rules that make one fact of theirs."""
