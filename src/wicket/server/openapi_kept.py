"""The description of the routes of what outlives a request: kept answers, files, batches."""

from __future__ import annotations

from typing import Any

from wicket.server.openapi_parameters import parameter, query
from wicket.server.openapi_parts import body, operation
from wicket.server.openapi_schemas import Schema, one_of

_ID: Schema = one_of("string", pattern="^[A-Za-z0-9_-]{1,1024}$")
_USUAL = ("401", "404")
_PAGE = (
    query("limit", one_of("integer", minimum=1), "At most so many."),
    query("after", one_of("string"), "The id that the page begins behind."),
    query("order", one_of("string", enum=["asc", "desc"]), "By age; desc if not given."),
)

_EVENTS = (
    query("stream", one_of("boolean"), "Its events, of one that was streamed in the background."),
    query("starting_after", one_of("integer", minimum=0), "Only events behind this number."),
)


def kept_paths() -> dict[str, Any]:
    """All of them by path. Each answers 404 where the operator has not switched it on."""
    return {**_responses(), **_files(), **_batches()}


def _of(what: str) -> dict[str, Any]:
    return parameter("id", "path", _ID, f"The {what}'s id.")


def _responses() -> dict[str, Any]:
    one = [_of("answer")]
    return {
        "/v1/responses/{id}": {
            "get": _operation("getResponse", "A kept answer", parameters=[*one, *_EVENTS]),
            "delete": _operation("deleteResponse", "Forget a kept answer", "409", parameters=one),
        },
        "/v1/responses/{id}/cancel": {
            "post": _operation("cancelResponse", "Call off an answer in the background", parameters=one)
        },
        "/v1/responses/{id}/input_items": {
            "get": _operation("listInputItems", "What an answer was given for", parameters=[*one, *_PAGE])
        },
    }


def _files() -> dict[str, Any]:
    one = [_of("file")]
    content = _operation("getFileContent", "What a file holds", parameters=one)
    content["responses"]["200"]["content"] = {
        "application/octet-stream": {"schema": one_of("string", format="binary")}
    }
    return {
        "/v1/files": {
            "get": _operation(
                "listFiles",
                "Files, newest first",
                parameters=[*_PAGE, query("purpose", one_of("string"), "Of it only.")],
            ),
            "post": _operation("createFile", "Keep a file", "413", "415", requestBody=_form()),
        },
        "/v1/files/{id}": {
            "get": _operation("getFile", "One file's object", parameters=one),
            "delete": _operation("deleteFile", "Delete a file and what it holds", parameters=one),
        },
        "/v1/files/{id}/content": {"get": content},
    }


def _batches() -> dict[str, Any]:
    one = [_of("batch")]
    return {
        "/v1/batches": {
            "get": _operation("listBatches", "Batches, newest first", parameters=list(_PAGE)),
            "post": _operation(
                "createBatch", "Run the lines of a file", "413", "429", requestBody=body("NewBatch")
            ),
        },
        "/v1/batches/{id}": {"get": _operation("getBatch", "How far a batch is", parameters=one)},
        "/v1/batches/{id}/cancel": {
            "post": _operation("cancelBatch", "Begin no more of its lines", "409", parameters=one)
        },
    }


def _operation(name: str, summary: str, *faults: str, **rest: Any) -> dict[str, Any]:
    """As OpenAI's reference has it, with bodies that it describes."""
    return operation(name, summary, "Document", ("400", "415", "502", "504", *_USUAL, *faults), **rest)


def _form() -> dict[str, Any]:
    form = {
        "type": "object",
        "properties": {
            "file": {"description": "The file; its name is only shown."},
            "purpose": one_of(
                "string", description="assistants, batch, fine-tune, vision, user_data, evals."
            ),
            "expires_after[anchor]": one_of("string", enum=["created_at"]),
            "expires_after[seconds]": one_of("string", pattern="^[0-9]{4,7}$"),
        },
        "required": ["file", "purpose"],
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": form}}}
