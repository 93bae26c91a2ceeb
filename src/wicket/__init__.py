"""Wicket: a small gate to every model, with a compact model of its own inside."""

__version__ = "0.1.0"
