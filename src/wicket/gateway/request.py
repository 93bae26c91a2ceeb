"""The bytes one deployment gets: a head computed once per deployment and API, and this request's body."""

from __future__ import annotations

import msgspec

from wicket.accounts.price import Price
from wicket.accounts.token_rates import TokenRates
from wicket.dialects.contract import Api, Body, Dialect, module
from wicket.gateway.call import Call
from wicket.routing.deployment import Deployment
from wicket.upstream.request_head import complete, head

_MAX_CACHED = 4_096  # callers can name any model of a provider: what is remembered of them is bounded


class Rates:
    """Bytes per token as learned per deployment, for usage that a provider does not report (contract §4).

    `texts` are of the answers' own text, learned on cascades only: what a mini wrote, in the large one's
    tokens.
    """

    def __init__(self) -> None:
        self.inputs = TokenRates()
        self.outputs = TokenRates()
        self.texts = TokenRates()


class Prepared(msgspec.Struct, frozen=True):
    """A deployment made ready for one API: `head` ends where `content-length` goes."""

    deployment: Deployment
    head: bytes
    dialect: Dialect
    price: Price | None
    name_header: bytes
    rates: Rates


class RequestHeads:
    """Request heads, cached per deployment object; made anew for every configuration snapshot."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._heads: dict[tuple[int, str, bool], Prepared] = {}

    def find(self, deployment: Deployment, api: Api, streamed: bool) -> Prepared:
        """What can be known of a deployment before a request."""
        key = (id(deployment), api.name, streamed)
        found = self._heads.get(key)
        if found is None:  # the entry keeps the deployment alive, so its id stays its own
            if len(self._heads) >= _MAX_CACHED:
                self._heads.clear()
            dialect = module(deployment.dialect)
            found = self._heads[key] = Prepared(
                deployment=deployment,
                head=_head(deployment, api, dialect, streamed),
                dialect=dialect,
                price=Price(deployment.price_id, *deployment.prices) if deployment.prices else None,
                rates=self._rates,
                name_header=_name_header(deployment),
            )
        return found


def request_bytes(prepared: Prepared, call: Call, body: Body, extra: bytes = b"") -> bytes:
    """The whole request. Nothing of the caller's headers goes out but its trace.

    `extra` are header lines for an engine of ours.
    """
    lines = prepared.head
    if prepared.deployment.engine:
        lines += b"x-wicket-salt: %b\r\n%b" % (call.caller.salt.encode(), extra)
    if call.trace:
        lines += call.trace
    return complete(lines, body.data)


def _name_header(deployment: Deployment) -> bytes:
    """Lines of the answer's head: who answered, and that its model is at its end, if it is."""
    lines = b"x-wicket-deployment: %b\r\n" % deployment.id.encode()
    if deployment.warning:
        lines += b"x-wicket-warning: %b\r\n" % deployment.warning.encode("ascii", "replace")
    return lines


def _head(deployment: Deployment, api: Api, dialect: Dialect, streamed: bool) -> bytes:
    headers = [
        *deployment.headers,
        ("accept", "text/event-stream" if streamed else "application/json"),
        ("content-type", "application/json"),
        ("user-agent", "wicket"),
    ]
    return head("POST", dialect.target(deployment, api, streamed=streamed), deployment.origin, headers)
