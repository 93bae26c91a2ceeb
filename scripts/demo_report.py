"""The demo's end: what was promised against what was seen, as a document and as a page."""

import json
from pathlib import Path

from demo_parts import LARGE, MINI, exact, same

from wicket.minis.confidence import interval
from wicket.pages.bars import Bar, bars
from wicket.pages.lines import Guide, Series, lines
from wicket.pages.parts import (
    Answer,
    Fact,
    Facts,
    Figure,
    Figures,
    Page,
    Paragraph,
    Sample,
    Samples,
    Section,
    Table,
)
from wicket.pages.render import render
from wicket.pages.scales import Axis

QUALITY = 0.95  # what wicket.toml asks for
# What is promised of a task: as for restaurant8k where it was measured, else the least that is worth while:
# the share that a training must reach to pass its gate, and more right answers than before.
BARS = {
    "restaurant8k": {"before": 0.05, "after": 0.70, "mini_share": 0.50},
    "clinc150": {"after": 0.70, "mini_share": 0.50},
}
LEAST_SHARE = 0.10


def write_report(out: Path, facts: dict, before, logged, cascade) -> dict:
    """`report.json` and `report.html`; returns the document."""
    report = document(facts, before, logged, cascade)
    (out / "report.json").write_text(json.dumps(report, indent=2))
    (out / "report.html").write_text(page(report, cascade), "utf-8")
    return report


def document(facts: dict, before, logged, cascade) -> dict:
    answers, test = before
    found_before = score(exact(answers, test[: len(answers)]), len(answers))
    through, alone, test = cascade
    taken = [pair for pair in zip(through, test, strict=True) if pair[0].deployment.startswith(MINI)]
    right_taken = sum(same(answer.text, line["messages"][-1]["content"]) for answer, line in taken)
    went_up = [line for answer, line in zip(through, test, strict=True) if answer.deployment == LARGE]
    found_after = score(right_taken + exact(alone, went_up), len(test))
    report = {
        "task": facts["task"],
        "large_model": "a stand-in that answers with the data set's gold answers, at gpt-4o's price",
        "seconds": facts["seconds"],
        "stages": facts["stages"],
        "logged": {"requests": len(logged[1]), "errors": sum(bool(answer.error) for answer in logged[0])},
        "before": found_before,
        "after": found_after,
        "cascade": {
            "requests": len(test),
            "mini_requests": len(taken),
            "mini_share": len(taken) / len(test),
            "precision": right_taken / max(1, len(taken)),
            "precision_interval": list(interval(right_taken, len(taken))),
            "errors": sum(bool(answer.error) for answer in through),
            "all_exact": exact(through, test) / len(test),
            "curve": curve(taken, alone, went_up),
        },
        "savings": facts["savings"],
        "usage": facts["usage"],
        "training": {name: facts["mini"].get(name) for name in ("gate", "scores", "training", "floor")},
    }
    report["promises"] = promises(report)
    report["passed"] = all(promise["kept"] for promise in report["promises"])
    report["says"] = says(report)
    return report


def score(right: int, num: int) -> dict:
    return {
        "exact": right / max(1, num),
        "right": right,
        "requests": num,
        "interval": list(interval(right, num)),
    }


