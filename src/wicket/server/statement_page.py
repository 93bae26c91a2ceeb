"""A month's statement as a page to keep or print: what it came to, by model, by day, and money that moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from wicket.pages.amounts import amount
from wicket.pages.bars import Bar, bars
from wicket.pages.parts import Fact, Facts, Figure, Figures, Page, Paragraph, Part, Section, Table
from wicket.pages.render import render
from wicket.pages.scales import Axis

_MAX_BARS = 12
_KINDS = {
    "cached_tokens": "cached tokens",
    "cache_write_tokens": "tokens written to a cache",
    "cache_write_1h_tokens": "of them for an hour",
    "reasoning_tokens": "reasoning tokens",
    "audio_tokens": "audio tokens",
    "image_tokens": "image tokens",
    "images": "images",
    "audio_ms": "milliseconds of audio",
    "characters": "characters spoken",
    "searches": "searches",
}
Document = Mapping[str, Any]


def statement_page(document: Document) -> str:
    """The file's text; it needs nothing from elsewhere."""
    sections = [Section("What it came to", _overview(document))]
    if document["rows"]:
        sections.append(Section("By model", _models(document)))
        sections.append(Section("By day and model", [_days(document)]))
    if document["movements"]:
        sections.append(Section("Credit", [_movements(document)]))
    return render(
        Page(
            title=f"Statement {document['month']}: {_whose(document)}",
            lead=f"Requests begun from {document['since']} to {document['until']} ({document['time_zone']}).",
            sections=sections,
            footer=f"Amounts in US dollars, exact to a nano-dollar; days in {document['time_zone']}.",
        )
    )


def _whose(document: Document) -> str:
    if document.get("team"):
        return f"team {document['team']}"
    if document.get("key"):
        return f"key {document.get('key_name') or document['key']}"
    return "all teams and keys"


def _overview(document: Document) -> list[Part]:
    parts: list[Part] = []
    if not document["is_complete"]:
        parts.append(Paragraph("The month is not over: this is what is known so far.", "warn"))
    parts.append(
        Facts(
            [
                Fact(_usd(document["charge_usd"]), "charged"),
                Fact(f"{document['requests']:,}", "requests", f"{document['failed']:,} of them failed"),
                Fact(f"{document['input_tokens']:,}", "input tokens"),
                Fact(f"{document['output_tokens']:,}", "output tokens"),
            ]
        )
    )
    kinds = [[words, f"{document[name]:,}"] for name, words in _KINDS.items() if document[name]]
    if kinds:
        parts.append(Table("Further kinds", ["kind", "count"], kinds, numeric=(1,)))
    if document["estimated"]:
        parts.append(Paragraph(f"The counts of {document['estimated']:,} requests are estimated."))
    missing = [[one["model"], one["kind"], f"{one['requests']:,}"] for one in document["unpriced"]]
    if missing:
        parts.append(Paragraph("Nobody knows a price for these: the amounts are without them.", "warn"))
        parts.append(Table("Without a price", ["model", "what", "requests"], missing, numeric=(2,)))
    if not document["rows"]:
        parts.append(Paragraph("Nothing was asked in this month."))
    return parts


def _models(document: Document) -> list[Part]:
    models = sorted(document["models"], key=lambda row: -Decimal(row["charge_usd"]))
    drawn = [Bar(row["model"] or "unanswered", float(row["charge_usd"])) for row in models[:_MAX_BARS]]
    plot = bars("Charge by model", Axis("US dollars", "$", 0.0), drawn)
    parts: list[Part] = [_table("Charge by model", ("model",), models)]
    if len(models) > 1:
        parts.insert(0, Figures([Figure(plot, "The dearest models of the month.")]))
    return parts


def _days(document: Document) -> Part:
    return _table("Charge by day and model", ("day", "model"), document["rows"])


def _table(caption: str, names: tuple[str, ...], rows: Sequence[Document]) -> Table:
    counts = ("requests", "input_tokens", "cached_tokens", "output_tokens")
    lines = [
        [
            *(row[name] or "unanswered" for name in names),
            *(f"{row[name]:,}" for name in counts),
            _usd(row["charge_usd"]),
        ]
        for row in rows
    ]
    heads = [*names, "requests", "input", "cached", "output", "charge"]
    return Table(caption, heads, lines, numeric=tuple(range(len(names), len(heads))))


def _movements(document: Document) -> Part:
    lines = [
        [one["at"], one["kind"].replace("_", " "), one["memo"], _usd(one["amount_usd"])]
        for one in document["movements"]
    ]
    return Table("Top-ups, grants and refunds", ["when", "what", "note", "amount"], lines, numeric=(3,))


def _usd(text: str) -> str:
    """Cents where that is all there is, else every digit: a statement is never rounded."""
    value = Decimal(text)
    if value == value.quantize(Decimal("0.01")):
        return amount(float(value), "$") if abs(value) < 1 and value else f"${value:,.2f}"
    return f"${value:,f}"
