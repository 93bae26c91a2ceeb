"""Reads examples: JSONL of OpenAI chat messages, one finished conversation a line, into `Sample`s.

A line is `{"messages": [..., {"role": "assistant", "content": "…"}], "meta": {…}}`; `meta` may be missing,
and so may every field in it. A line that can't be read is told by its number, and skipped
or refused as asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec

from wicket.errors import CallerFault, OperatorFault
from wicket.minis.form import asked, text_of
from wicket.wire import json

MAX_LINE_BYTES = 8 << 20
MAX_SHOWN_LINES = 20  # of those that are broken, are kept with their reason

OnBroken = Literal["skip", "refuse"]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One request with the answer it got. `at_ms` is Unix time, 0 if unknown; `score` -1 if nobody gave one.

    `cost_usd` and the tokens come from the request's record, -1 if there was none at hand. `weight` counts
    how many equal ones this one stands for; `group` is the number of its group of requests (see `groups.py`),
    -1 until it was found.
    """

    system: str
    text: str
    answer: str
    id: str = ""
    at_ms: int = 0
    deployment: str = ""
    key: str = ""
    corrected: bool = False
    score: float = -1.0
    source: str = ""
    task: str = ""
    model: str = ""
    cost_usd: float = -1.0
    input_tokens: int = -1
    output_tokens: int = -1
    weight: int = 1
    group: int = -1


class BrokenLine(msgspec.Struct, frozen=True):
    """A line that can't be read; lines count from 1."""

    line: int
    reason: str


class Examples(msgspec.Struct, frozen=True):
    """What was read. `num_other_form`: conversations and other requests that no mini can be asked.

    `sha256` is over the samples' system prompts, texts and answers, whatever their order.
    """

    samples: tuple[Sample, ...]
    num_lines: int
    num_other_form: int
    num_broken: int
    broken: tuple[BrokenLine, ...]  # the first `MAX_SHOWN_LINES`
    sha256: str


class _Meta(msgspec.Struct):
    id: str | int = ""
    at: str | int | float = 0
    deployment: str | None = ""
    key: str | int | None = ""
    corrected: bool | str | None = False
    score: float | None = None
    source: str | None = ""
    task: str | None = ""
    model: str | None = ""
    cost_usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Line(msgspec.Struct):
    messages: list[dict[str, Any]]
    meta: _Meta = msgspec.field(default_factory=_Meta)
    tools: list[Any] | None = None


_decode = msgspec.json.Decoder(_Line).decode


def read_file(path: Path, *, on_broken: OnBroken = "skip", is_evaluation: bool = False) -> Examples:
    """Read a file; see `read`. Raises `OperatorFault` if it can't be opened."""
    try:
        with path.open("rb") as file:
            return read(file, name=path.name, on_broken=on_broken, is_evaluation=is_evaluation)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OperatorFault("unreadable_file", f"{path} can't be read: {reason}.") from None


def read(
    file: BinaryIO, *, name: str = "input", on_broken: OnBroken = "skip", is_evaluation: bool = False
) -> Examples:
    """All samples of an open file. Lines of evaluation data need no answer.

    Raises `CallerFault` `broken_line` at the first line that can't be read if `on_broken` is "refuse".
    """
    samples: list[Sample] = []
    broken: list[BrokenLine] = []
    num_lines = num_other = num_broken = 0
    for number, data in numbered_lines(file):
        if data is not None and not data.strip():
            continue
        num_lines += 1
        try:
            sample = _sample(number, data, is_evaluation)
        except _Unreadable as error:
            if on_broken == "refuse":
                message = f"{name}, line {number}: {error}. Mend or remove the line, or skip broken lines."
                raise CallerFault("broken_line", message) from None
            num_broken += 1
            if len(broken) < MAX_SHOWN_LINES:
                broken.append(BrokenLine(number, str(error)))
            continue
        if sample is None:
            num_other += 1
        else:
            samples.append(sample)
    return Examples(tuple(samples), num_lines, num_other, num_broken, tuple(broken), digest(samples))


def digest(samples: Iterable[Sample]) -> str:
    """SHA-256 of what is learned from samples; the same in every order of them."""
    each = sorted(
        hashlib.sha256(json.encode([sample.system, sample.text, sample.answer])).digest()
        for sample in samples
    )
    return hashlib.sha256(b"".join(each)).hexdigest()


class _Unreadable(Exception):
    """What is wrong with a line."""


def numbered_lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines; None in place of one that is too long."""
    number = 0
    while data := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(data) <= MAX_LINE_BYTES:
            yield number, data
            continue
        while data and not data.endswith(b"\n"):
            data = file.readline(MAX_LINE_BYTES)
        yield number, None


def _sample(number: int, data: bytes | None, is_evaluation: bool) -> Sample | None:
    """The sample of a line; None if it is a request of another form. Raises `_Unreadable`."""
    if data is None:
        raise _Unreadable(f"longer than {MAX_LINE_BYTES >> 20} MiB")
    try:
        line = _decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (json.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _Unreadable(str(error) or "nested too deeply") from None
    messages = line.messages
    has_answer = bool(messages) and messages[-1].get("role") == "assistant"
    if not has_answer and not is_evaluation:
        raise _Unreadable("the last message is not the assistant's")
    request = asked(messages[:-1] if has_answer else messages)
    answer = text_of(messages[-1].get("content")) if has_answer else ""
    uses_tools = bool(line.tools) or (has_answer and bool(messages[-1].get("tool_calls")))
    if request is None or answer is None or uses_tools:
        return None
    meta = line.meta
    correction = meta.corrected if isinstance(meta.corrected, str) else ""
    return Sample(
        system=request.system,
        text=request.text,
        answer=correction or answer,
        id=str(meta.id) if meta.id != "" else f"line {number}",
        at_ms=_at_ms(meta.at),
        deployment=meta.deployment or "",
        key="" if meta.key is None else str(meta.key),
        corrected=bool(meta.corrected),
        score=-1.0 if meta.score is None else meta.score,
        source=meta.source or "",
        task=meta.task or "",
        model=meta.model or "",
        cost_usd=-1.0 if meta.cost_usd is None else meta.cost_usd,
        input_tokens=-1 if meta.input_tokens is None else meta.input_tokens,
        output_tokens=-1 if meta.output_tokens is None else meta.output_tokens,
    )


def _at_ms(at: str | int | float) -> int:
    """Unix time in ms, from an ISO time (UTC where it does not say) or from seconds."""
    try:
        if not isinstance(at, str):
            return int(at * 1000)
        moment = datetime.fromisoformat(at) if at else datetime.fromtimestamp(0, UTC)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise _Unreadable("meta.at is no ISO time") from None