def curve(taken, alone, went_up) -> list:
    """(share, precision) along all confidences, of what was really answered."""
    pairs = [*taken, *zip(alone, went_up, strict=True)]
    judged = sorted(
        ((answer.confidence, same(answer.text, line["messages"][-1]["content"])) for answer, line in pairs),
        key=lambda pair: -pair[0],
    )
    points, right = [], 0
    for index, (_, is_right) in enumerate(judged, 1):
        right += is_right
        if index % max(1, len(judged) // 100) == 0:
            points.append([index / len(judged), right / index])
    return points


def promises(report: dict) -> list[dict]:
    """What was promised, and whether it was kept."""
    cascade, savings = report["cascade"], report["savings"]
    task = next((row for row in savings["tasks"] if row["task"] == report["task"]), {})
    num_all = report["logged"]["requests"] + cascade["requests"]
    before, after = report["before"]["exact"], report["after"]["exact"]
    bars_of = {"after": before, "mini_share": LEAST_SHARE, **BARS.get(report["task"], {})}
    rows = [
        ("the mini alone is at least so often right", after, bars_of["after"], "at least"),
        ("the mini takes at least this share", cascade["mini_share"], bars_of["mini_share"], "at least"),
        ("of what it takes, at least this is right", cascade["precision"], QUALITY, "at least"),
        ("requests of the task in the ledger", task.get("requests", 0), num_all, "exactly"),
        ("of them answered by the mini", task.get("mini_requests", 0), cascade["mini_requests"], "exactly"),
        ("failed requests", cascade["errors"] + report["logged"]["errors"], 0, "exactly"),
    ]
    if "before" in bars_of:
        text = "the compact model alone is at most so often right"
        rows.insert(0, (text, before, bars_of["before"], "at most"))
    kept = {"at most": lambda a, b: a <= b, "at least": lambda a, b: a >= b, "exactly": lambda a, b: a == b}
    return [
        {"says": text, "seen": seen, "rule": rule, "promised": promised, "kept": kept[rule](seen, promised)}
        for text, seen, promised, rule in rows
    ]


def says(report: dict) -> str:
    cascade, savings = report["cascade"], report["savings"]
    low, high = cascade["precision_interval"]
    return (
        f"The mini takes {cascade['mini_share']:.1%} of {cascade['requests']} untouched requests, "
        f"{cascade['precision']:.1%} of them right (95 % interval {low:.1%} to {high:.1%}). "
        f"Spent ${savings['spent_usd']:.4f}; the large model alone would have cost "
        f"${savings['large_only_usd']:.4f}."
    )


def page(report: dict, cascade) -> str:
    through, _, test = cascade
    cas, savings = report["cascade"], report["savings"]
    facts = Facts(
        [
            Fact(f"{report['before']['exact']:.1%}", "right before", "the compact model as it is"),
            Fact(f"{report['after']['exact']:.1%}", "right after", "the mini on every test request"),
            Fact(
                f"{cas['mini_share']:.1%}",
                "taken by the mini",
                f"{cas['mini_requests']} of {cas['requests']}",
            ),
            Fact(f"{cas['precision']:.1%}", "of those right", "asked for: 95 %"),
        ]
    )
    rows = [
        [
            p["says"],
            f"{p['seen']:.4g}",
            p["rule"],
            f"{p['promised']:.4g}",
            "kept" if p["kept"] else "NOT kept",
        ]
        for p in report["promises"]
    ]
    money = bars(
        "What it cost",
        Axis("USD", "$", low=0.0),
        [Bar("with the mini", savings["spent_usd"]), Bar("large model alone", savings["large_only_usd"])],
    )
    line = lines(
        "Precision against the share taken",
        Axis("share taken", "%", 0.0, 1.0),
        Axis("precision", "%", None, 1.0),
        [Series("test file", [(x, y) for x, y in cas["curve"]])],
        [Guide("quality asked for", y=QUALITY), Guide("share taken", x=cas["mini_share"])],
    )
    times = [[name, f"{seconds:.0f}"] for name, seconds in report["stages"]]
    figures = [
        Figure(line, "Every answer of the mini, the surest first."),
        Figure(money, "From the ledger: the whole demo, logging and checks included."),
    ]
    sections = [
        Section(
            "What happened",
            [facts, Table("Promises", ["", "seen", "", "promised", ""], rows, [1, 3]), Figures(figures)],
        ),
        Section("How long it took", [Table("Stages", ["stage", "seconds"], times, [1])]),
        Section("Requests", [Samples(samples(through, test))]),
    ]
    note = Paragraph(f"The large model is {report['large_model']}.", "warn")
    sections[0] = Section(sections[0].heading, [note, *sections[0].parts])
    footer = f"Made unattended in {report['seconds'] / 60:.1f} minutes by make demo."
    return render(Page(f"The loop: {report['task']}", sections, lead=report["says"], footer=footer))


def samples(through, test) -> list[Sample]:
    found = []
    for answer, line in list(zip(through, test, strict=True))[:16]:
        request, expected = line["messages"][-2]["content"], line["messages"][-1]["content"]
        is_right = same(answer.text, expected)
        who = "mini" if answer.deployment.startswith(MINI) else "large model"
        sure = f", confidence {answer.confidence:.2f}" if answer.confidence >= 0 else ""
        verdict = f"{'right' if is_right else 'wrong'}{sure}"
        found.append(
            Sample(who, request, [Answer(who, answer.text, verdict, "" if is_right else "bad")], expected)
        )
    return found
