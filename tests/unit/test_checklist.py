"""The checklist names tests that exist, and each of its lines has one or says why not."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = [
    line
    for line in (ROOT / "docs" / "checklist.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| point |")
]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
SECTIONS = {"Requests", "Answers", "Streams", "Errors and headers", "Bad input"}


@cache
def known_tests(file: str) -> frozenset[str]:
    path = ROOT / file
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE))


def test_it_is_all_there() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "checklist.md").read_text(), re.MULTILINE)
    assert set(headings) == SECTIONS and len(LINES) >= 80
    assert len(LINES) == len({line.split("|")[1] for line in LINES})


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip()[:60])
def test_each_line_has_its_proof(line: str) -> None:
    point, proof = (cell.strip() for cell in line.strip("|").split("|"))
    named = NAMED.findall(proof)
    assert point and named
    assert proof.count("::") == len(named), "a name is written in another form"
    for file, name in named:
        assert name in known_tests(file), f"{file}::{name} does not exist"
