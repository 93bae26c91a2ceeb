"""Chance that is no chance: numbers that look random and follow from a seed, so that a plan can be explained.

Source: splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
"""

from __future__ import annotations

_MASK = (1 << 64) - 1


def draw(seed: int, turn: int) -> float:
    """The `turn`-th number of a seed, from 0 up to and without 1."""
    mixed = (seed + (turn + 1) * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)
