"""The page of a comparison: what came out, plots, tables, and answers side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from wicket.pages.amounts import amount, interval, points, probability
from wicket.pages.bars import Bar, bars
from wicket.pages.markup import shortened
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
    Tone,
)
from wicket.pages.scales import Axis
from wicket.pages.scatter import Dot, scatter
from wicket.suites.case import Case, expected_text, text_of
from wicket.suites.comparison import ALPHA, Answered, Comparison, ModelResult, PairResult

MAX_SAMPLES = 24
_MAX_SHOWN = 1_200  # characters of a request or an answer
Column = tuple[str, Callable[[ModelResult], str]]
_SHARE = Axis("right answers, with 95 % interval", "%", 0.0, 1.0)


def comparison_page(comparison: Comparison, cases: Sequence[Case], answers: Sequence[Answered]) -> Page:
    """The whole page."""
    models = comparison.models
    names = ", ".join(model.model for model in models)
    sections = [
        Section("What came out", _outcome(comparison)),
        Section("Quality, cost and speed", [_quality(models), _speed(models), _plots(models)]),
    ]
    if comparison.pairs:
        sections.append(Section("Model against model", [_pairs(comparison.pairs)]))
    if comparison.kinds:
        sections.append(Section("By kind of case", [_kinds(comparison)]))
    samples = _samples(comparison, cases, answers)
    if samples:
        words = "Cases on which the models differ come first."
        sections.append(Section("Answers side by side", [Paragraph(words), Samples(samples)]))
    sections.append(Section("How this was measured", [Paragraph(text) for text in _method(comparison)]))
    return Page(
        title=f"{names}: {comparison.cases} cases",
        lead="How often each model is right, what it costs and how long it takes, on the same cases.",
        sections=sections,
        footer=f"Made by wicket compare on {_day(comparison.created_ms)}; suite {comparison.suite}.",
    )


def verdict(pair: PairResult) -> tuple[str, Tone]:
    """A pair in a sentence."""
    ends = f"{points(pair.interval[0])} to {points(pair.interval[1])}"
    figures = f"{points(pair.difference)} points (95 % interval {ends}; p {_p(pair.p_value)})"
    if pair.p_value >= ALPHA:
        return f"{pair.b} against {pair.a}: no clear difference on {pair.num} cases, {figures}.", ""
    is_better = pair.difference > 0
    word = "better" if is_better else "worse"
    return f"{pair.b} is {word} than {pair.a}: {figures}.", "good" if is_better else "bad"


def _p(value: float) -> str:
    shown = probability(value)
    return shown if shown.startswith("<") else f"= {shown}"


def _outcome(comparison: Comparison) -> list[Part]:
    parts: list[Part] = []
    if comparison.stopped:
        parts.append(Paragraph(f"This is a part only: {comparison.stopped}", "warn"))
    parts += [Paragraph(*verdict(pair)) for pair in comparison.pairs[:6]]
    facts = [
        Fact(
            amount(model.share, "%"),
            model.model,
            f"{model.right} of {model.num} right; 95 % interval {interval(*model.interval, '%')}",
        )
        for model in comparison.models
    ]
    spent = comparison.spent_usd + comparison.judge_usd
    note = (
        f"judging {amount(comparison.judge_usd, '$')} of it"
        if comparison.judge_usd
        else "all models together"
    )
    return [*parts, Facts([*facts, Fact(amount(spent, "$"), "spent", note)])]


def _quality(models: Sequence[ModelResult]) -> Table:
    columns: list[Column] = [
        ("Model", lambda model: model.model),
        ("Right", lambda model: f"{model.right} of {model.num}"),
        ("Share", lambda model: amount(model.share, "%")),
        ("95 % interval", lambda model: interval(*model.interval, "%")),
        ("Errors", lambda model: amount(model.errors)),
        ("Cost", lambda model: amount(model.cost_usd, "$")),
        ("Input tokens", lambda model: amount(model.input_tokens)),
        ("Output tokens", lambda model: amount(model.output_tokens)),
    ]
    return _table("Each model on the same cases; errors count as wrong", columns, models)


def _speed(models: Sequence[ModelResult]) -> Table:
    columns: list[Column] = [
        ("Model", lambda model: model.model),
        ("First token, p50", lambda model: amount(model.first_token_ms.p50, "ms")),
        ("First token, p95", lambda model: amount(model.first_token_ms.p95, "ms")),
        ("Total, p50", lambda model: amount(model.total_ms.p50, "ms")),
        ("Total, p95", lambda model: amount(model.total_ms.p95, "ms")),
        ("Tokens/s, p50", lambda model: amount(model.tokens_per_s.p50)),
    ]
    if any(model.memory_bytes is not None for model in models):
        columns.append(("Memory", lambda model: amount(model.memory_bytes, "bytes")))
    if any(model.energy_j is not None for model in models):
        columns.append(("Energy per answer (estimate)", _energy))
    return _table("Times as the client saw them, without errors", columns, models)


def _table(caption: str, columns: Sequence[Column], models: Sequence[ModelResult]) -> Table:
    return Table(
        caption=caption,
        columns=[name for name, _ in columns],
        rows=[[cell(model) for _, cell in columns] for model in models],
        numeric=range(1, len(columns)),
    )


def _energy(model: ModelResult) -> str:
    return amount(None if model.energy_j is None or not model.num else model.energy_j / model.num, "J")


def _plots(models: Sequence[ModelResult]) -> Figures:
    shares = [Bar(m.model, m.share, *m.interval, f"{m.right} of {m.num}") for m in models]
    figures = [
        Figure(bars("Right answers", _SHARE, shares), "Longer is better; the thin line is the 95 % interval.")
    ]
    costs = [m.cost_usd * 1_000 / m.num if m.cost_usd is not None and m.num else None for m in models]
    if any(costs):
        axis = Axis("cost of 1,000 answers", "$", is_log=True)
        figures.append(_dots("Quality against cost", axis, models, costs))
    totals = [m.total_ms.p50 for m in models]
    if any(total is not None for total in totals):
        axis = Axis("time to the whole answer, p50", "ms", is_log=True)
        figures.append(_dots("Quality against time", axis, models, totals))
    memory = [None if m.memory_bytes is None else float(m.memory_bytes) for m in models]
    if sum(size is not None for size in memory) > 1:
        axis = Axis("memory of the local model", "bytes", low=0.0)
        figures.append(_dots("Quality against memory", axis, models, memory))
    return Figures(figures)


def _dots(title: str, axis: Axis, models: Sequence[ModelResult], values: Sequence[float | None]) -> Figure:
    dots = [
        Dot(model.model, float("nan") if value is None else value, model.share, *model.interval)
        for model, value in zip(models, values, strict=True)
    ]
    return Figure(
        scatter(title, axis, Axis("right answers", "%", 0.0, 1.0), dots), f"{title}: up and left is better."
    )


def _pairs(pairs: Sequence[PairResult]) -> Table:
    rows = [
        [
            f"{pair.b} against {pair.a}",
            str(pair.num),
            points(pair.difference),
            f"{points(pair.interval[0])} to {points(pair.interval[1])}",
            str(pair.only_b),
            str(pair.only_a),
            probability(pair.p_value),
        ]
        for pair in pairs
    ]
    columns = [
        "Pair",
        "Cases",
        "Difference",
        "95 % interval",
        "Only first right",
        "Only second right",
        "p-value",
    ]
    caption = "Differences in percentage points, first less second; p by McNemar's exact test"
    return Table(caption, columns, rows, range(1, len(columns)))


def _kinds(comparison: Comparison) -> Table:
    names = [model.model for model in comparison.models]
    rows = [
        [kind, *(f"{by[name].right} of {by[name].num} ({amount(by[name].share, '%')})" for name in names)]
        for kind, by in comparison.kinds.items()
    ]
    return Table("Right answers by kind", ["Kind", *names], rows, range(1, len(names) + 1))


def _samples(comparison: Comparison, cases: Sequence[Case], answers: Sequence[Answered]) -> list[Sample]:
    first = {(one.case, one.model): one for one in answers if one.repeat == 0}
    names = [model.model for model in comparison.models]
    ranked: list[tuple[int, int, Case]] = []
    for place, case in enumerate(cases):
        right = [first[case.id, name].is_right for name in names if (case.id, name) in first]
        if right:
            ranked.append((0 if len(set(right)) > 1 else 1 if not all(right) else 2, place, case))
    ranked.sort(key=lambda entry: entry[:2])
    return [_sample(case, names, first) for _, _, case in ranked[:MAX_SAMPLES]]


def _sample(case: Case, names: Sequence[str], first: dict[tuple[str, str], Answered]) -> Sample:
    shown = []
    for name in names:
        one = first.get((case.id, name))
        if one is None:
            shown.append(Answer(name, "", "not asked", "warn"))
        elif one.error:
            shown.append(Answer(name, shortened(one.message, _MAX_SHOWN), f"no answer: {one.error}", "warn"))
        else:
            word = "right" if one.is_right else f"wrong: {one.why}" if one.why else "wrong"
            shown.append(
                Answer(name, shortened(one.text, _MAX_SHOWN), word, "good" if one.is_right else "bad")
            )
    heading = f"{case.id} · {case.kind}" if case.kind else case.id
    request = shortened(text_of(case.messages), _MAX_SHOWN)
    return Sample(heading, request, shown, shortened(expected_text(case), _MAX_SHOWN))


def _method(comparison: Comparison) -> list[str]:
    settings = comparison.settings
    words = [
        "All models got the same cases, case by case and in turns, so that what slows the machine or a line "
        "for a while slows all of them.",
        f"{settings.get('concurrency', 1)} requests ran at a time; answers per case: {comparison.repeats}; "
        f"temperature: {settings.get('temperature')}; longest answer: {settings.get('max_tokens')} tokens.",
        "Intervals of a share are Wilson's at 95 %. Differences are taken case by case, with an interval by "
        "the bootstrap over cases (BCa), and McNemar's exact test for the p-value. Times are the client's; "
        "costs are the ledger's own.",
    ]
    machine = comparison.machine
    if machine.get("watts_per_core"):
        words.append(
            "Energy is an estimate: processor seconds of the local model times "
            f"{machine['watts_per_core']:g} W for a busy core, a stated figure and no measurement."
        )
    if machine.get("measured_j") is not None:
        words.append(
            f"The processor's own meter (RAPL) counted {machine['measured_j']:.0f} J for the whole machine "
            "meanwhile."
        )
    return words


def _day(created_ms: int) -> str:
    return datetime.fromtimestamp(created_ms / 1000, UTC).strftime("%Y-%m-%d")
