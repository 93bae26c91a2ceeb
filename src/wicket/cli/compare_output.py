"""What `wicket compare` prints, and what makes it exit with 1."""

from __future__ import annotations

from collections.abc import Sequence

from wicket.cli.compare_plan import Settings
from wicket.cli.terminal import dollars, milliseconds, paint, plain, table
from wicket.pages.amounts import amount, interval
from wicket.suites.comparison import Comparison, ModelResult, worse
from wicket.suites.comparison_page import verdict


def terminal_report(comparison: Comparison) -> str:
    """Tables and a sentence per pair."""
    parts = [_models(comparison.models)]
    codes = [
        f"{model.model}: {', '.join(f'{code} {num}' for code, num in sorted(model.error_codes.items()))}"
        for model in comparison.models
        if model.error_codes
    ]
    if codes:
        parts.append(f"Errors, counted as wrong: {plain('; '.join(codes))}")
    if comparison.kinds:
        names = [model.model for model in comparison.models]
        rows = [
            [kind, *(f"{by[name].right} of {by[name].num}" for name in names)]
            for kind, by in comparison.kinds.items()
        ]
        parts.append(table(["KIND", *names], rows))
    parts += [plain(verdict(pair)[0]) for pair in comparison.pairs]
    judging = f", judging {dollars(comparison.judge_usd)}" if comparison.judge_usd else ""
    parts.append(paint(f"Spent: {dollars(comparison.spent_usd)}{judging}. Suite {comparison.suite}.", "dim"))
    return "\n\n".join(parts)


def failures(comparison: Comparison, settings: Settings) -> list[str]:
    """A line per gate that is not met, and one if answers are missing."""
    found = []
    if comparison.stopped:
        again = (
            "Run it again with --out to go on." if settings.folder is None else "The same command goes on."
        )
        found.append(f"{comparison.stopped} {again}")
    for model in comparison.models:
        floor = settings.floors.get(model.model)
        if floor is not None and model.share < floor:
            share, least = amount(model.share, "%"), amount(floor, "%")
            found.append(f"{model.model} has {share} right, less than the {least} of --fail-below.")
    if settings.no_worse_than:
        against = [pair for pair in comparison.pairs if pair.a == settings.no_worse_than]
        found += [f"{verdict(pair)[0]} Keep {pair.a}." for pair in against if worse(pair)]
    return found


def _models(models: Sequence[ModelResult]) -> str:
    headers = [
        "MODEL",
        "RIGHT",
        "SHARE",
        "95 % INTERVAL",
        "ERRORS",
        "COST",
        "FIRST TOKEN",
        "TOTAL",
        "P95",
        "TOK/S",
    ]
    has_memory = any(model.memory_bytes is not None for model in models)
    has_energy = any(model.energy_j is not None for model in models)
    headers += ["MEMORY"] * has_memory + ["ENERGY (EST.)"] * has_energy
    rows = []
    for model in models:
        speed = model.tokens_per_s.p50
        row = [
            model.model,
            f"{model.right} of {model.num}",
            amount(model.share, "%"),
            interval(*model.interval, "%"),
            str(model.errors),
            "-" if model.cost_usd is None else dollars(model.cost_usd),
            milliseconds(model.first_token_ms.p50),
            milliseconds(model.total_ms.p50),
            milliseconds(model.total_ms.p95),
            "-" if speed is None else f"{speed:.1f}",
        ]
        row += [amount(model.memory_bytes, "bytes")] * has_memory
        row += [amount(model.energy_j, "J")] * has_energy
        rows.append(row)
    return table(headers, rows)
