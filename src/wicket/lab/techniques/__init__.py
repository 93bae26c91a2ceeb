"""One file per technique: what it needs, what it does to a student, what it reports."""
