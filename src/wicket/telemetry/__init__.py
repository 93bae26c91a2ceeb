"""Metrics from the records; nothing imports it but the processes that serve it."""
