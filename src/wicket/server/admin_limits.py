"""Limits and budgets by HTTP, and what a key may know of itself.

Verbs: `limits.list`, `limits.set`, `limits.remove`, the same of `budgets` (see `supervisor/verbs_limits.py`),
and `key.show`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from starlette.responses import Response

from wicket.accounts.cost import MAX_NANOS, format_usd, parse_usd
from wicket.accounts.meters import CONCURRENT, DAY, MINUTE, NANOS
from wicket.accounts.scopes import KINDS
from wicket.errors import CallerFault
from wicket.server.admin_query import read_body, refuse_unknown
from wicket.server.admin_shapes import iso, usd
from wicket.server.answers import private_json as _json
from wicket.server.app_house import Call, Routes

MAX_AMOUNT = 10**15
WINDOWS = {0: "", 60: MINUTE, 86_400: DAY}
_SECONDS = {window: seconds for seconds, window in WINDOWS.items()}
_MODEL = re.compile(r"[\x21-\x7e]{0,256}")

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=256)]


class _Scoped(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose it is: exactly one of the three, by id or name; `model` is the one that counts, "" for all."""

    key: Name | None = None
    team: Name | None = None
    organisation: Name | None = None
    model: Text = ""
    zone: Text = "UTC"

    def scope(self) -> dict[str, Any]:
        """The arguments that name it. Raises `CallerFault`."""
        return scope_of({kind: name for kind in KINDS if (name := getattr(self, kind)) is not None})


class NewLimit(_Scoped, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body that sets a limit. `concurrent` has no window."""

    unit: Literal["requests", "tokens", "concurrent"]
    amount: Annotated[int, msgspec.Meta(ge=1, le=MAX_AMOUNT)]
    window_s: Literal[60, 86_400, 0] = 0

    def arguments(self) -> dict[str, Any]:
        """What `limits.set` takes. Raises `CallerFault`."""
        if (self.unit == CONCURRENT) == bool(self.window_s):
            message = "'window_s' is 60 or 86400 for requests and tokens; 'concurrent' has none."
            raise CallerFault("invalid_value", message, param="window_s")
        return {
            **self.scope(),
            "unit": self.unit,
            "amount": self.amount,
            "window": WINDOWS[self.window_s],
            "model": checked_model(self.model),
            "zone": self.zone,
        }


class NewBudget(_Scoped, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body that sets a budget. `usd` is a decimal text, or a whole number."""

    usd: Annotated[str, msgspec.Meta(max_length=40)] | int
    period: Literal["day", "month", "total"]
    is_hard: bool = True

    def arguments(self) -> dict[str, Any]:
        """What `budgets.set` takes. Raises `CallerFault`."""
        nanos = parse_usd(self.usd)
        if not 0 < nanos <= MAX_NANOS:
            raise CallerFault("invalid_amount", "A budget is more than nothing.", param="usd")
        return {
            **self.scope(),
            "unit": NANOS,
            "amount": nanos,
            "window": self.period,
            "model": checked_model(self.model),
            "zone": self.zone,
            "is_soft": not self.is_hard,
        }


def scope_of(named: Mapping[str, str]) -> dict[str, Any]:
    """The one scope that is named. Raises `CallerFault`."""
    if len(named) != 1:
        raise CallerFault("invalid_value", f"Name exactly one of {', '.join(KINDS)}.", param="key")
    kind, name = next(iter(named.items()))
    return {"kind": kind, "name": name}


def checked_model(model: str) -> str:
    """A model's name, or "". Raises `CallerFault`."""
    if _MODEL.fullmatch(model) is None:
        message = "'model' is at most 256 printable ASCII characters without blanks."
        raise CallerFault("invalid_value", message, param="model")
    return model


async def list_limits(call: Call) -> Response:
    """`GET /admin/v1/limits?team=research`: each with what is used and left."""
    return await _list(call, "limits")


async def set_limit(call: Call) -> Response:
    """`PUT /admin/v1/limits`: a new one, or another amount for the same; in force within a second."""
    new = await read_body(call.request, NewLimit)
    return _json(limit_json(await call.ask("limits.set", new.arguments())))


async def remove_limit(call: Call) -> Response:
    """`DELETE /admin/v1/limits/ID`."""
    arguments = {"what": "limits", "id": call.request.path_params["id"]}
    return _json(limit_json(await call.ask("limits.remove", arguments)))


async def list_budgets(call: Call) -> Response:
    """`GET /admin/v1/budgets`: each with what was spent in its window."""
    return await _list(call, "budgets")


async def set_budget(call: Call) -> Response:
    """`PUT /admin/v1/budgets`: likewise; what was spent in the window already counts."""
    new = await read_body(call.request, NewBudget)
    return _json(budget_json(await call.ask("budgets.set", new.arguments())))


async def remove_budget(call: Call) -> Response:
    """`DELETE /admin/v1/budgets/ID`."""
    arguments = {"what": "budgets", "id": call.request.path_params["id"]}
    return _json(budget_json(await call.ask("budgets.remove", arguments)))


async def show_key(call: Call) -> Response:
    """`GET /v1/key`: what the calling key is, may, and has left."""
    return _json(key_json(await call.ask("key.show")))


async def _list(call: Call, what: str) -> Response:
    query = call.request.query_params
    refuse_unknown(query, KINDS)
    scope = scope_of(query) if query else {}
    found = await call.ask(f"{what}.list", {"what": what, **scope})
    shape = limit_json if what == "limits" else budget_json
    return _json({"object": "list", "data": [shape(one) for one in found]})


def limit_json(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A limit as it is shown."""
    shown = dict(fields)
    del shown["is_soft"]
    seconds = _SECONDS[shown.pop("window")]
    return {"object": "limit", **shown, "window_s": seconds}


def budget_json(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A budget as it is shown: in dollars, exact ones as texts beside the numbers."""
    shown = dict(fields)
    amount, used, remaining = shown.pop("amount"), shown.pop("used"), shown.pop("remaining")
    del shown["unit"]
    period, is_soft = shown.pop("window"), shown.pop("is_soft")
    return {
        "object": "budget",
        **shown,
        "period": period,
        "is_hard": not is_soft,
        "usd": format_usd(amount),
        "spent_usd": usd(used or 0),
        "remaining_usd": usd(remaining or 0),
    }


def key_json(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a key is told of itself."""
    shown = dict(fields)
    credit = shown.pop("credit")
    if credit is not None:
        credit = {
            "scope": credit["scope"],
            "balance_usd": usd(credit["balance_nanos"]),
            "available_usd": usd(credit["available_nanos"]),
        }
    return {
        "object": "key",
        **shown,
        "expires_at": iso(shown.pop("expires_ms")),
        "limits": [limit_json(one) for one in fields["limits"]],
        "budgets": [budget_json(one) for one in fields["budgets"]],
        "credit": credit,
    }


ROUTES: Routes = [
    ("/v1/key", "key", {"GET": show_key}),
    ("/admin/v1/limits", "admin", {"GET": list_limits, "PUT": set_limit}),
    ("/admin/v1/limits/{id}", "admin", {"DELETE": remove_limit}),
    ("/admin/v1/budgets", "admin", {"GET": list_budgets, "PUT": set_budget}),
    ("/admin/v1/budgets/{id}", "admin", {"DELETE": remove_budget}),
]
