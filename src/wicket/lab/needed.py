"""How many examples a mini needs, by what was measured on two public tasks (`learning_curves.json`)."""

from __future__ import annotations

from importlib.resources import files

import msgspec


class Point(msgspec.Struct, frozen=True):
    """So many training examples; of unseen requests, the share right, and taken at a quality of 0.95."""

    examples: int
    exact: float
    share: float
    precision: float | None = None
    seconds: int = 0


class Curve(msgspec.Struct, frozen=True):
    """One task's points; `judged_on` unseen requests."""

    task: str
    judged_on: int
    points: list[Point]


def curves() -> list[Curve]:
    """What was measured, by `bench/lab/learning_curve.py`."""
    data = files("wicket.lab").joinpath("learning_curves.json").read_bytes()
    return msgspec.json.decode(data, type=list[Curve])


def advice() -> str:
    """The curves for people, a line per point."""
    lines = ["What so many examples came to on public tasks (right on its own; taken at a quality of 0.95):"]
    lines += [
        f"  {curve.task}: {point.examples:5} examples to learn from: {point.exact:4.0%} right, "
        f"{point.share:4.0%} taken"
        for curve in curves()
        for point in curve.points
    ]
    return "\n".join(lines)
