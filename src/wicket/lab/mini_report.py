"""A mini's report: `report.json` as a document, and `report.html` for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from wicket.minis.confidence import NEVER, Calibration, Point, interval
from wicket.pages.bars import Bar, bars
from wicket.pages.calibration import Bin, calibration
from wicket.pages.lines import Guide, Series, lines
from wicket.pages.parts import (
    Answer,
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
    from wicket.lab.mini import Asked, Calibrated
    from wicket.lab.mini_data import Prepared
    from wicket.lab.mini_gate import Scores, Verdict
    from wicket.lab.mini_writer import Fitted

VERSION = 1


def document(
    asked: Asked, prepared: Prepared, fitted: Fitted, calibrated: Calibrated, found: Verdict
) -> dict[str, Any]:
    """`report.json`: everything that was decided and measured, the gate first."""
    return {
        "version": VERSION,
        "kind": "mini",
        "task": asked.task,
        "gate": msgspec.to_builtins(found),
        "asked": msgspec.to_builtins(asked),
        "floor": None if calibrated.floor >= NEVER else calibrated.floor,
        "scores": {
            "validation": _scores(calibrated.validation),
            "test": _scores(calibrated.test),
            "evaluation": _scores(calibrated.evaluation),
            "strangers": _scores(calibrated.strangers),
        },
        "reliability": calibrated.reliability,
        "curve": [list(point) for point in curve_of(calibrated.calibration)],
        "training": msgspec.to_builtins(fitted),
        "answers": {"kind": prepared.shape.kind, "labels": len(prepared.shape.labels)},
        "data": {"curation": prepared.curation, "split": prepared.split, "leaked": prepared.leaked},
    }


def _scores(scores: Scores | None) -> dict[str, Any] | None:
    return None if scores is None else msgspec.to_builtins(scores)


def curve_of(found: Calibration, most: int = 120, least: int = 10) -> list[tuple[float, float, float, float]]:
    """(share taken, precision, its interval's ends) along the floors, about `most` of them.

    Floors above which fewer than `least` answers stand are left out.
    """
    points: Sequence[Point] = found.points
    step = max(1, len(points) // most)
    chosen = [*points[::step], *points[-1:]]
    return [
        (
            p.num_taken / max(1, found.num_validated),
            p.num_right / p.num_taken,
            *interval(p.num_right, p.num_taken),
        )
        for p in chosen
        if p.num_taken >= least
    ]


def page(report: dict[str, Any], shown: Sequence[Sample]) -> str:
    """`report.html` of a document, with some requests and answers side by side."""
    sections = [
        _proof(report),
        Section("What it takes, and how often it is right", [_figures(report)]),
        Section("What it learned from", _data_parts(report)),
    ]
    if shown:
        sections.append(Section("Requests and answers", [Samples(shown)]))
    return render(Page(f"Mini: {report['task']}", sections, lead=_lead(report), footer=_footer(report)))


def sample(request: str, expected: str, answer: str, sureness: float, is_right: bool) -> Sample:
    """One request of the test part as the page shows it."""
    verdict = f"{'right' if is_right else 'wrong'}, confidence {sureness:.2f}"
    return Sample(
        request[:60], request, [Answer("mini", answer, verdict, "" if is_right else "bad")], expected
    )


def _lead(report: dict[str, Any]) -> str:
    test, quality = report["scores"]["test"], report["asked"]["quality"]
    if not report["gate"]["passed"]:
        failed = ", ".join(check["name"] for check in report["gate"]["checks"] if not check["passed"])
        return f"This mini is not put in place: it failed on {failed}."
    return (
        f"This mini can take {test['share']:.0%} of the requests at {test['precision']:.1%} precision "
        f"(asked for: {quality:.0%}); the rest goes to the large model."
    )


def _proof(report: dict[str, Any]) -> Section:
    rows = [
        [check["name"], "kept" if check["passed"] else "NOT kept", f"{check['value']:.3f}",
         f"{check['needed']:.3f}", check["says"]]
        for check in report["gate"]["checks"]
    ]  # fmt: skip
    parts: list[Part] = [
        _facts(report),
        Table("The gate", ["promise", "", "measured", "needed", ""], rows, [2, 3]),
    ]
    return Section("Proof", parts)


def _facts(report: dict[str, Any]) -> Facts:
    test, training = report["scores"]["test"], report["training"]
    low, high = test["precision_interval"]
    return Facts(
        [
            Fact(
                f"{test['exact']:.1%}", "right on its own", f"{test['right']} of {test['num']} test requests"
            ),
            Fact(f"{test['share']:.0%}", "of the requests taken", f"{test['taken']} of {test['num']}"),
            Fact(f"{test['precision']:.1%}", "of those right", f"95 % interval {low:.1%} to {high:.1%}"),
            Fact(
                f"{training['bytes'] / 1e6:.0f} MB",
                "size",
                f"{training['num_parameters'] / 1e6:.0f} M parameters",
            ),
        ]
    )


def _figures(report: dict[str, Any]) -> Figures:
    curve, quality = report["curve"], report["asked"]["quality"]
    share, precision = Axis("share taken", "%", 0.0, 1.0), Axis("precision", "%", None, 1.0)
    line = Series(
        "validation", [(x, y) for x, y, _, _ in curve], [(x, low, high) for x, _, low, high in curve]
    )
    taken = lines(
        "Precision against the share taken", share, precision, [line], [Guide("quality asked for", y=quality)]
    )
    bins = [
        Bin(b["claimed"], b["right"], b["low"], b["high"], b["num"]) for b in report["reliability"]["bins"]
    ]
    losses = lines(
        "Loss while it learned",
        Axis("requests seen"),
        Axis("loss (nats per token)", low=0.0),
        [Series("training", [(float(x), float(y)) for x, y in report["training"]["trained"]["curve"]])],
    )
    return Figures(
        [
            Figure(
                taken, "The stricter the floor, the fewer requests are taken, and the more of them are right."
            ),
            Figure(
                calibration("Confidence against truth", bins),
                "On the diagonal, confidence means what it says.",
            ),
            Figure(losses, "Mean loss per token of the answers."),
        ]
    )


def _data_parts(report: dict[str, Any]) -> list[Part]:
    curation, split = report["data"]["curation"], report["data"]["split"]
    removed = [
        Bar(step["name"].replace("_", " "), float(step["num_removed"]))
        for step in curation["steps"]
        if step["num_removed"]
    ]
    rows = [
        [name, str(split[name]["examples"]), split[name]["sha256"][:16]]
        for name in ("train", "validation", "test")
    ]
    parts: list[Part] = [
        Paragraph(f"{curation['kept']} of {curation['lines']} logged examples were fit to learn from."),
        Table("Parts, split by time and by group", ["part", "examples", "SHA-256 begins"], rows, [1]),
    ]
    met = report["scores"]["strangers"]
    if met is not None:
        text = f"{met['num']} requests stood for strangers: another training was not taught their labels, and"
        parts.append(
            Paragraph(f"{text} all it answered counts as wrong. The floor lets {met['taken']} through.")
        )
    if removed:
        drawn = bars("What curation removed", Axis("examples", low=0.0), removed)
        parts.append(Figures([Figure(drawn, "Examples that were left out, by the step that found them.")]))
    return parts


def _footer(report: dict[str, Any]) -> str:
    machine = report["machine"]
    return (
        f"Made in {report['seconds'] / 60:.1f} minutes on {machine['cores']} cores ({machine['processor']}), "
        f"seed {report['asked']['seed']}."
    )
