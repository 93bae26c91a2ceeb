"""Whether a label student keeps what its recipe promised, on each of its data sets. Pure."""

from __future__ import annotations

from wicket.lab.label_figures import Speed
from wicket.lab.mini_gate import MAX_DIFFERENCE, SLACK, Check, Verdict
from wicket.lab.mini_writer import Fitted
from wicket.lab.recipe_labels import LabelRecipe
from wicket.lab.recipe_labels_data import Manifest
from wicket.lab.recipe_labels_proof import Judged, precision
from wicket.minis.confidence import NEVER


def judge(
    recipe: LabelRecipe,
    manifest: Manifest,
    fitted: Fitted,
    speed: Speed,
    floor: float,
    sets: dict[str, Judged],
) -> Verdict:
    """All promises: those of every run, then those of the recipe."""
    gate, quality = recipe.gate, recipe.floor.quality
    found = precision(list(sets.values()), recipe.floor.strangers)
    says = f"of what the floor lets through is right, strangers counted as {recipe.floor.strangers:.0%}"
    checks = [
        _most("evaluation_in_training", manifest.num_left, 0, "of what judges stand in training too"),
        _most("export", fitted.export_difference, MAX_DIFFERENCE, "nats between trained and exported model"),
        Check("floor", floor < NEVER, floor, 1.0, "validation shows a floor that keeps the quality"),
        _least("precision", found.share, quality - SLACK, says),
    ]
    if gate.max_parameters is not None:
        says = "parameters"
        checks.append(_most("parameters", fitted.num_parameters, gate.max_parameters, says))
    if gate.max_ms is not None:
        says = "milliseconds of processor time a request, at the 99th percentile"
        checks.append(_most("milliseconds", speed.cpu_ms_p99, gate.max_ms, says))
    for name, each in sets.items():
        checks += _of_set(recipe, name, each)
    return Verdict(all(check.passed for check in checks), checks)


def _of_set(recipe: LabelRecipe, name: str, found: Judged) -> list[Check]:
    gate, checks = recipe.gate, _refusal(recipe, name, found)
    if not found.student.num:
        return checks
    if gate.keep is not None:
        checks.append(_least(f"{name}.keep", found.kept, gate.keep, "of the teacher's accuracy"))
    if gate.min_accuracy is not None:
        says = "of the requests with a label are right"
        checks.append(_least(f"{name}.accuracy", found.student.share, gate.min_accuracy, says))
    for other in gate.ahead:
        low = found.ahead[other].low
        says = f"ahead of {other} ({found.others[other].share:.1%}) at the lower end of the paired interval"
        checks.append(Check(f"{name}.ahead_of_{other}", low > 0, low, 0.0, says))
    if gate.min_taken is not None:
        says = "of the requests with a label are answered at the floor"
        checks.append(_least(f"{name}.taken", found.at_floor.share, gate.min_taken, says))
    return checks


def _refusal(recipe: LabelRecipe, name: str, found: Judged) -> list[Check]:
    least = recipe.gate.min_refused
    if least is None or found.strangers is None:
        return []
    says = "of the requests that belong to no label are refused at the floor"
    return [_least(f"{name}.refused", found.strangers.share, least, says)]


def _most(name: str, value: float, limit: float, says: str) -> Check:
    return Check(name, bool(value <= limit), float(value), float(limit), says)


def _least(name: str, value: float, needed: float, says: str) -> Check:
    return Check(name, bool(value >= needed), float(value), float(needed), says)
