"""Rewriting and judging texts, one file each; nothing here reads or writes anything."""
