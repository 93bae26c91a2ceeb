"""A run's report: `report.json` as a document, and `report.html` for people. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from wicket.lab.data.manifest import Manifest
from wicket.lab.data.report import removed_table, steps_table
from wicket.lab.measures import SAID
from wicket.lab.recipe_gate import kept
from wicket.lab.run_page import footer, gate_table, judged
from wicket.pages.amounts import UNKNOWN, amount, points, probability
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
    from wicket.lab.recipe import Step
    from wicket.lab.recipe_form import Recipe
    from wicket.lab.recipe_run import Outcome

VERSION = 1
LISTENING = ("distil", "train_on_grid")  # techniques whose loss is a divergence where there is a teacher


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
            "teacher": None if evaluated.teacher.likeness is None else evaluated.teacher.likeness.perplexity,
            "student": evaluated.student.likeness.perplexity,
        },
        "teacher": _teacher(recipe, outcome),
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
        "harness": msgspec.to_builtins(outcome.harnessed),
    }


def _teacher(recipe: Recipe, outcome: Outcome) -> dict[str, Any]:
    """Where the teacher comes from, and what was asked of one behind an address."""
    asking = outcome.asking
    if not recipe.teacher.is_local and asking is not None:
        return {
            "source": f"{asking.model} at {asking.host}",
            "licence": "its answers: as its provider says",
            "asking": msgspec.to_builtins(asking),
        }
    made = outcome.models[0]
    return {
        "source": made.source,
        "licence": made.licence,
        "asking": msgspec.to_builtins(asking),
    }


def page(report: dict[str, Any]) -> str:
    """`report.html` of a document."""
    sections = [
        Section("Proof", [_facts(report), gate_table(report)]),
        Section("Step by step", _steps(report)),
        Section(
            "Teacher and student, exported, in the engine",
            [_sides(report), _energy(report), *_worth(report), *_gain(report), *_harness(report)],
        ),
        Section("What it learned from", _data(report)),
    ]
    shown = _shown(report)
    if shown:
        sections.append(Section("Side by side", [Samples(shown)]))
    return render(Page(f"Run: {report['name']}", sections, lead=_lead(report), footer=footer(report)))


def _lead(report: dict[str, Any]) -> str:
    teacher, student = (report["evaluated"][side]["figures"] for side in ("teacher", "student"))
    words = f"keeps {report['kept']:.1%} of its teacher's score"
    if teacher is not None:
        size = student["file_bytes"] / teacher["file_bytes"]
        speed = student["decode_speed"] / teacher["decode_speed"]
        words += f" at {size:.0%} of the bytes and {speed:.2f} times the speed"
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
                _kl(size["exported"]["kl"]),
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
    return [table, Paragraph(words), *_stored(models), *says, _plots(report)]


def _stored(models: Sequence[dict[str, Any]]) -> list[Part]:
    """What the teacher's stored logits came to."""
    return [
        Paragraph(
            f"{made['name']} learned from stored logits: the {stored['k']} likeliest tokens of "
            f"{stored['num_places']:,} places at {stored['bytes_per_token']:.0f} bytes each, "
            f"{stored['num_asked']:,} of them asked in this step."
        )
        for made in models
        if (stored := made["report"].get("stored"))
    ]


def _plots(report: dict[str, Any]) -> Figures:
    models = report["models"]
    loss = Axis("loss as exported (nats per token)")

    def dots(of: str) -> list[Dot]:
        return [Dot(made["name"], made["size"][of], made["size"]["exported"]["loss"]) for made in models]

    figures = [
        Figure(
            scatter("Loss against size", Axis("file", "bytes"), loss, dots("file_bytes")),
            "Loss against size: each stage's model in the export's format; lower left is better.",
        ),
        Figure(
            scatter("Loss against speed", Axis("tokens per second in torch"), loss, dots("speed")),
            "Loss against speed; lower right is better.",
        ),
    ]
    figures += _curves(report)
    return Figures(figures)


def _curves(report: dict[str, Any]) -> list[Figure]:
    """Trainings' losses; the divergence from a teacher has a plot of its own, for it is far smaller."""
    has_teacher = report["evaluated"]["teacher"]["figures"] is not None
    tokens, divergences = list[Series](), list[Series]()
    for made in report["models"]:
        listens = has_teacher and made["name"].partition("-")[2] in LISTENING
        if made["curve"]:
            points = [(float(x), float(y)) for x, y in made["curve"]]
            (divergences if listens else tokens).append(Series(made["name"], points))
    figures = []
    for title, says, series in (
        ("Loss while training", "Loss while training, of the tokens to be foretold.", tokens),
        (
            "Divergence while training",
            "What each distillation has left to learn of its teacher.",
            divergences,
        ),
    ):
        if series:
            drawn = lines(title, Axis("tokens read"), Axis("nats per token"), series)
            figures.append(Figure(drawn, says))
    return figures


