"""How much of what is personal the guardrail `pii` finds, and how much else it takes: `bench/pii.py FILE…`.

A FILE is a JSON list of `{"full_text", "spans": [{"entity_type", "start_position", "end_position"}]}` (the
Presidio research generator's form). A span counts as found when what was taken out covers it; something that
was taken out counts as wrong when it touches no span of a kind that patterns are made for. Any other FILE is
text without personal data, one sample per line: how many lines are changed.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from wicket.guardrails import pii

KINDS = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "CREDIT_CARD": "CARD",
    "IBAN_CODE": "IBAN",
    "US_SSN": "ID",
    "US_DRIVER_LICENSE": "ID",
    "IP_ADDRESS": "IP",
}
Span = tuple[int, int, str]


def found_in(text: str) -> list[Span]:
    """What is taken out of a text, with its place there."""
    found: list[Span] = []
    for kind, find in pii.FINDERS.items():
        for start, end in sorted(find(text)):
            found.append((start, end, kind))
            text = text[:start] + "\0" * (end - start) + text[end:]
    return found


def measure(samples: list[dict[str, Any]]) -> dict[str, Any]:
    wanted: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for sample in samples:
        spans = [(s["start_position"], s["end_position"], s["entity_type"]) for s in sample["spans"]]
        found = found_in(sample["full_text"])
        for start, end, kind in spans:
            wanted[kind] += 1
            covered[kind] += any(low <= start and end <= high for low, high, _ in found)
        for low, high, kind in found:
            touched = any(start < high and low < end and name in KINDS for start, end, name in spans)
            (right if touched else wrong)[kind] += 1
    return {
        "texts": len(samples),
        "recall": {kind: f"{covered[kind]} of {number}" for kind, number in sorted(wanted.items())},
        "precision": {
            kind: f"{right[kind]} of {right[kind] + wrong[kind]}" for kind in sorted(right | wrong)
        },
    }


def changed(lines: list[str]) -> dict[str, Any]:
    began = time.perf_counter()
    number = sum(pii.scrub([line]) != [line] for line in lines)
    us = (time.perf_counter() - began) / max(1, len(lines)) * 1e6
    return {"lines": len(lines), "changed": number, "us_per_line": round(us, 1)}


def main() -> None:
    for name in sys.argv[1:]:
        text = Path(name).read_text()
        try:
            samples = json.loads(text)
        except ValueError:
            samples = None
        is_spans = isinstance(samples, list) and samples and "full_text" in samples[0]
        report = measure(samples) if is_spans else changed(text.splitlines())
        print(json.dumps({"file": Path(name).name, **report}, indent=2))


if __name__ == "__main__":
    main()
