"""A logged request with its answer: what a task is learned from. Kept only where the operator turned it on.

`request` and `answer` cross from a worker to the supervisor as they came; they are scrubbed before they touch
the disk.
"""

from __future__ import annotations

import msgspec


class Example(msgspec.Struct, array_like=True, frozen=True):
    """One request that was answered well. `id` is the request's; `started_ms` Unix time; `key_id` its caller.

    `request` is the caller's body (JSON), `answer` the assistant's message (a JSON object). `confidence` is a
    mini's own, -1 for every other deployment.
    """

    id: int
    started_ms: int
    task: str
    key_id: int
    model: str
    deployment: str
    request: bytes
    answer: bytes
    confidence: float = -1.0


class Feedback(msgspec.Struct, array_like=True, frozen=True):
    """What a caller said of an answer: a `score` from 0 (useless) to 1 (right), or how it should read.

    A score of -1 means none was given; an empty `corrected` likewise. Corrections outrank logged answers.
    """

    request_id: int
    created_ms: int
    key_id: int
    score: float = -1.0
    corrected: str = ""
