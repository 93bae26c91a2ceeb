"""A run's report: `report.json` as a document, and `report.html` for people. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from wicket.lab.measures import SAID
from wicket.lab.recipe_gate import kept
from wicket.pages.amounts import amount, points, probability
from wicket.pages.lines import Series, lines
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
from wicket.pages.scatter import Dot, scatter

if TYPE_CHECKING:
    from wicket.lab.mini_gate import Verdict
    from wicket.lab.recipe import Recipe, Step
    from wicket.lab.recipe_run import Outcome

VERSION = 1


def document(recipe: Recipe, steps: Sequence[Step], outcome: Outcome, found: Verdict) -> dict[str, Any]:
    """`report.json`: everything that was decided and measured, the gate first."""
    evaluated = outcome.evaluated
    return {
        "version": VERSION,
        "kind": "recipe",
        "name": recipe.name,
        "gate": msgspec.to_builtins(found),
        "kept": kept(evaluated),
        "perplexity": {
            "teacher": evaluated.teacher.likeness.perplexity,
            "student": evaluated.student.likeness.perplexity,
        },
        "recipe": msgspec.to_builtins(recipe),
        "seed": recipe.seed,
        "steps": [
            {
                "technique": step.technique.name,
                "says": step.technique.says,
                "options": msgspec.to_builtins(step.options),
            }
            for step in steps
        ],
        "data": msgspec.to_builtins(outcome.read.manifest),
        "vocabulary": msgspec.to_builtins(outcome.vocabulary),
        "estimate": msgspec.to_builtins(outcome.foreseen),
        "models": [msgspec.to_builtins(made) for made in outcome.models],
        "exported": msgspec.to_builtins(outcome.exported),
        "evaluated": msgspec.to_builtins(evaluated),
    }


def page(report: dict[str, Any]) -> str:
    """`report.html` of a document."""
    sections = [
        Section("Proof", [_facts(report), _gate(report)]),
        Section("Step by step", _steps(report)),
        Section(
            "Teacher and student, exported, in the engine", [_sides(report), *_worth(report), *_gain(report)]
        ),
        Section("What it learned from", _data(report)),
    ]
    shown = _shown(report)
    if shown:
        sections.append(Section("Side by side", [Samples(shown)]))
    return render(Page(f"Run: {report['name']}", sections, lead=_lead(report), footer=_footer(report)))


def _lead(report: dict[str, Any]) -> str:
    teacher, student = (report["evaluated"][side]["figures"] for side in ("teacher", "student"))
    size = student["file_bytes"] / teacher["file_bytes"]
    speed = student["decode_speed"] / teacher["decode_speed"]
    words = f"keeps {report['kept']:.1%} of its teacher's score at {size:.0%} of the bytes"
    words += f" and {speed:.2f} times the speed"
    if report["gate"]["passed"]:
        return f"The gate passed: the student {words}."
    failed = ", ".join(check["name"] for check in report["gate"]["checks"] if not check["passed"])
    return f"The gate did not pass ({failed}): the student {words}."


def _facts(report: dict[str, Any]) -> Facts:
    student, models = report["evaluated"]["student"], report["models"]
    facts = [Fact(f"{report['kept']:.1%}", "of the teacher's score")]
    if student["exact"] is not None:
        low, high = student["exact_interval"]
        note = f"of {student['num']}; 95 % interval {low:.1%} to {high:.1%}"
        facts.append(Fact(f"{student['exact']:.1%}", "exact answers", note))
    figures = student["figures"]
    before, after = (made["size"]["num_parameters"] for made in (models[0], models[-1]))
    facts += [
        Fact(amount(figures["file_bytes"], "bytes"), "model.gguf", f"{after:,} of {before:,} parameters"),
        Fact(f"{figures['decode_speed']:,.0f}", "tokens per second", f"computed in {figures['scheme']}"),
    ]
    return Facts(facts)


def _gate(report: dict[str, Any]) -> Table:
    rows = [
        [check["name"], "kept" if check["passed"] else "NOT kept", f"{check['value']:.4g}",
         f"{check['needed']:.4g}", check["says"]]
        for check in report["gate"]["checks"]
    ]  # fmt: skip
    return Table("The gate", ["promise", "", "measured", "needed", ""], rows, [2, 3])


def _steps(report: dict[str, Any]) -> list[Part]:
    models = report["models"]
    rows = []
    for place, made in enumerate(models):
        size, before = made["size"], models[max(place - 1, 0)]["size"]
        change = size["exported"]["loss"] - before["exported"]["loss"]
        rows.append(
            [
                made["name"],
                f"{size['num_parameters']:,}",
                f"{size['file_bytes']:,}",
                f"{size['speed']:,.0f}",
                f"{size['plain']['loss']:.4f}",
                f"{size['exported']['loss']:.4f}",
                f"{change:+.4f}" if place > 1 else "",
                amount(size["exported"]["kl"]),
                amount(size["exported"]["same_top"], "%"),
                f"{made['seconds']:.0f} s",
            ]
        )
    columns = ["model after", "parameters", "bytes", "tokens/s", "loss", "loss as exported", "change", "KL"]
    table = Table(
        "Size, speed and loss after each stage",
        [*columns, "same top", "took"],
        rows,
        list(range(1, 10)),
    )
    says = [
        Paragraph(made["report"]["note"], "warn")
        for made in models
        if isinstance(made["report"].get("note"), str)
    ]
    words = (
        "Losses are nats per token of the evaluation data; as exported means written in the export's format "
        "and read back. Tokens per second here are plain torch reading a batch, for comparing stages only."
    )
    return [table, Paragraph(words), *says, _plots(report)]


def _plots(report: dict[str, Any]) -> Figures:
    models = report["models"]
    loss = Axis("loss as exported (nats per token)")

    def dots(of: str) -> list[Dot]:
        return [Dot(made["name"], made["size"][of], made["size"]["exported"]["loss"]) for made in models]

    figures = [
        Figure(
            scatter("Loss against size", Axis("file", "bytes"), loss, dots("file_bytes")),
            "Each stage's model in the export's format; lower left is better.",
        ),
        Figure(
            scatter("Loss against speed", Axis("tokens per second in torch"), loss, dots("speed")),
            "Lower right is better.",
        ),
    ]
    curves = [
        Series(made["name"], [(float(x), float(y)) for x, y in made["curve"]])
        for made in models
        if made["curve"]
    ]
    if curves:
        drawn = lines("Loss while training", Axis("tokens read"), Axis("loss of the stage (nats)"), curves)
        figures.append(
            Figure(drawn, "Each training's own loss: of distillation the divergence from the teacher.")
        )
    return Figures(figures)


def _sides(report: dict[str, Any]) -> Table:
    rows = []
    for side in ("teacher", "student"):
        found = report["evaluated"][side]
        figures, alike = found["figures"], found["likeness"]
        rows.append(
            [
                side,
                amount(found["exact"], "%"),
                amount(found["valid"], "%"),
                f"{math.exp(alike['loss']):.3f}",
                amount(alike["kl"]),
                amount(alike["same_top"], "%"),
                amount(figures["file_bytes"], "bytes"),
                f"{figures['decode_speed']:,.0f}",
                f"{figures['prefill_speed']:,.0f}",
                f"{figures['load_s']:.2f} s",
                amount(figures["memory_bytes"], "bytes"),
            ]
        )
    columns = ["", "exact", "valid", "perplexity", "KL", "same top", "file", "decode tokens/s"]
    return Table(
        "The exported files", [*columns, "prefill tokens/s", "load", "memory"], rows, list(range(1, 11))
    )


def _gain(report: dict[str, Any]) -> list[Part]:
    gain = report["evaluated"]["gain"]
    if gain is None:
        return []
    mean, low, high = (points(each) for each in gain)
    words = (
        f"Exact answers, student less teacher: {mean} points (95 % interval {low} to {high}, bootstrap over "
    )
    chance = probability(report["evaluated"]["mcnemar"])
    return [Paragraph(f"{words}requests; McNemar's p {chance}).")]


def _worth(report: dict[str, Any]) -> list[Part]:
    """What answers are worth by each measure, where the recipe names any beside exactness."""
    found = report["evaluated"]["worth"]
    if len(found) < 2:
        return []
    rows = [
        [
            SAID[name],
            f"{each['teacher']:.3f}",
            f"{each['student']:.3f}",
            "{:.3f} ({:.3f} to {:.3f})".format(*each["kept"]),
            "{:+.3f} ({:+.3f} to {:+.3f})".format(*each["gain"]),
        ]
        for name, each in found.items()
    ]
    columns = ["score", "teacher", "student", "kept", "student less teacher"]
    words = "Intervals of 95 % by the paired bootstrap over requests; the gate's keep is of the first row."
    return [Table("What answers are worth", columns, rows, [1, 2, 3, 4]), Paragraph(words)]


def _data(report: dict[str, Any]) -> list[Part]:
    data = report["data"]
    rows = [
        [part, facts["name"], f"{facts['bytes']:,}", str(facts["num_broken"]), facts["sha256"][:16]]
        for part, facts in data["files"].items()
    ]
    table = Table("Files", ["part", "file", "bytes", "broken lines", "SHA-256 begins"], rows, [2, 3])
    words = f"{data['num_removed']} of training stood in the evaluation data and were removed"
    words += f"; {data['num_left']} still stand there." if data["num_left"] else "."
    broken = [
        Paragraph(f"{facts['name']}: {why}", "warn")
        for facts in data["files"].values()
        for why in facts["broken"]
    ]
    return [table, Paragraph(words, "bad" if data["num_left"] else ""), *broken]


def _shown(report: dict[str, Any]) -> list[Sample]:
    found = report["evaluated"]
    shown = [
        Sample(
            answer["request"][:60],
            answer["request"],
            [_answer(name, answer[name], answer[f"{name}_right"]) for name in ("teacher", "student")],
            answer["expected"],
        )
        for answer in found["answers"]
    ]
    return shown + [
        Sample(prompt[:60] or "From nothing", prompt, [Answer("teacher", theirs), Answer("student", ours)])
        for prompt, theirs, ours in found["continued"]
    ]


def _answer(name: str, text: str, is_right: bool) -> Answer:
    return Answer(name, text, "right" if is_right else "wrong", "" if is_right else "bad")


def _footer(report: dict[str, Any]) -> str:
    machine = report["machine"]
    made = " ".join(f"{name} {number}" for name, number in report["versions"].items())
    return (
        f"Made in {report['seconds'] / 60:.1f} minutes (of what was run last) on {machine['cores']} cores "
        f"({machine['processor']}), {machine['threads']} threads, seed {report['seed']}; {made}."
    )
