"""A run for labels, told: `report.json` as a document, and `report.html` for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from wicket.lab.mini_report import curve_of
from wicket.lab.recipe_labels_proof import precision
from wicket.lab.run_page import footer, gate_table, judged
from wicket.minis.confidence import NEVER
from wicket.pages.amounts import amount, points, probability
from wicket.pages.lines import Guide, Series, lines
from wicket.pages.parts import (
    Fact,
    Facts,
    Figure,
    Figures,
    Page,
    Paragraph,
    Part,
    Sample,
    Samples,
    Section,
    Table,
)
from wicket.pages.render import render
from wicket.pages.scales import Axis

if TYPE_CHECKING:
    from wicket.lab.mini_gate import Verdict
    from wicket.lab.recipe_labels import LabelRecipe
    from wicket.lab.recipe_labels_run import Outcome

VERSION = 1
KIND = "labels"


def document(recipe: LabelRecipe, outcome: Outcome, found: Verdict) -> dict[str, Any]:
    """`report.json`: everything that was decided and measured, the gate first."""
    fitted, floored = outcome.fitted, outcome.floored
    sets = list(outcome.sets.values())
    right = sum(each.student.right for each in sets)
    by_teacher = sum(each.others["teacher"].right for each in sets)
    return {
        "version": VERSION,
        "kind": KIND,
        "name": recipe.name,
        "gate": msgspec.to_builtins(found),
        "kept": right / by_teacher if by_teacher else 0.0,
        "exact": right / max(1, sum(each.student.num for each in sets)),
        "floor": None if floored.floor >= NEVER else floored.floor,
        "recipe": msgspec.to_builtins(recipe),
        "seed": recipe.seed,
        "sets": msgspec.to_builtins(outcome.sets),
        "models": _models(outcome),
        "speeds": msgspec.to_builtins(outcome.speeds),
        "fitted": msgspec.to_builtins(fitted),
        "validation": {
            "known": msgspec.to_builtins(floored.validation),
            "strangers": msgspec.to_builtins(floored.strangers),
        },
        "precision": msgspec.to_builtins(precision(sets, recipe.floor.strangers)),
        "curve": [list(point) for point in curve_of(floored.calibration, least=1)],
        "data": msgspec.to_builtins(outcome.manifest),
        "estimate": msgspec.to_builtins(outcome.foreseen),
        "shown": msgspec.to_builtins(outcome.shown),
    }


def _models(outcome: Outcome) -> list[dict[str, Any]]:
    """Teacher and student: size, course, accuracy of the exported file."""
    fitted, sets = outcome.fitted, list(outcome.sets.values())
    num = max(1, sum(each.student.num for each in sets))
    teacher = fitted.teacher
    rows = []
    if teacher is not None:
        right = sum(each.others["teacher"].right for each in sets)
        rows.append(("teacher", teacher.trained, teacher.num_parameters, teacher.bytes, right))
    right = sum(each.student.right for each in sets)
    rows.append(("student", fitted.trained, fitted.num_parameters, fitted.bytes, right))
    return [
        {
            "name": name,
            "seconds": trained.seconds,
            "size": {"num_parameters": parameters, "file_bytes": size},
            "exact": right / num,
            "curve": [list(point) for point in trained.curve],
        }
        for name, trained, parameters, size, right in rows
    ]


def page(report: dict[str, Any]) -> str:
    """`report.html` of a document."""
    sections = [
        Section("Proof", [_facts(report), gate_table(report)]),
        Section("On each data set, exported, in the engine", [_accuracy(report), _ahead(report), *_words()]),
        Section("What it refuses", [_refusal(report), _plots(report)]),
        Section("Teacher and student", [_sizes(report)]),
        Section("What it learned from", _data(report)),
        Section("Side by side", [Samples([_sample(row) for row in report["shown"]])]),
    ]
    return render(Page(f"Run: {report['name']}", sections, lead=_lead(report), footer=footer(report)))


def _lead(report: dict[str, Any]) -> str:
    size = report["fitted"]["num_parameters"] / 1e6
    words = f"{report['exact']:.1%} of the answers are right, {report['kept']:.3f} of its teacher's, with "
    words += f"{size:.1f} M parameters"
    if report["gate"]["passed"]:
        return f"The gate passed: {words}."
    failed = ", ".join(check["name"] for check in report["gate"]["checks"] if not check["passed"])
    return f"The gate did not pass ({failed}): {words}."


def _facts(report: dict[str, Any]) -> Facts:
    speed, fitted = report["speeds"]["student"], report["fitted"]
    facts = [
        Fact(f"{found['student']['share']:.1%}", f"right on {name}", _range(found["student"]))
        for name, found in report["sets"].items()
        if found["student"]["num"]
    ]
    note = f"of processor time a request; {speed['cpu_ms_p99']:.1f} at the 99th percentile"
    return Facts(
        [
            *facts,
            Fact(f"{report['kept']:.1%}", "of the teacher's accuracy"),
            Fact(f"{speed['cpu_ms_p50']:.1f} ms", note),
            Fact(amount(fitted["bytes"], "bytes"), "size", f"{fitted['num_parameters']:,} parameters"),
        ]
    )


def _range(found: dict[str, Any]) -> str:
    return f"of {found['num']}; 95 % interval {found['low']:.1%} to {found['high']:.1%}"


def _accuracy(report: dict[str, Any]) -> Table:
    rows = []
    for name, found in report["sets"].items():
        if not found["student"]["num"]:
            continue
        for who, accuracy in (("student", found["student"]), *found["others"].items()):
            row = [name, who, str(accuracy["num"]), str(accuracy["right"]), amount(accuracy["share"], "%")]
            rows.append([*row, f"{accuracy['low']:.1%} to {accuracy['high']:.1%}"])
    return Table("Right", ["data", "who", "requests", "right", "", "95 % interval"], rows, [2, 3, 4, 5])


def _ahead(report: dict[str, Any]) -> Table:
    rows = [
        [
            name,
            other,
            points(each["mean"]),
            f"{points(each['low'])} to {points(each['high'])}",
            probability(each["p_value"]),
            f"{each['only_student']} : {each['only_other']}",
        ]
        for name, found in report["sets"].items()
        if found["student"]["num"]
        for other, each in found["ahead"].items()
    ]
    columns = ["data", "student less", "points", "95 % interval", "McNemar's p", "only one is right"]
    return Table("Ahead of", columns, rows, [2, 3, 4, 5])


def _words() -> list[Part]:
    words = (
        "Requests that have a label. tfidf is TF-IDF of words and pairs with a linear SVM, frozen the "
        "untouched encoder's vectors with logistic regression, each fitted to the data set's own training "
        "part. Intervals of differences are by the bootstrap over requests."
    )
    return [Paragraph(words)]


def _refusal(report: dict[str, Any]) -> Table:
    rows = []
    for name, found in report["sets"].items():
        taken, met = found["at_floor"], found["strangers"]
        rows.append(
            [
                name,
                amount(taken["share"], "%") if taken["num"] else "-",
                amount(taken["precision"], "%") if taken["num"] else "-",
                "-" if met is None else str(met["num"]),
                "-" if met is None else amount(met["share"], "%"),
                "-" if met is None else f"{met['low']:.1%} to {met['high']:.1%}",
                "-" if met is None or met["area"] is None else f"{met['area']:.3f}",
                amount(found["precision_with_strangers"], "%"),
            ]
        )
    columns = ["data", "answered", "of those right", "strangers", "refused", "95 % interval", "AUROC"]
    floor = "none" if report["floor"] is None else f"{report['floor']:.3f}"
    title = f"At the floor ({floor})"
    return Table(title, [*columns, "right of all answered"], rows, list(range(1, 8)))


def _plots(report: dict[str, Any]) -> Figures:
    curve, quality = report["curve"], report["recipe"]["floor"]["quality"]
    series = Series(
        "validation", [(x, y) for x, y, _, _ in curve], [(x, low, high) for x, _, low, high in curve]
    )
    taken = lines(
        "Precision against the share answered",
        Axis("share answered", "%", 0.0, 1.0),
        Axis("precision", "%", None, 1.0),
        [series],
        [Guide("quality asked for", y=quality)],
    )
    courses = [
        Series(made["name"], [(float(x), float(y)) for x, y in made["curve"]]) for made in report["models"]
    ]
    losses = lines("Loss while training", Axis("requests seen"), Axis("loss (nats)", low=0.0), courses)
    return Figures(
        [
            Figure(taken, "Validation, strangers counted in: the stricter the floor, the less is answered."),
            Figure(losses, "The student's loss is mostly its distance from the teacher."),
        ]
    )


def _sizes(report: dict[str, Any]) -> Table:
    rows = []
    for made in report["models"]:
        speed = report["speeds"][made["name"]]
        rows.append(
            [
                made["name"],
                f"{made['size']['num_parameters']:,}",
                f"{made['size']['file_bytes']:,}",
                amount(made["exact"], "%"),
                f"{speed['cpu_ms_p50']:.2f} / {speed['cpu_ms_p99']:.2f}",
                f"{speed['wall_ms_p50']:.2f} / {speed['wall_ms_p99']:.2f}",
                f"{made['seconds']:.0f} s",
            ]
        )
    columns = ["model", "parameters", "bytes", "right", "processor ms, p50 / p99", "wall ms, p50 / p99"]
    return Table("Size and speed, one request at a time, one thread", [*columns, "training"], rows, [1, 2, 3])


def _data(report: dict[str, Any]) -> list[Part]:
    data = report["data"]
    rows = [
        [part, facts["name"], str(facts["lines"]), str(facts["num_broken"]), facts["sha256"][:16]]
        for part, facts in data["files"].items()
    ]
    table = Table("Files", ["part", "file", "lines", "broken lines", "SHA-256 begins"], rows, [2, 3])
    words = f"{len(data['labels'])} labels. {data['num_removed']} requests stood in what judges too and were "
    words += f"removed; {data['num_left']} still stand there." if data["num_left"] else "removed."
    broken = [
        Paragraph(f"{facts['name']}: {why}", "warn")
        for facts in data["files"].values()
        for why in facts["broken"]
    ]
    return [table, Paragraph(words, "bad" if data["num_left"] else ""), *broken]


def _sample(row: dict[str, Any]) -> Sample:
    answers = [judged(name, row[name], row[name] == row["expected"]) for name in ("teacher", "student")]
    return Sample(row["request"][:60], row["request"], answers, row["expected"])
