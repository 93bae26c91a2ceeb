"""What outlives a request, as values: sealed ids, kept answers, files, batches. No I/O."""
