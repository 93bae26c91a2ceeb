"""Batches: a file of requests, answered one by one. Source: OpenAI API reference, "batch"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from wicket.errors import CallerFault
from wicket.state.kept import KeptBatch
from wicket.wire import json

PREFIX = "batch_"
ENDPOINTS = ("/v1/responses", "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/moderations")
THERE = ENDPOINTS[:4]  # of those that a provider runs
WINDOW = "24h"
WINDOW_S = 86_400
MAX_BEGUN = 2  # times that one line is run at most, whatever dies in between
MAX_LINE = 32 * 1024 * 1024
MAX_ERRORS = 100
_MAX_METADATA = 16
MOMENTS = (
    "in_progress_at", "finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at",
    "cancelled_at",
)  # fmt: skip


class NewBatch(msgspec.Struct, frozen=True):
    """The body that makes a batch."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None

    def check(self, endpoints: Sequence[str]) -> None:
        """Raise `CallerFault` for a value that is not taken here."""
        if self.endpoint not in endpoints:
            message = f"'endpoint' must be one of {', '.join(endpoints)}."
            raise CallerFault("invalid_value", message, param="endpoint")
        if self.completion_window != WINDOW:
            raise CallerFault("invalid_value", 'It must be "24h".', param="completion_window")
        metadata = self.metadata or {}
        if len(metadata) > _MAX_METADATA or any(len(k) > 64 or len(v) > 512 for k, v in metadata.items()):
            message = "'metadata' has at most 16 pairs, names of 64 and values of 512 characters."
            raise CallerFault("invalid_value", message, param="metadata")


class Line(msgspec.Struct, frozen=True):
    """One request of a batch: where it stands in the file, and its name."""

    number: int
    offset: int
    size: int
    custom_id: str


class _Written(msgspec.Struct):
    custom_id: Any = None
    method: Any = None
    url: Any = None
    body: msgspec.Raw = msgspec.Raw()


class _Body(msgspec.Struct):
    model: Any = None
    stream: Any = None


_decode_line = msgspec.json.Decoder(_Written).decode
_decode_body = msgspec.json.Decoder(_Body).decode


class Wrong(Exception):
    """A line that can't be run: `code`, `message`, and `param` if a field is to blame."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param

    def told(self, line: int) -> dict[str, Any]:
        """As OpenAI's batch errors have it; lines count from 1, 0 is the file as a whole."""
        return {"code": self.code, "line": line or None, "message": self.message, "param": self.param}


def read_line(data: bytes, endpoint: str) -> tuple[str, bytes]:
    """A line's own name and its request's body. Raises `Wrong`."""
    try:
        line = _decode_line(data)
        body = bytes(line.body)
        data.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Wrong("invalid_json_line", "This line is not one JSON object.") from None
    if not isinstance(line.custom_id, str) or not 0 < len(line.custom_id) <= 512:
        raise Wrong("missing_required_parameter", "Each line has a 'custom_id' of its own.", "custom_id")
    if line.method != "POST":
        raise Wrong("invalid_method", "The method must be POST.", "method")
    if line.url != endpoint:
        raise Wrong("invalid_url", f"The URL must be the batch's endpoint, {endpoint}.", "url")
    try:
        asked = _decode_body(body) if body[:1] == b"{" else None
    except (msgspec.DecodeError, RecursionError):
        asked = None
    if asked is None:
        raise Wrong("invalid_request", "'body' must be an object.", "body")
    if not isinstance(asked.model, str) or not asked.model:
        raise Wrong("model_not_found", "'body.model' is required.", "body.model")
    if asked.stream not in (None, False):
        raise Wrong("invalid_request", "A batch's requests do not stream.", "body.stream")
    return line.custom_id, body


def answered(batch: str, line: Line, status: int, request_id: str, body: bytes) -> bytes:
    """What an output file says of an answer; one that is no JSON is told as text."""
    try:
        json.decode(body)
        # a line break in JSON is a blank between two tokens (RFC 8259 §2): in one line it is the same text
        shown: Any = msgspec.Raw(body.strip().replace(b"\r", b" ").replace(b"\n", b" "))
    except msgspec.DecodeError:
        shown = body[:1_000].decode("utf-8", "replace")
    response = {"status_code": status, "request_id": request_id, "body": shown}
    return json.encode(_result(batch, line, response, None))


def not_answered(batch: str, line: Line, code: str, message: str) -> bytes:
    """What an error file says of a line that brought no answer."""
    return json.encode(_result(batch, line, None, {"code": code, "message": message}))


def _result(batch: str, line: Line, response: Any, error: Any) -> dict[str, Any]:
    own_id = f"batch_req_{batch.removeprefix(PREFIX)}_{line.number}"
    return {"id": own_id, "custom_id": line.custom_id, "response": response, "error": error}


def batch_json(batch: KeptBatch) -> dict[str, Any]:
    """OpenAI's batch object."""
    errors: list[Any] = json.decode(batch.errors)
    moments: Mapping[str, int] = batch.moments
    created = batch.created_ms // 1_000
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": errors} if errors else None,
        "input_file_id": batch.input_file,
        "completion_window": WINDOW,
        "status": batch.status,
        "output_file_id": batch.output_file if batch.status in _HAS_FILES and batch.output_file else None,
        "error_file_id": batch.error_file if batch.status in _HAS_FILES and batch.error_file else None,
        "created_at": created,
        "expires_at": created + WINDOW_S,
        **{name: moments.get(name) for name in MOMENTS},
        "request_counts": {"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        "metadata": batch.metadata or None,
    }


_HAS_FILES = ("completed", "expired", "cancelled")


def unknown_batch() -> CallerFault:
    """The fault for an id that is unknown, forged or somebody else's: nobody learns which."""
    return CallerFault("batch_not_found", "There is no such batch of this key.", status=404, param="batch_id")