def _sides(report: dict[str, Any]) -> Table:
    rows = []
    for side in ("teacher", "student"):
        found = report["evaluated"][side]
        figures, alike = found["figures"], found["likeness"]
        cells = [side, amount(found["exact"], "%"), amount(found["valid"], "%")]
        if figures is None:  # behind an address
            rows.append(cells + [UNKNOWN] * 9)
            continue
        cells += [
            f"{math.exp(alike['loss']):.3f}",
            _kl(alike["kl"]),
            amount(alike["same_top"], "%"),
            amount(figures["file_bytes"], "bytes"),
            f"{figures['decode_speed']:,.0f}",
            f"{figures['prefill_speed']:,.0f}",
            f"{figures['load_s']:.2f} s",
            amount(figures["memory_bytes"], "bytes"),
            _millijoules(figures["energy"]),
        ]
        rows.append(cells)
    columns = ["", "exact", "valid", "perplexity", "KL", "same top", "file", "decode tokens/s"]
    return Table(
        "The exported files",
        [*columns, "prefill tokens/s", "load", "memory", "mJ/token"],
        rows,
        list(range(1, 12)),
    )


def _kl(value: float | None) -> str:
    """Nothing is less than none: what float32 leaves of equal distributions is a zero."""
    return amount(None if value is None else max(0.0, round(value, 6)))


def _millijoules(energy: dict[str, Any]) -> str:
    mark = "" if energy["source"] == "rapl" else "≈ "
    return mark + amount(energy["joules_per_token"] * 1000)


def _energy(report: dict[str, Any]) -> Paragraph:
    """How energy was come by."""
    energy = report["evaluated"]["student"]["figures"]["energy"]
    if energy["source"] == "rapl":
        words = (
            "Energy of decoding was measured by the processor's own meter (RAPL, all packages, whatever ran)."
        )
        return Paragraph(words)
    return Paragraph(
        "Energy of decoding is an estimate: this process's CPU seconds times a stated "
        f"{amount(energy['watts'], 'W')} of one busy core, for the machine shows no meter. It compares these "
        "files with each other, and nothing else."
    )


def _harness(report: dict[str, Any]) -> list[Part]:
    """What lm-evaluation-harness found, by its own names."""
    found = report["harness"]
    if found is None:
        return []
    theirs = {scores["task"]: scores["figures"] for scores in found["teacher"]}
    rows = [
        [
            scores["task"],
            name,
            amount(theirs.get(scores["task"], {}).get(name)),
            amount(value),
            str(scores["num"]),
        ]
        for scores in found["student"]
        for name, value in scores["figures"].items()
    ]
    columns = ["task", "figure", "teacher", "student", "questions"]
    return [Table("By lm-evaluation-harness", columns, rows, [2, 3, 4])]


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
    words = f"{data['num_removed']:,} of training stood in the evaluation data and were removed"
    words += f"; {data['num_left']:,} still stand there." if data["num_left"] else "."
    if not data["num_removed"] and not data["num_left"]:
        words = "Nothing that is learned stands in the evaluation data word for word."
    broken = [
        Paragraph(f"{facts['name']}: {why}", "warn")
        for facts in data["files"].values()
        for why in facts["broken"]
    ]
    verdict = Paragraph(words, "bad" if data["num_left"] else "")
    asking = report["teacher"]["asking"]
    return [table, *curation_parts(data["curation"]), verdict, *broken, *_asking(asking)]


def _asking(asking: dict[str, Any] | None) -> list[Part]:
    """What a teacher behind an address answered."""
    if asking is None:
        return []
    spent = f"{asking['spent_tokens']:,} tokens"
    if asking["spent_usd"] is not None:
        spent += f", {amount(asking['spent_usd'], '$')}"
    words = (
        f"{asking['model']} at {asking['host']} answered {asking['num_answered']:,} of "
        f"{asking['num_asked']:,} requests ({spent}; {asking['num_failed_calls']:,} of "
        f"{asking['num_calls']:,} calls failed). The file's own answers were not learned."
    )
    parts: list[Part] = [
        Paragraph(words),
        *(Paragraph(f"No answer: {why}", "warn") for why in asking["shown"]),
    ]
    if asking["curation"] is not None:
        manifest = msgspec.convert(asking["curation"], Manifest)
        parts += [steps_table(manifest), *(removed_table(step) for step in manifest.steps if step.shown)]
    return parts


def curation_parts(found: dict[str, Any] | None) -> list[Part]:
    """What each step took out, and the mixture."""
    if found is None:
        return []
    manifest = msgspec.convert(found["manifest"], Manifest)
    parts: list[Part] = [steps_table(manifest)] if manifest.steps else []
    if found["tasks"]:
        rows = [
            [
                name,
                f"{task['size']:,}",
                f"{task['drawn']:,}",
                amount(task["share"], "%"),
                f"{task['epochs']:.2f}",
            ]
            for name, task in found["tasks"].items()
        ]
        columns = ["file", "samples", "drawn", "of the mixture", "times each"]
        parts.append(Table("The mixture", columns, rows, [1, 2, 3, 4]))
    if found["num_other_form"]:
        words = (
            f"{found['num_other_form']:,} conversations of more turns, with tools or pictures were left out."
        )
        parts.append(Paragraph(words))
    return parts + [removed_table(step) for step in manifest.steps if step.shown]


def _shown(report: dict[str, Any]) -> list[Sample]:
    found = report["evaluated"]
    shown = [
        Sample(
            f"Request {number}",
            answer["request"],
            [judged(name, answer[name], answer[f"{name}_right"]) for name in ("teacher", "student")],
            answer["expected"],
        )
        for number, answer in enumerate(found["answers"], 1)
    ]
    return shown + [
        Sample(
            "Continued" if prompt else "From nothing",
            prompt,
            [*([Answer("teacher", theirs)] if theirs else []), Answer("student", ours)],
        )
        for prompt, theirs, ours in found["continued"]
    ]
