"""The inference routes, answered on callbacks inside a well-kept server's protocol class.

uvicorn's HTTP/1.1 protocol keeps sockets, TLS and every cold route (plain ASGI); a POST to an inference
path leaves ASGI here: head and body are gathered, admitted and driven without a Task. Measured at about
21 µs CPU per request for the skeleton, against 41 µs through ASGI (docs/benchmarks.md).

Limits that uvicorn does not have are added: size and number of headers, time for the head and the body,
size of the body per route, requests pipelined behind a running one (answered with `connection: close`).
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from wicket.accounts.callers import Caller
from wicket.accounts.networks import client_address
from wicket.errors import CallerFault, Fault
from wicket.gateway.admit import admit, check_live, check_network
from wicket.gateway.call import Arrival, Call, Headers
from wicket.gateway.collect import COLLECT_HEADER
from wicket.gateway.drive import Drive
from wicket.gateway.explain import explain
from wicket.gateway.gate import overloaded
from wicket.server.bearer import read_bearer, unknown_key
from wicket.server.heads import (
    KnownHead,
    Parts,
    body_too_large,
    head_too_large,
    odd_head,
    without_upgrade,
)
from wicket.server.ingress import Entered, other_key
from wicket.server.reply import HttpReply
from wicket.server.serving import Serving
from wicket.server.storing import DIALECT as KEPT_DIALECT
from wicket.server.storing import KeptReply, Waiting
from wicket.wire import json
from wicket.wire.json_array import JsonArray

_KEPT = frozenset(
    b"authorization x-api-key api-key x-goog-api-key traceparent content-length expect "
    b"host transfer-encoding content-encoding content-type x-wicket-collect".split()
)

_OF_ONE_REQUEST = frozenset((b"traceparent", COLLECT_HEADER))  # heads with these are not remembered
_OF_EACH_CLIENT = frozenset((b"origin", b"x-forwarded-for"))  # what is kept of a remembered head
MIN_BODY_BYTES_S = 16 * 1024  # a body that comes faster than this is waited for, however long it is
PARTING_S = 2.0
LARGE_BODY = 64 * 1024  # smaller ones are bounded by how many requests may be under way


class InferenceProtocol(HttpToolsProtocol):
    """One client connection."""

    serving: ClassVar[Serving]  # bound by `bind`

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drive: Drive | Waiting | None = None
        self.reply: HttpReply | None = None
        self.entered: Entered | None = None
        self.kept: dict[bytes, bytes] = {}
        self.parts: list[bytes] = []
        self.num_bytes = 0  # of the head or the body being read
        self.reading_since = 0.0  # when the current head or body began, 0 between requests
        self.in_head = False
        self.is_refused = False  # the rest of what this connection sends is ignored
        self.is_parting = False  # all is said; only the client's own end is waited for
        self.is_cold = False  # the request being read belongs to the ASGI app
        self.started_us = 0
        self.idle_since = 0.0
        self.num_reserved = 0  # bytes of a large body that are counted at the gate
        self.whole: Parts | None = None  # the bytes being read, if they are one request in one piece

    # connection

    def connection_made(self, transport: Any) -> None:
        """A client is here; its write buffer is bounded."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=self.serving.bounds.stream_buffer_bytes)
        self.reading_since = time.monotonic()
        self.in_head = True

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: whoever answers it is cancelled and accounted."""
        if self.num_reserved:
            self._release()
        drive, self.drive = self.drive, None
        if drive is not None:
            drive.client_gone()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads slowly."""
        super().pause_writing()
        if self.drive is not None:
            self.drive.pause()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self.drive is not None:
            self.drive.resume()

    def shutdown(self) -> None:
        """Drain: the request under way is finished, nothing more is read."""
        if self.drive is not None and self.reply is not None:
            self.reply.keep_alive = False
        else:
            super().shutdown()

    def check_time(self, now: float) -> None:
        """Swept once a second: a head or body that trickles in too slowly ends the connection."""
        if self.drive is not None or self.is_refused:
            if self.is_parting and now - self.reading_since > PARTING_S:
                self.transport.close()
            return
        if not self.reading_since:
            if self.idle_since and now - self.idle_since > self.serving.bounds.keep_alive_s:
                self.transport.close()
            return
        bounds = self.serving.bounds
        limit = bounds.header_s if self.in_head else bounds.body_s + self.num_bytes / MIN_BODY_BYTES_S
        if now - self.reading_since > limit:
            if self.in_head and not self.num_bytes:
                self.transport.close()  # connected and never said anything
                return
            what = "headers" if self.in_head else "body"
            self._refuse(CallerFault("request_timeout", f"The request's {what} took too long.", status=408))

    # reading

    def data_received(self, data: bytes) -> None:
        """Bytes from the client; a head that outgrows its bound is refused before it is complete."""
        if self.is_refused:
            return
        parts = None
        if self.in_head and not self.num_bytes and self.drive is None:
            parts = self.serving.heads.split(data)
            if parts is not None and self._begin_known(parts):
                return
        self.whole = parts
        if self.in_head:
            self.num_bytes += len(data)
            if not self.reading_since:
                self.reading_since = time.monotonic()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as switch:
            self._stay(data[switch.args[0] :])
        except httptools.HttpParserError:
            self._refuse(CallerFault("invalid_http", "This is not a valid HTTP/1.1 request."))
        if self.in_head and not self.is_refused and self.num_bytes > self.serving.bounds.max_header_bytes:
            self._refuse(head_too_large())

    def _stay(self, rest: bytes) -> None:
        """Go on in HTTP/1.1, whatever else the client would speak as well (RFC 9110 §7.8)."""
        if self.is_refused:
            return
        first = (self.parser.get_method(), self.url, self.parser.get_http_version())
        head = without_upgrade(first, self.headers)
        if head is None:
            self._refuse(CallerFault("invalid_http", "This server does not switch protocols."))
            return
        self.parser = httptools.HttpRequestParser(self)
        self.num_bytes = 0
        self.in_head = True
        self.data_received(head + rest)

    def on_message_begin(self) -> None:
        """A request's first line begins; one that is pipelined behind a running one ends the connection."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self.kept = {}
        self.in_head = True
        self.is_cold = False
        if self.timeout_keep_alive_task is not None:  # left by a cold route's answer
            self._unset_keepalive_if_required()
        busy_cold = self.cycle is not None and not self.cycle.response_complete
        if self.drive is not None or busy_cold:
            if self.reply is not None:
                self.reply.keep_alive = False
            if busy_cold:
                self.cycle.keep_alive = False
            self.is_refused = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; they are looked at together when all are here."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Hot or cold: an inference path stays here, everything else goes to the ASGI app."""
        if self.is_refused or self.parser.should_upgrade():
            return
        self.in_head = False
        kept = [pair for pair in self.headers if pair[0] in _KEPT]
        self.kept = dict(kept)
        bounds = self.serving.bounds
        if len(self.kept) != len(kept):
            self._refuse(CallerFault("repeated_header", "A header that must be there once is there twice."))
            return
        if len(self.headers) > bounds.max_headers:
            self._refuse(CallerFault("too_many_headers", "The request has too many headers.", status=431))
            return
        if self.num_bytes > bounds.max_header_bytes and _head_bytes(self) > bounds.max_header_bytes:
            self._refuse(head_too_large())
            return
        if b"host" not in self.kept or b"transfer-encoding" in self.kept or b"content-encoding" in self.kept:
            fault = odd_head(self.kept, self.parser.get_http_version())
            if fault is not None:
                self._refuse(fault)
                return
        self.expect_100_continue = self.kept.get(b"expect", b"").lower() == b"100-continue"
        self.num_bytes = 0
        self.idle_since = 0.0
        self.reading_since = time.monotonic()
        is_post = self.parser.get_method() == b"POST"
        self.entered = entered = self.serving.ingress.find(self.url) if is_post else None
        if entered is None:
            self._to_asgi()
            return
        self.started_us = time.monotonic_ns() // 1_000
        self.parts = []
        bounds = self.serving.bounds  # a door that has just been read came with its own
        limit = bounds.body.get(entered.door.api.name, bounds.max_body)
        length = self.kept.get(b"content-length", b"0")
        num_bytes = int(length) if length.isdigit() else 0
        if num_bytes > limit:
            self._refuse(body_too_large(limit))
        elif num_bytes > LARGE_BODY and not self._reserve(num_bytes):
            self._refuse(overloaded())
        elif self.expect_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _to_asgi(self) -> None:
        """Set up what uvicorn's own `on_message_begin` would have."""
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expect
        self.scope["headers"] = headers
        try:
            super().on_headers_complete()
            self.is_cold = True
            self.cycle.keep_alive = self.cycle.keep_alive and not self.serving.gate.is_draining
        except (httptools.HttpParserError, UnicodeDecodeError):
            self._refuse(CallerFault("invalid_url", "The request's target is not a valid URL."))

    def on_body(self, body: bytes) -> None:
        """Gather the body within its route's limit."""
        if self.is_refused:
            return
        if self.entered is None:
            self.num_bytes += len(body)  # an upload that goes on is given time
            super().on_body(body)
            return
        self.parts.append(body)
        self.num_bytes += len(body)
        bounds = self.serving.bounds
        limit = bounds.body.get(self.entered.door.api.name, bounds.max_body)
        if self.num_bytes > limit:
            self._refuse(body_too_large(limit))
        elif self.num_bytes - self.num_reserved > LARGE_BODY and not self._reserve(LARGE_BODY):
            self._refuse(overloaded())

    def _reserve(self, num_bytes: int) -> bool:
        """Count bytes of a body at the gate, until it is answered or given up."""
        if not self.serving.gate.reserve(num_bytes):
            return False
        self.num_reserved += num_bytes
        return True

    def _release(self) -> None:
        self.serving.gate.release(self.num_reserved)
        self.num_reserved = 0

    def on_message_complete(self) -> None:
        """The request is here: admit and drive it."""
        if self.is_refused or self.parser.should_upgrade():
            return
        self.reading_since = 0.0
        self.in_head = True  # the next bytes are a head
        self.num_bytes = 0
        entered = self.entered
        if entered is None:
            super().on_message_complete()
            return
        is_http11 = self.parser.get_http_version() == "1.1"
        voice, stays = entered.door.voice, is_http11 and self._may_stay()
        reply = HttpReply(self, voice, stays, self._cors_headers(), is_chunked=is_http11)
        body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts = []
        kept = self.kept
        try:
            key = read_bearer(kept.get(b"authorization"), other_key(kept, self.url))
            caller = self.serving.gate.callers.find(key)
            if caller is None:
                raise unknown_key(key)
        except Fault as fault:
            reply.refuse(fault, self._name(reply))
            return
        forwarded = self._forwarded(entered)
        if reply.keep_alive:
            self._remember(entered, caller.digest, forwarded)
        self._begin(entered, caller, body, reply, forwarded)

    def _forwarded(self, entered: Entered) -> Headers:
        names = entered.door.forwarded
        return tuple([pair for pair in self.headers if pair[0] in names]) if names else ()

    def _name(self, reply: HttpReply) -> bytes:
        """Give a request its id, as a header line."""
        reply.number = self.serving.gate.ids.next(time.time_ns() // 1_000_000)
        return b"x-request-id: req_%016x\r\n" % reply.number

    # heads known from before

    def _begin_known(self, parts: Parts) -> bool:
        """Answer a whole request whose head was checked before; False leaves it to the parser."""
        serving = self.serving
        head = serving.heads.find(parts.name)
        if head is None or (self.cycle is not None and not self.cycle.response_complete):
            return False
        caller = serving.gate.callers.find_digest(head.key_digest)
        bounds = serving.bounds
        if caller is None or len(parts.body) > bounds.body.get(head.entered.door.api.name, bounds.max_body):
            return False
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        self.started_us = time.monotonic_ns() // 1_000
        self.reading_since = self.idle_since = 0.0
        self.headers = head.headers
        self.kept = {}
        reply = HttpReply(self, head.entered.door.voice, True, self._cors_headers())
        self._begin(head.entered, caller, parts.body, reply, head.forwarded)
        return True

    def _remember(self, entered: Entered, digest: bytes, forwarded: Headers) -> None:
        whole = self.whole
        if whole is None or self.expect_100_continue or not _OF_ONE_REQUEST.isdisjoint(self.kept):
            return
        if entered.door.api.form:  # what comes is told by its type, and a form's differs each time
            return
        origin = [pair for pair in self.headers if pair[0] in _OF_EACH_CLIENT]
        self.serving.heads.remember(whole.name, KnownHead(entered, digest, origin, forwarded))

    # answering

    def _begin(
        self, entered: Entered, caller: Caller, body: bytes, reply: HttpReply, forwarded: Headers
    ) -> None:
        gate = self.serving.gate
        unix_ms = time.time_ns() // 1_000_000
        number = reply.number = gate.ids.next(unix_ms)
        if entered.is_array:
            reply.array = JsonArray()
        self.reply = reply
        try:
            routes = gate.check_room()
            check_live(caller, unix_ms)
            if caller.networks:
                check_network(caller, self._client())
            arrival = Arrival(
                entered.door.api,
                self.kept,
                body,
                number,
                self.started_us,
                unix_ms,
                entered.model,
                entered.door.way.is_streamed,
                forwarded,
            )
            call = admit(arrival, caller, routes)
            if call.preferences is not None and call.preferences.is_explained:
                reply.whole(200, b"x-request-id: req_%016x\r\n" % number, json.encode(explain(gate, call)))
                return
            if call.api.dialect == KEPT_DIALECT:
                self.serving.storing.begin(call, self)
            elif self.serving.storing.has_files:
                self.serving.storing.start(call, self)
            else:
                self.drive_on(call)
        except Fault as fault:
            reply.refuse(fault, b"x-request-id: req_%016x\r\n" % number)

    def drive_on(self, call: Call, reply: KeptReply | None = None) -> None:
        """Begin to answer, through `reply` where the answer is kept. Raises `CallerFault`."""
        gate = self.serving.gate
        self.drive = drive = Drive(gate, call, self.reply_of()) if reply is None else reply.make(gate, call)
        drive.start()

    def reply_of(self) -> HttpReply:
        """The reply to the request under way."""
        assert self.reply is not None
        return self.reply

    def wait_for(self, waiting: Waiting) -> None:
        """See `storing.Client`."""
        self.drive = waiting

    def resumed(self, waiting: Waiting, fault: Fault | None, call: Call, reply: KeptReply | None) -> None:
        """See `storing.Client`. A client who left meanwhile has nothing under way."""
        if self.drive is not waiting:
            return
        try:
            if fault is not None:
                raise fault
            self.drive_on(call, reply)
        except Fault as found:
            self.reply_of().refuse(found, b"x-request-id: req_%016x\r\n" % call.id)

    def _client(self) -> str:
        """The client's address, by the socket or by the proxies that are trusted to know."""
        peer = self.client[0] if self.client else ""
        said = [value.decode("latin-1") for name, value in self.headers if name == b"x-forwarded-for"]
        return client_address(peer, said, self.serving.trusted_proxies)

    def _may_stay(self) -> bool:
        return bool(self.parser.should_keep_alive()) and not self.serving.gate.is_draining

    def answered(self, keep_alive: bool) -> None:
        """The reply is complete: ready for the next request, or closed."""
        self.drive = None
        self.reply = None
        if self.num_reserved:
            self._release()
        if not keep_alive or self.is_refused:
            self._part()
            return
        self.server_state.total_requests += 1
        self.idle_since = time.monotonic()  # swept by `check_time`: no timer per request

    def _part(self) -> None:
        """Close. If the client may still be sending, only our side: a reset would destroy the answer that is
        on its way (RFC 9112 §9.6)."""
        if self.is_refused and self.transport.can_write_eof():
            self.transport.write_eof()
            self.is_parting = True
            self.reading_since = time.monotonic()
        else:
            self.is_refused = True
            self.transport.close()

    def _cors_headers(self) -> bytes:
        if not self.serving.cors or not self.headers:
            return b""
        for name, value in self.headers:
            if name == b"origin" and (value in self.serving.cors or b"*" in self.serving.cors):
                return (
                    b"access-control-allow-origin: %b\r\nvary: origin\r\n"
                    b"access-control-expose-headers: x-request-id, x-wicket-deployment, x-wicket-cost-usd, "
                    b"x-wicket-dropped, x-wicket-warning, x-wicket-confidence, x-wicket-max-output-tokens, "
                    b"x-wicket-budget-warning, retry-after\r\n" % value
                )
        return b""

    def _refuse(self, fault: Fault) -> None:
        """Answer a request that can't be read on, and close: the rest of it would be taken for another."""
        if self.is_refused:
            return
        self.is_refused = True
        self.parts = []
        if self.drive is not None:  # what comes behind a request under way must not spoil its answer
            if self.reply is not None:
                self.reply.keep_alive = False
            return
        if self.is_cold:  # the app answers this one: it must not do so as well
            has_begun = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if has_begun:
                self.transport.close()
                return
        entered = self.serving.ingress.find(self.url) if self.url else None
        voice = entered.door.voice if entered is not None else self.serving.ingress.default
        reply = HttpReply(self, voice, False, self._cors_headers())
        reply.refuse(fault, self._name(reply))


def _head_bytes(protocol: InferenceProtocol) -> int:
    return len(protocol.url) + sum([len(name) + len(value) + 4 for name, value in protocol.headers])


def bind(serving: Serving) -> type[InferenceProtocol]:
    """A protocol class that belongs to one worker's `serving`, as uvicorn's `http=` setting wants it."""
    return type("BoundInferenceProtocol", (InferenceProtocol,), {"serving": serving})
