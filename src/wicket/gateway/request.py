"""The bytes one deployment gets: a head computed once per deployment and API, and this request's body."""

from __future__ import annotations

import msgspec

from wicket.accounts.price import Price
from wicket.accounts.token_rates import TokenRates
from wicket.dialects.contract import Api, Body, Dialect, module
from wicket.errors import CallerFault
from wicket.gateway.call import Call
from wicket.gateway.crossing import Crossing, crossing_of, is_conversation
from wicket.gateway.subjects import SubjectCrossing, subject_crossing, who_can
from wicket.routing.deployment import Deployment
from wicket.upstream.request_head import complete, head
from wicket.upstream.sigv4 import signed_headers

EVENTS = b"text/event-stream"
JSON = "application/json"
_JSON_TYPE = b"content-type: application/json\r\n"
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
    """A deployment made ready for one API: `head` ends where `content-length` goes.

    `crossing` is None where the caller's bytes pass as they are. `gap`: why this deployment can't be asked by
    that API's callers, "" if it can. `names` are its own headers, lower-case; `stream_type` is what its
    streams call themselves. `subject` is the crossing of what is no conversation. `untyped_head` is the head
    for a body that says its type itself.
    """

    deployment: Deployment
    head: bytes
    dialect: Dialect
    price: Price | None
    name_header: bytes
    rates: Rates
    crossing: Crossing | None = None
    gap: str = ""
    names: frozenset[bytes] = frozenset()
    stream_type: bytes = EVENTS
    target: str = ""
    subject: SubjectCrossing | None = None
    untyped_head: bytes = b""


class RequestHeads:
    """Request heads, cached per deployment object; made anew for every configuration snapshot."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._heads: dict[tuple[int, str, str, bool], Prepared] = {}

    def find(self, deployment: Deployment, api: Api, streamed: bool) -> Prepared:
        """What can be known of a deployment before a request."""
        key = (id(deployment), api.dialect, api.name, streamed)
        found = self._heads.get(key)
        if found is None:  # the entry keeps the deployment alive, so its id stays its own
            if len(self._heads) >= _MAX_CACHED:
                self._heads.clear()
            found = self._heads[key] = self._prepare(deployment, api, streamed)
        return found

    def _prepare(self, deployment: Deployment, api: Api, streamed: bool) -> Prepared:
        crossing, subject, gap = None, None, ""
        accept = "*/*" if api.answers != "json" else ""
        deployment = _as_asked(deployment, api)
        dialect = module(deployment.dialect)
        if api.dialect != deployment.dialect:
            try:
                if api.subject:
                    subject = subject_crossing(api, deployment)
                    api = subject.spoken.api
                else:
                    crossing = crossing_of(api, deployment)
                    api = crossing.spoken.CONVERSATION
            except CallerFault as fault:
                gap = fault.message
        elif deployment.engine and api.ability in deployment.lacks:
            gap = f"'{deployment.model}' runs here and can't be asked for {api.name}: {who_can(api)} can."
        stream_type: bytes = getattr(dialect, "STREAM_TYPE", EVENTS)
        target = dialect.target(deployment, api, streamed=streamed) if not gap else "/"
        untyped = _head(deployment, target, accept or (stream_type.decode() if streamed else JSON))
        return Prepared(
            deployment=deployment,
            head=untyped + _JSON_TYPE if not gap else b"",
            untyped_head=untyped,
            subject=subject,
            dialect=dialect,
            price=Price(deployment.price_id, *deployment.prices) if deployment.prices else None,
            rates=self._rates,
            name_header=_name_header(deployment),
            crossing=crossing,
            gap=gap,
            names=frozenset([name.lower().encode() for name, _ in deployment.headers]),
            stream_type=stream_type,
            target=target,
        )


def _as_asked(deployment: Deployment, api: Api) -> Deployment:
    """A deployment in its other dialect, for what is no conversation and what only that one has."""
    if deployment.rerank and api.subject == "rerank":
        return msgspec.structs.replace(deployment, dialect=deployment.rerank)
    also = deployment.also
    if also is None or api.dialect != also.dialect or is_conversation(api):
        return deployment
    if also.apis and api.name not in also.apis:
        return deployment
    headers = also.headers or deployment.headers
    return msgspec.structs.replace(deployment, dialect=also.dialect, base_path=also.path, headers=headers)


def request_bytes(prepared: Prepared, call: Call, body: Body, extra: bytes = b"") -> bytes:
    """The whole request. Of the caller's headers only its trace goes out, and what its dialect lists.

    The deployment's own headers come before the caller's of the same name. `extra` are header lines for an
    engine of ours, or a signature.
    """
    lines = prepared.head
    if body.content_type:
        lines = b"%bcontent-type: %b\r\n" % (prepared.untyped_head, body.content_type)
    if prepared.deployment.engine:
        lines += b"x-wicket-salt: %b\r\n" % call.caller.salt.encode()
    lines += extra
    if call.trace:
        lines += call.trace
    if call.forwarded and prepared.crossing is None and prepared.subject is None:
        for name, value in call.forwarded:
            if name not in prepared.names:
                lines += b"%b: %b\r\n" % (name, value)
    return complete(lines, body.data)


def _name_header(deployment: Deployment) -> bytes:
    """Lines of the answer's head: who answered, and that its model is at its end, if it is."""
    lines = b"x-wicket-deployment: %b\r\n" % deployment.id.encode()
    if deployment.warning:
        lines += b"x-wicket-warning: %b\r\n" % deployment.warning.encode("ascii", "replace")
    return lines


def signature_lines(prepared: Prepared, body: Body, unix_s: int) -> bytes:
    """The header lines that sign one request to a deployment whose requests are signed."""
    deployment = prepared.deployment
    assert deployment.aws is not None
    signed = {"host": deployment.origin.authority, "content-type": body.content_type.decode() or JSON}
    found = signed_headers("POST", prepared.target, signed, body.data, deployment.aws, unix_s)
    return b"".join([b"%b: %b\r\n" % (name.encode(), value.encode()) for name, value in found])


def _head(deployment: Deployment, target: str, accept: str) -> bytes:
    """All but the body's type and length."""
    headers = [*deployment.headers, ("accept", accept), ("user-agent", "wicket")]
    return head("POST", target, deployment.origin, headers)
