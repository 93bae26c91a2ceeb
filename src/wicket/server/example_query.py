"""What is asked of examples, checked: every refusal names its field. The command line uses it as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from wicket.accounts.request_ids import parse_id
from wicket.errors import CallerFault
from wicket.server.admin_query import moment_ms, refuse_unknown
from wicket.wire.json import encode

PAGE = 200  # examples asked of the supervisor at once


class NewFeedback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /v1/feedback`. A `corrected` object stands for its JSON text."""

    request_id: str
    score: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    corrected: str | dict[str, Any] | None = None

    def arguments(self) -> dict[str, Any]:
        """What the supervisor's verb `feedback.add` takes. Raises `CallerFault`."""
        if self.score is None and not self.corrected:
            message = "Say something of the answer: 'score' (0 to 1) or 'corrected' (its right text)."
            raise CallerFault("missing_field", message, param="score")
        corrected = self.corrected or ""
        if not isinstance(corrected, str):
            corrected = encode(corrected).decode()
        return {
            "request": _request(self.request_id, "request_id"),
            "score": -1.0 if self.score is None else self.score,
            "corrected": corrected,
        }


def examples_query(query: Mapping[str, str], now_ms: int) -> dict[str, Any]:
    """`task`, `since`, `minis` → what the verb `examples.page` takes. Raises `CallerFault`."""
    refuse_unknown(query, ("task", "since", "minis"))
    task = query.get("task", "")
    if not task:
        raise CallerFault("missing_parameter", "'task' is required.", param="task")
    minis = query.get("minis", "1")
    if minis not in ("0", "1"):
        raise CallerFault("invalid_value", "'minis' must be 1 or 0.", param="minis")
    since_ms = moment_ms(query["since"], "since", now_ms) if "since" in query else 0
    return {"task": task, "since_ms": since_ms, "limit": PAGE, "is_without_minis": minis == "0"}


def erase_query(query: Mapping[str, str]) -> dict[str, Any]:
    """`key`, `task`, `request` → what the verb `examples.erase` takes. Raises `CallerFault`."""
    refuse_unknown(query, ("key", "task", "request"))
    chosen: dict[str, Any] = {name: value for name, value in query.items() if value}
    if not chosen or len(chosen) < len(query):
        message = "Say what to erase: 'key', 'task' or 'request' (what fits all that are given goes)."
        raise CallerFault("missing_parameter", message, param=next(iter(query), "key"))
    if "request" in chosen:
        chosen["request"] = _request(chosen["request"], "request")
    return chosen


def _request(text: str, field: str) -> int:
    try:
        return parse_id(text)
    except CallerFault as fault:
        fault.param = field
        raise
