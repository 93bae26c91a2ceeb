"""The administration's routes for money: credits, refunds, transfers, whether the ledger adds up.

Verbs, their arguments and what they answer with:
- `credits.add` kind, name, order → a movement · `credits.refund` order, of → a movement
- `credits.list` kind, name → credits · `credits.threshold` kind, name, below_nanos → a credit
- `transfers` kind, name, account, transfer_kind, since_ms, until_ms, record_id, before, limit → a page
- `ledger.verify` → what is wrong · `ledger.accounts` → every account's balance
"""

from __future__ import annotations

from starlette.responses import Response

from wicket.server.admin_credit_query import (
    CreditThreshold,
    NewCredit,
    NewRefund,
    mark_of,
    scope_query,
    transfer_query,
)
from wicket.server.admin_query import read_body, refuse_unknown
from wicket.server.admin_shapes import now_ms
from wicket.server.answers import private_json as _json
from wicket.server.app_house import Call, Routes


async def list_credits(call: Call) -> Response:
    """`GET /admin/v1/credits`; with `team`, `key` or `organisation` the one, with its movements."""
    wanted = scope_query(call.request.query_params)
    return _json({"object": "list", "data": await call.ask("credits.list", wanted)})


async def add_credit(call: Call) -> Response:
    """`POST /admin/v1/credits`: 201 for a new movement, 200 for one that the idempotency key stands for."""
    new = await read_body(call.request, NewCredit)
    made = await call.ask("credits.add", new.arguments(now_ms()))
    return _json(made, 200 if made["is_repeated"] else 201)


async def refund(call: Call) -> Response:
    """`POST /admin/v1/credits/refund`: of a top-up, or of a request's charge."""
    new = await read_body(call.request, NewRefund)
    made = await call.ask("credits.refund", new.arguments())
    return _json(made, 200 if made["is_repeated"] else 201)


async def set_threshold(call: Call) -> Response:
    """`POST /admin/v1/credits/threshold`: below which balance the webhook hears of it."""
    new = await read_body(call.request, CreditThreshold)
    return _json(await call.ask("credits.threshold", new.arguments()))


async def list_transfers(call: Call) -> Response:
    """`GET /admin/v1/transfers`: newest first; `next` is the `before` of the next page."""
    page = await call.ask("transfers", transfer_query(call.request.query_params, now_ms()))
    before = page["before"]
    return _json({"object": "list", "data": page["transfers"], "next": mark_of(before) if before else None})


async def list_accounts(call: Call) -> Response:
    """`GET /admin/v1/ledger/accounts`: every account's balance."""
    refuse_unknown(call.request.query_params, ())
    return _json({"object": "list", "data": await call.ask("ledger.accounts")})


async def verify(call: Call) -> Response:
    """`POST /admin/v1/ledger/verify`: whether everything adds up; reads all of it."""
    return _json(await call.ask("ledger.verify"))


ROUTES: Routes = [
    ("/admin/v1/credits", "admin", {"GET": list_credits, "POST": add_credit}),
    ("/admin/v1/credits/refund", "admin", {"POST": refund}),
    ("/admin/v1/credits/threshold", "admin", {"POST": set_threshold}),
    ("/admin/v1/transfers", "admin", {"GET": list_transfers}),
    ("/admin/v1/ledger/accounts", "admin", {"GET": list_accounts}),
    ("/admin/v1/ledger/verify", "admin", {"POST": verify}),
]
