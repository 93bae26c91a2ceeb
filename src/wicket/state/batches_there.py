"""Batches that a provider runs: what its objects and files say, in our names. Pure.

Source: OpenAI API reference, "batch" (create, object, list; up to 16 pairs of metadata; files of up to 200
MB), and its guide "Batch API": every input file asks one model, results carry the `custom_id` of their line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from wicket.errors import UpstreamBroken
from wicket.state.batches import MAX_ERRORS, MOMENTS
from wicket.state.kept import KeptBatch
from wicket.wire import json
from wicket.wire.fields import Fields

MARK = "wicket_batch"  # the metadata by which a batch is found again whose id nobody heard
MAX_METADATA = 15  # pairs of the caller's own: the mark is the sixteenth
MAX_INPUT = 64 * 1024 * 1024  # bytes of an input file, which goes out in one piece
STATUSES = (
    "validating", "in_progress", "finalizing", "cancelling", "completed", "failed", "expired", "cancelled",
)  # fmt: skip
OUTCOMES = {
    "completed": "ok", "failed": "batch_failed", "expired": "batch_expired", "cancelled": "cancelled",
}  # fmt: skip
_MOST = (1 << 53) - 1
_decode_fields = msgspec.json.Decoder(Fields).decode


class Answered(msgspec.Struct):
    """A line's response, as an output file has it."""

    status_code: Any = None
    body: msgspec.Raw = msgspec.Raw()


class Result(msgspec.Struct):
    """A line of an output or error file."""

    response: Answered | None = None


_decode_result = msgspec.json.Decoder(Result).decode


def line_there(custom_id: str, endpoint: str, body: bytes) -> bytes:
    """One line of the file that the provider gets."""
    line = {"custom_id": custom_id, "method": "POST", "url": endpoint, "body": msgspec.Raw(body)}
    return json.encode(line) + b"\n"


def form(boundary: str, name: str, lines: list[bytes]) -> bytes:
    """The upload of an input file as a form (RFC 7578); no line may hold the boundary, which is random."""
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    return b"".join([head.encode(), *lines, f"\r\n--{boundary}--\r\n".encode()])


def shown_there(data: bytes) -> dict[str, Any]:
    """A provider's batch or file object. Raises `UpstreamBroken` for anything without an id."""
    try:
        found = json.decode(data)
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("id"), str) or not found["id"]:
        raise UpstreamBroken("malformed", "The provider's answer is no object with an id.")
    return found


def page_there(data: bytes) -> tuple[list[dict[str, Any]], bool]:
    """The batches of a provider's list, and whether there are more. Raises `UpstreamBroken`."""
    try:
        found = json.decode(data)
    except msgspec.DecodeError:
        found = None
    rows = found.get("data") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise UpstreamBroken("malformed", "The provider's answer is no list.")
    return [row for row in rows if isinstance(row, dict)], found.get("has_more") is True


def has_mark(shown: dict[str, Any], mark: str) -> bool:
    """Whether a provider's batch is the one that was begun with this mark."""
    metadata = shown.get("metadata")
    return isinstance(metadata, dict) and metadata.get(MARK) == mark


def as_seen(batch: KeptBatch, shown: dict[str, Any], file_id: Callable[[str], str]) -> KeptBatch:
    """The batch as its provider shows it; `file_id` gives our id of a provider's file.

    Raises `UpstreamBroken` for a status that OpenAI's batches do not have.
    """
    status = shown.get("status")
    if status not in STATUSES:
        raise UpstreamBroken("malformed", "The provider gave the batch a status that is none.")
    files = [shown.get(name) for name in ("output_file_id", "error_file_id")]
    output, error = [file_id(one) if isinstance(one, str) and one else "" for one in files]
    said = shown.get("request_counts")
    counts = [_whole(said.get(name)) if isinstance(said, dict) else 0 for name in _COUNTS]
    moments = {name: _whole(shown.get(name)) for name in MOMENTS if _whole(shown.get(name))}
    return msgspec.structs.replace(
        batch,
        status=status,
        remote=shown["id"],
        moments=batch.moments | moments,
        total=counts[0] or batch.total,
        completed=counts[1],
        failed=counts[2],
        output_file=output,
        error_file=error,
        errors=json.encode(_errors(shown.get("errors"))),
    )


_COUNTS = ("total", "completed", "failed")


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST else 0


def _errors(said: object) -> list[dict[str, Any]]:
    rows = said.get("data") if isinstance(said, dict) else None
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [
        {name: row.get(name) for name in ("code", "line", "message", "param")} for row in found[:MAX_ERRORS]
    ]


def good_body(line: bytes) -> bytes:
    """What a line's request was answered with; b"" for one that has no good answer."""
    try:
        response = _decode_result(line).response
    except msgspec.DecodeError:
        return b""
    is_good = response is not None and response.status_code == 200
    return bytes(response.body) if response is not None and is_good else b""


def named(line: bytes, model: str) -> bytes:
    """A result with its model as the caller named it; everything else as it was."""
    try:
        fields = _decode_fields(line)
        response = _decode_fields(fields["response"])
        body = _decode_fields(response["body"])
    except (msgspec.DecodeError, KeyError):
        return line
    if "model" not in body:
        return line
    body["model"] = msgspec.Raw(json.encode(model))
    response["body"] = msgspec.Raw(msgspec.json.encode(body))
    fields["response"] = msgspec.Raw(msgspec.json.encode(response))
    return msgspec.json.encode(fields)


def file_there(shown: dict[str, Any], id: str) -> dict[str, Any]:
    """A provider's file object under our id; its name there tells of ids there, so it gets another."""
    kept = {name: shown.get(name) for name in ("bytes", "created_at", "expires_at", "purpose", "status")}
    return {"id": id, "object": "file", "filename": "batch_results.jsonl", **kept}
