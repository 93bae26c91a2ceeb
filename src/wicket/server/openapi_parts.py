"""The pieces that the description of every route is made of."""

from __future__ import annotations

from typing import Any

from wicket.server.openapi_schemas import Schema, ref

_FAULTS = {
    "400": "A field is missing or wrong; `param` names it.",
    "401": "No key, or one that is not known here.",
    "403": "The key may not do this.",
    "404": "There is no such thing.",
    "409": "Not in this state.",
    "413": "The body is longer than this route takes.",
    "415": "This route takes another kind of body, such as a form.",
    "429": "Too much at once; come back after `retry-after`.",
    "500": "Something failed inside; `x-request-id` names the request.",
    "501": "This upstream can't do that.",
    "502": "Every provider that could answer failed.",
    "503": "Something the operator must mend, or not ready yet.",
    "504": "Every provider that could answer was too slow.",
}
_ALWAYS = ("500", "503")


def operation(
    operation_id: str, summary: str, answer: str, faults: tuple[str, ...], **rest: Any
) -> dict[str, Any]:
    """One method of one path: `answer` names the schema of its success, `faults` are status codes."""
    responses: dict[str, Any] = {"200": {"description": summary, "content": json_of(ref(answer))}}
    for status in sorted({*faults, *_ALWAYS}):
        responses[status] = {"description": _FAULTS[status], "content": json_of(ref("Error"))}
    return {"operationId": operation_id, "summary": summary, "responses": responses, **rest}


def query(name: str, schema: Schema, description: str) -> dict[str, Any]:
    """A parameter behind the question mark."""
    return parameter(name, "query", schema, description)


def parameter(name: str, place: str, schema: Schema, description: str) -> dict[str, Any]:
    """A parameter."""
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "schema": schema,
        "description": description,
    }


def body(name: str) -> dict[str, Any]:
    """A request's body, of the schema called so."""
    return {"required": True, "content": json_of(ref(name))}


def json_of(schema: Schema) -> dict[str, Any]:
    """Content that is JSON."""
    return {"application/json": {"schema": schema}}
