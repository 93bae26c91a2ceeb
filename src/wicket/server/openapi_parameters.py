"""The parameters of documented routes that stand in their path or query."""

from __future__ import annotations

from typing import Any

from wicket.accounts.savings import SAVINGS_GROUPS
from wicket.accounts.usage_rows import GROUPS
from wicket.server.admin_credit_query import KINDS, SCOPES
from wicket.server.openapi_money import MONTH_PATTERN
from wicket.server.openapi_schemas import AGE_PATTERN, PRINTABLE, Schema, one_of


def example_parameters() -> list[dict[str, Any]]:
    """Of a task's examples."""
    task = {**query("task", one_of("string"), "Whose examples."), "required": True}
    minis = query("minis", one_of("string", enum=["0", "1"]), "0: without what minis answered themselves.")
    return [task, _span_parameters()[0], minis]


def erase_parameters() -> list[dict[str, Any]]:
    """Whose examples are erased."""
    return [
        query("key", one_of("string"), "A caller's: the key's id or name, or `admin`."),
        query("task", one_of("string"), "A task's."),
        query("request", one_of("string", pattern="^req_[0-7][0-9a-f]{15}$"), "One request's."),
    ]


def usage_parameters() -> list[dict[str, Any]]:
    """Of sums over requests."""
    pattern = f"^({'|'.join(GROUPS)})(,({'|'.join(GROUPS)}))*$"
    by = query("by", one_of("string", pattern=pattern), f"A comma list of {', '.join(GROUPS)}.")
    return [by, *_span_parameters(), _format_parameter("json", "csv")]


def savings_parameters() -> list[dict[str, Any]]:
    """Of what smaller models saved."""
    pattern = f"^({'|'.join(SAVINGS_GROUPS)})(,({'|'.join(SAVINGS_GROUPS)}))*$"
    by = query("by", one_of("string", pattern=pattern), f"A comma list of {', '.join(SAVINGS_GROUPS)}.")
    return [by, *_span_parameters()]


def statement_parameters() -> list[dict[str, Any]]:
    """Of a month's statement."""
    return [
        parameter("month", "path", one_of("string", pattern=MONTH_PATTERN), "Such as 2026-11, in UTC."),
        query("team", one_of("string"), "Of this team."),
        query("key", one_of("string"), "Of this key, by its id or name."),
        _format_parameter("json", "csv", "html"),
    ]


def _format_parameter(*names: str) -> dict[str, Any]:
    return query("format", one_of("string", enum=list(names)), "The form; without it `Accept` says it.")


def log_parameters() -> list[dict[str, Any]]:
    """Of lists of records."""
    return [
        query("key", one_of("string"), "A key's id or name, or `admin`."),
        query("model", one_of("string"), "The model that was asked for."),
        query("outcome", one_of("string"), '"ok", a fault\'s code, or "failed" for all but ok.'),
        *_span_parameters(),
        query("limit", one_of("integer", minimum=1, maximum=10_000), "At most so many; 100 if not given."),
        query("follow", one_of("string", enum=["0", "1"]), "1: go on as server-sent events."),
    ]


def scope_parameters() -> list[dict[str, Any]]:
    """Whose credit it is."""
    name = one_of("string", minLength=1, maxLength=100, pattern=PRINTABLE)
    return [query(kind, name, f"Of this {kind}: its name or id.") for kind in SCOPES]


def transfer_parameters() -> list[dict[str, Any]]:
    """Of lists of transfers."""
    request = one_of("string", pattern="^req_[0-7][0-9a-f]{15}$")
    return [
        *scope_parameters(),
        query("account", one_of("string"), "Of this account, such as `cash` or `provider:groq`."),
        query("kind", one_of("string", enum=[*KINDS]), "Of this kind."),
        query("request_id", request, "Of this request."),
        *_span_parameters(),
        query("limit", one_of("integer", minimum=1, maximum=10_000), "At most so many; 100 if not given."),
        query("before", one_of("string", pattern="^[0-9]{1,18}-[0-9]{1,9}$"), "The `next` of a page before."),
    ]


def _span_parameters() -> list[dict[str, Any]]:
    age = "An age (15m, 1h, 7d), an ISO 8601 time, or Unix seconds."
    moment = {"anyOf": [one_of("string", pattern=AGE_PATTERN), one_of("string", format="date-time")]}
    return [query("since", moment, age), query("until", moment, age)]


def query(name: str, schema: Schema, description: str) -> dict[str, Any]:
    """A parameter of the query, which may be left out."""
    return parameter(name, "query", schema, description)


def parameter(name: str, place: str, schema: Schema, description: str) -> dict[str, Any]:
    """A parameter in `place`; those of the path are required."""
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "schema": schema,
        "description": description,
    }


def audit_parameters() -> list[dict[str, Any]]:
    """Of the audit log."""
    return [
        query("verb", one_of("string"), "One kind of act, as in `keys.create`."),
        query("actor", one_of("string"), "A user's id."),
        query("target", one_of("string"), "The id of what was changed."),
        *_span_parameters(),
        query("limit", one_of("integer", minimum=1, maximum=1_000), "At most so many; 100 if not given."),
        query("before", one_of("integer", minimum=1, maximum=1 << 31), "Entries older than this one."),
    ]


def hidden() -> dict[str, Any]:
    """Whether keys of the page's sessions are listed."""
    return query("hidden", one_of("string", enum=["0", "1"]), "1: with those of the page's sessions.")
