"""The only SQL: named queries, forward-only migrations."""
