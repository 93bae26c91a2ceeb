"""What a router is learned from: public results per question, and the user's own feedback."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.errors import CallerFault
from wicket.minis.form import text_of
from wicket.minis.kinds import kind_of
from wicket.minis.question import Question, question_of
from wicket.minis.signals import signals

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
MAX_FIELD_CHARACTERS = 1 << 20


class Results(msgspec.Struct, frozen=True):
    """One row per question: signals, kind, subject, and whether the small and the large model were right."""

    names: list[str]
    values: Floats
    kinds: list[str]
    subjects: NDArray[np.str_]
    small: Flags
    large: Flags
    models: tuple[str, str]
    sha256: str

    def part(self, rows: Flags) -> Results:
        """Some of the rows."""
        kinds = [kind for kind, is_kept in zip(self.kinds, rows, strict=True) if is_kept]
        return msgspec.structs.replace(
            self,
            values=self.values[rows],
            kinds=kinds,
            subjects=self.subjects[rows],
            small=self.small[rows],
            large=self.large[rows],
        )


def read_results(folder: Path) -> Results:
    """The CSV files of a folder, a subject each: the prompt, then "True" or "False" for either model.

    Raises `CallerFault` naming the file and line that has another form.
    """
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    questions: list[Question] = []
    subjects: list[str] = []
    flags: list[tuple[bool, bool]] = []
    models = ("", "")
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.csv")):
        digest.update(path.read_bytes())
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            head = next(reader, [])
            models = _models(path, head)
            for row in reader:
                if len(row) != 3 or not {row[1], row[2]} <= {"True", "False"}:
                    raise CallerFault(
                        "bad_results", f"{path}:{reader.line_num}: not prompt, True or False twice"
                    )
                questions.append(question_of(row[0]))
                subjects.append(path.stem)
                flags.append((row[1] == "True", row[2] == "True"))
    if not questions:
        raise CallerFault("bad_results", f"{folder} has no CSV file with results in it")
    right = np.array(flags)
    return Results(
        *_signals(questions), np.array(subjects), right[:, 0], right[:, 1], models, digest.hexdigest()
    )


def _models(path: Path, head: list[str]) -> tuple[str, str]:
    if len(head) != 3 or head[0] != "prompt":
        raise CallerFault("bad_results", f"{path}:1: the columns must be prompt, small model, large model")
    return head[1], head[2]


def _signals(questions: list[Question]) -> tuple[list[str], Floats, list[str]]:
    found = [signals(question) for question in questions]
    values = np.array([list(each.values()) for each in found])
    return list(found[0]), values, [kind_of(question) for question in questions]


class Feedback(msgspec.Struct, frozen=True):
    """Questions that the local model answered, and what its answers were worth, from 0 to 1."""

    questions: list[Question]
    scores: list[float]


class _Meta(msgspec.Struct, frozen=True):
    deployment: str
    score: float | None = None


class _Line(msgspec.Struct, frozen=True):
    messages: list[dict[str, Any]]
    score: float | None = None
    meta: _Meta | None = None


def read_feedback(path: Path, model: str = "") -> Feedback:
    """JSONL: `messages` as OpenAI's, and a `score`. Raises `CallerFault` naming the line that is none.

    Lines of `wicket logs export` have their score in `meta`; those of other deployments than `model`, and
    those that nobody scored, are passed over.
    """
    questions, scores = [], []
    decode = msgspec.json.Decoder(_Line).decode
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise CallerFault("bad_feedback", f"{path}:{number}: {error}") from None
        score = found.score if found.meta is None else found.meta.score
        if found.meta is not None and (score is None or found.meta.deployment != model):
            continue
        if score is None or not 0 <= score <= 1:
            raise CallerFault("bad_feedback", f"{path}:{number}: score: a number from 0 to 1")
        question = _asked(found.messages)
        if question is None:
            raise CallerFault("bad_feedback", f"{path}:{number}: messages: the user's last one has no text")
        questions.append(question)
        scores.append(score)
    return Feedback(questions, scores)


def _asked(messages: list[dict[str, Any]]) -> Question | None:
    """What a conversation asks, its own answer at the end aside: as an engine's host reads a request."""
    is_answered = bool(messages) and messages[-1].get("role") == "assistant"
    said = [(one.get("role"), text_of(one.get("content"))) for one in messages[: len(messages) - is_answered]]
    texts = [text for role, text in said if role == "user"]
    if not texts or texts[-1] is None:
        return None
    return question_of(texts[-1], sum(len(text or "") for _, text in said))
