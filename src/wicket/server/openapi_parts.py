"""The pieces that the description of every route is made of."""

from __future__ import annotations

from typing import Any

from wicket.server.openapi_faults import FAULTS
from wicket.server.openapi_schemas import Schema, ref

_ALWAYS = ("500", "503")


def operation(
    operation_id: str, summary: str, answer: str, faults: tuple[str, ...], **rest: Any
) -> dict[str, Any]:
    """One method of one path: `answer` names the schema of its success, `faults` are status codes."""
    responses: dict[str, Any] = {"200": {"description": summary, "content": json_of(ref(answer))}}
    for status in sorted({*faults, *_ALWAYS}):
        responses[status] = {"description": FAULTS[status], "content": json_of(ref("Error"))}
    return {"operationId": operation_id, "summary": summary, "responses": responses, **rest}


def body(name: str) -> dict[str, Any]:
    """A request's body, of the schema called so."""
    return {"required": True, "content": json_of(ref(name))}


def json_of(schema: Schema) -> dict[str, Any]:
    """Content that is JSON."""
    return {"application/json": {"schema": schema}}
