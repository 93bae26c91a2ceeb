"""The administration's routes on money: usage, savings and monthly statements, as JSON, CSV or a page.

Verbs: `usage` by, since_ms, until_ms → a usage report · `savings` by, since_ms, until_ms → a savings report
in nano-USD · `statements.get` month, team, key → a statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from wicket.accounts.savings import SAVINGS_GROUPS
from wicket.accounts.spreadsheet import csv_text
from wicket.accounts.statement import COUNTS, parse_month
from wicket.accounts.usage_rows import GROUPS
from wicket.errors import CallerFault
from wicket.server.admin_query import UsageQuery, group_query, refuse_unknown
from wicket.server.admin_shapes import now_ms, report_json, savings_json, statement_json
from wicket.server.answers import private_json as _json
from wicket.server.app_house import Call, Routes

_JSON, _CSV, _HTML = "application/json", "text/csv", "text/html"
_TYPES = {"json": _JSON, "csv": _CSV, "html": _HTML}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_FRAMED = f"{_POLICY}; frame-ancestors 'none'"


async def usage(call: Call) -> Response:
    """`GET /admin/v1/usage?by=model,day&since=7d&format=csv`."""
    kind = wanted_format(call.request, ("json", "csv"))
    query = _grouped(call.request, GROUPS)
    report = await call.ask("usage", msgspec.to_builtins(query))
    if kind == "csv":
        names = [*query.by, *(["key_name"] if "key" in query.by else []), *COUNTS, "cost_usd", "charge_usd"]
        rows = report["rows"] if query.by else [report]
        return _file(csv_text(names, rows), _CSV, "usage.csv")
    return _json(report_json(report))


async def savings(call: Call) -> Response:
    """`GET /admin/v1/savings?by=model,day&since=30d`."""
    query = _grouped(call.request, SAVINGS_GROUPS)
    return _json(savings_json(await call.ask("savings", msgspec.to_builtins(query))))


async def statement(call: Call) -> Response:
    """`GET /admin/v1/statements/2026-11?team=T&format=html`."""
    query = call.request.query_params
    refuse_unknown(query, ("team", "key", "format"))
    kind = wanted_format(call.request, ("json", "csv", "html"))
    month = parse_month(call.request.path_params["month"]).name
    asked = {"month": month, "team": query.get("team", ""), "key": query.get("key", "")}
    document = await call.ask("statements.get", asked)
    if kind == "csv":
        return _file(statement_csv(document), _CSV, f"statement-{document['month']}.csv")
    if kind == "html":
        from wicket.server.statement_page import statement_page  # few ask

        return _file(statement_page(document), _HTML, f"statement-{document['month']}.html")
    return _json(statement_json(document))


def statement_csv(document: Mapping[str, Any]) -> str:
    """A line per day and model, one per movement of money, one for what has no price; `kind` tells which."""
    head = {"month": document["month"], "time_zone": document["time_zone"]}
    head |= {name: document[name] for name in ("team", "key", "key_name")}
    lines = [{**head, "kind": "usage", **row} for row in document["rows"]]
    lines += [
        {**head, "kind": one["kind"], "day": one["at"], "amount_usd": one["amount_usd"], "memo": one["memo"]}
        for one in document["movements"]
    ]
    lines += [{**head, **one, "kind": "unpriced", "memo": one["kind"]} for one in document["unpriced"]]
    return csv_text([*head, "kind", "day", "model", *COUNTS, "charge_usd", "amount_usd", "memo"], lines)


def wanted_format(request: Request, known: tuple[str, ...]) -> str:
    """`format`, or else what `Accept` names first of them; JSON without either. Raises `CallerFault`."""
    named = request.query_params.get("format")
    if named is not None:
        if named not in known:
            raise CallerFault("invalid_value", f"'format' must be one of {', '.join(known)}.", param="format")
        return named
    accepted = [
        part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")
    ]
    return next((name for part in accepted for name in known if _TYPES[name] == part), "json")


def _grouped(request: Request, known: tuple[str, ...]) -> UsageQuery:
    query = {name: value for name, value in request.query_params.items() if name != "format"}
    return group_query(query, known, now_ms())


def _file(text: str, media_type: str, name: str) -> Response:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    if media_type == _HTML:
        headers["content-security-policy"] = _FRAMED
    else:
        headers["content-disposition"] = f'attachment; filename="{name}"'
    return Response(text.encode(errors="replace"), media_type=f"{media_type}; charset=utf-8", headers=headers)


ROUTES: Routes = [
    ("/admin/v1/usage", "admin", {"GET": usage}),
    ("/admin/v1/savings", "admin", {"GET": savings}),
    ("/admin/v1/statements/{month}", "admin", {"GET": statement}),
]
