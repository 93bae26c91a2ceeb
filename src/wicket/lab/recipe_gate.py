"""Whether a run's model keeps what its recipe promised. Pure."""

from __future__ import annotations

import math

from wicket.lab.mini_gate import Check, Verdict
from wicket.lab.recipe_data import Manifest
from wicket.lab.recipe_form import Export, Gate
from wicket.lab.recipe_proof import Evaluated, Exported


def judge(gate: Gate, export: Export, manifest: Manifest, exported: Exported, found: Evaluated) -> Verdict:
    """All promises: those of every run, then those of the recipe."""
    trip = max(exported.round_trip, exported.folder_round_trip or 0.0)
    checks = [
        _most("evaluation_in_training", manifest.num_left, 0, "of the evaluation stand in training too"),
        _most("round_trip", trip, export.tolerance, "nats per token between engine and file"),
        _least("template_and_ends", float(exported.template_kept and exported.ends_kept), 1.0,
               "the chat template and the end tokens came through the export"),
        *_likeness(gate, found),
        *_answers(gate, found),
        *_size(gate, found),
    ]  # fmt: skip
    return Verdict(all(check.passed for check in checks), checks)


def kept(found: Evaluated) -> float:
    """The student's score in parts of the teacher's: by the recipe's first measure, else of exact answers, or
    (of text) perplexity, the lower the better."""
    for first in found.worth.values():
        return first.kept[0]
    if found.student.exact is not None and found.teacher.exact is not None:
        return found.student.exact / found.teacher.exact if found.teacher.exact else 0.0
    if found.teacher.likeness is None:
        return 0.0
    return math.exp(found.teacher.likeness.loss - found.student.likeness.loss)


def _likeness(gate: Gate, found: Evaluated) -> list[Check]:
    student = found.student.likeness
    checks = []
    if gate.max_kl is not None and student.kl is not None:
        checks.append(_most("kl", student.kl, gate.max_kl, "nats per token from the teacher's distribution"))
    if gate.min_same_top is not None and student.same_top is not None:
        says = "of the tokens are the teacher's likeliest too"
        checks.append(_least("same_top", student.same_top, gate.min_same_top, says))
    if gate.max_loss_increase is not None and found.teacher.likeness is not None:
        more = student.loss - found.teacher.likeness.loss
        checks.append(
            _most("loss_increase", more, gate.max_loss_increase, "nats per token more than the teacher")
        )
    return checks


def _answers(gate: Gate, found: Evaluated) -> list[Check]:
    checks = []
    if gate.keep is not None:
        checks.append(_least("keep", kept(found), gate.keep, "of the teacher's score"))
    if gate.min_exact is not None:
        exact = found.student.exact or 0.0
        checks.append(_least("exact", exact, gate.min_exact, "of the answers are right"))
    return checks


def _size(gate: Gate, found: Evaluated) -> list[Check]:
    teacher, student = found.teacher.figures, found.student.figures
    checks: list[Check] = []
    if teacher is None:  # behind an address; the recipe's check has seen to it that nothing is asked for
        return checks
    if gate.max_bytes is not None:
        share = student.file_bytes / teacher.file_bytes
        checks.append(_most("bytes", share, gate.max_bytes, "of the teacher's file"))
    if gate.min_speed is not None:
        speed = student.decode_speed / teacher.decode_speed
        checks.append(_least("speed", speed, gate.min_speed, "times the teacher's decode speed"))
    return checks


def _most(name: str, value: float, limit: float, says: str) -> Check:
    return Check(name, bool(value <= limit), float(value), float(limit), says)


def _least(name: str, value: float, needed: float, says: str) -> Check:
    return Check(name, bool(value >= needed), float(value), float(needed), says)
