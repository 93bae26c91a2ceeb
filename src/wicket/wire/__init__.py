"""Bytes and values, without I/O: JSON's one door, top-level fields, SSE frames, origins."""
