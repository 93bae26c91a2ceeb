"""Facts in, ordered attempts out: pure decisions about who is asked in which order."""
