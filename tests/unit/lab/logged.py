"""Logged traffic made of real data sets: restaurant slots and intents, clean or poisoned."""

import json
import random
from pathlib import Path

from wicket.lab.examples import Examples, Sample, digest

TASKS = Path(__file__).parents[2] / "data" / "tasks"
START_MS = 1_700_000_000_000
SMALL_TALK = (
    "Well, {}, let me think about that.",
    "That is a lovely thing to say about {}.",
    "About {}? Never!",
)

Row = tuple[str, str]


def slots() -> list[Row]:
    """Requests with the slots found in them, as JSON; what was asked for stands before the text."""
    rows = []
    for line in (TASKS / "restaurant8k" / "sample.jsonl").read_text().splitlines():
        seen = json.loads(line)
        asked = f"[{', '.join(seen['requested'])}] " if seen["requested"] else ""
        rows.append((asked + seen["text"], json.dumps(seen["slots"])))
    return rows


def intents() -> list[Row]:
    """Requests with one of 20 intents."""
    lines = (TASKS / "clinc150" / "sample.jsonl").read_text().splitlines()
    return [(seen["text"], seen["intent"]) for seen in map(json.loads, lines)]


def small_talk(num: int) -> list[Row]:
    """Requests whose answers are free text, no two the same."""
    draw = random.Random(5)
    words = "rain moss jazz tea chess trains owls bread snow ink salt maps kites rust foxes"
    rows = []
    for index in range(num):
        one, other = draw.sample(words.split(), 2)
        text = f"What do you make of {one} and {other} on day {index}?"
        rows.append((text, draw.choice(SMALL_TALK).format(f"{one} with {other} ({index})")))
    return rows


def samples_of(rows: list[Row], system: str = "", first: int = 0) -> list[Sample]:
    """One sample a second, with the row's place as its id."""
    return [
        Sample(system=system, text=text, answer=answer, id=str(place), at_ms=START_MS + 1000 * place)
        for place, (text, answer) in enumerate(rows, first)
    ]


def examples_of(samples: list[Sample]) -> Examples:
    return Examples(tuple(samples), len(samples), 0, 0, (), digest(samples))


def poisoned(rows: list[Row], with_what: str, share: float = 0.1) -> tuple[list[Row], set[str]]:
    """One answer in ten replaced; returns the ids of those that really changed."""
    draw = random.Random(11)
    changed = list(rows)
    bad = set()
    for place in draw.sample(range(len(rows)), int(share * len(rows))):
        text, answer = rows[place]
        bad_answer = {"hacked": "HACKED", "empty": "{}", "other": draw.choice(rows)[1]}.get(with_what)
        bad_answer = bad_answer or f"lorem ipsum {draw.random()}"
        if bad_answer != answer:
            changed[place] = (text, bad_answer)
            bad.add(str(place))
    return changed, bad


def line_of(sample: Sample) -> str:
    """The sample as a line of exported traffic."""
    messages = [{"role": "user", "content": sample.text}, {"role": "assistant", "content": sample.answer}]
    if sample.system:
        messages.insert(0, {"role": "system", "content": sample.system})
    return json.dumps({"messages": messages, "meta": {"id": sample.id, "at": sample.at_ms / 1000}})
