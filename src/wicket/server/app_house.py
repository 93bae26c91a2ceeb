"""What the administration and cold routes need of their worker, and what one call to them holds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from wicket.accounts.callers import Caller
from wicket.config.schema import StorageTable
from wicket.routing.deployment import Deployment, Route
from wicket.state.seal import Seal
from wicket.store.contents import Contents
from wicket.supervisor.messages import NOBODY, Asker, EngineState
from wicket.upstream.contract import Exchange, Sink
from wicket.upstream.fetch import Response as Answered
from wicket.wire.origin import Origin

if TYPE_CHECKING:
    from wicket.gateway.gate import Gate
    from wicket.server.app_cost import NewEstimate


class Snapshot(Protocol):
    """The configuration in force, as far as these routes show it."""

    @property
    def version(self) -> int:
        """Counts the reloads."""
        ...

    @property
    def default_model(self) -> str:
        """The model that stands first in the list; "" if there is none."""
        ...

    def models(self) -> Iterable[dict[str, Any]]:
        """OpenAI's model objects of what can be called now, the local model first."""
        ...

    def resolve(self, name: str) -> Route:
        """The route of a model's name. Raises `UnknownModelFault` with near names, or the variable to set."""
        ...


class House(Protocol):
    """What a worker lends to these routes."""

    @property
    def snapshot(self) -> Snapshot:
        """The configuration in force; swapped whole on reload, so read it once per request."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether the worker takes inference requests (it has a configuration and isn't draining)."""
        ...

    @property
    def is_metrics_public(self) -> bool:
        """Whether `/metrics` needs no key."""
        ...

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Origins whose pages may call us; empty: no CORS at all; "*": all."""
        ...

    @property
    def storage(self) -> StorageTable:
        """What is kept."""
        ...

    @property
    def seal(self) -> Seal | None:
        """What ids that carry a pin are sealed with; None where none are given out."""
        ...

    @property
    def contents(self) -> Contents:
        """What files hold."""
        ...

    @property
    def gate(self) -> Gate:
        """The request path: who admits what a provider is to run later, and holds it."""
        ...

    async def fetch(self, origin: Origin, request: bytes) -> Answered:
        """A provider's whole answer to a request about a thing that it keeps. Raises `ProviderFault`."""
        ...

    def send(self, origin: Origin, request: bytes, sink: Sink) -> Exchange:
        """The same where the answer is to be passed on as it comes."""
        ...

    def authenticate(self, authorization: bytes | None, now_ms: int) -> Caller:
        """The caller behind an `Authorization` header. Raises `KeyFault`."""
        ...

    def engine_states(self) -> Mapping[str, EngineState]:
        """Every local engine by its name."""
        ...

    async def engine_card(self, deployment: Deployment) -> dict[str, Any] | None:
        """What a local engine says of its model (scheme, context, tool calls); None if it can't now."""
        ...

    @property
    def trusted_proxies(self) -> tuple[str, ...]:
        """Networks (CIDR) of proxies whose word on who asks is taken."""
        ...

    @property
    def allows_plain_http(self) -> bool:
        """Whether passwords may cross a network unencrypted."""
        ...

    def estimate(self, asked: NewEstimate, caller: Caller) -> dict[str, Any]:
        """What a request would cost. Raises the `Fault` that it would be refused with."""
        ...

    async def ask(self, verb: str, arguments: dict[str, Any], key_id: int, asker: Asker = NOBODY) -> Any:
        """What only the supervisor knows or may do. Raises the `Fault` it answers with."""
        ...


class Call(msgspec.Struct, frozen=True):
    """One request to one of these routes. `caller` is `ANYBODY` on open routes, `SIGNED_IN` by a session."""

    house: House
    request: Request
    caller: Caller
    asker: Asker = NOBODY

    async def ask(self, verb: str, arguments: dict[str, Any] | None = None) -> Any:
        """`House.ask` in the caller's name."""
        return await self.house.ask(verb, arguments or {}, self.caller.key_id, self.asker)


Handler = Callable[[Call], Awaitable[Response]]
Routes = list[tuple[str, str, dict[str, Handler]]]  # path, access ("open", "key" or "admin"), by method
_KEY_HEADERS = ("x-api-key", "api-key", "x-goog-api-key")
ANYBODY = Caller(key_id=-1, name="", digest=b"")
SIGNED_IN = Caller(key_id=-2, name="", digest=b"")  # what they may do is decided where the session is known


def family_of(request: Request) -> str:
    """Whose client asks, by the dialect's name.

    Google's is known by its path or, as its SDK also comes to `/v1`, by its key's header; Anthropic's by the
    header with its version; Cohere's by what its SDKs call themselves.
    """
    headers = request.headers
    if request.url.path.startswith("/v1beta/"):
        return "gemini"
    if "anthropic-version" in headers:
        return "anthropic_messages"
    if headers.get("x-fern-sdk-name") in ("cohere", "cohere-ai"):
        return "cohere"
    return "gemini" if "x-goog-api-key" in headers and "authorization" not in headers else "openai_chat"


def has_key(request: Request) -> bool:
    """Whether a key came with it, good or not."""
    headers = request.headers
    return "authorization" in headers or any(name in headers for name in _KEY_HEADERS)


def authenticate(house: House, request: Request) -> Caller:
    """Who calls, by `Authorization` or one of the other headers with a key. Raises `KeyFault`.

    Google's clients may send it as `?key=`, so on their paths it counts.
    """
    header = request.headers.get("authorization")
    if header is None:
        named = [request.headers.get(name) for name in _KEY_HEADERS]
        if request.url.path.startswith("/v1beta/"):
            named.append(request.query_params.get("key"))
        key = next((one for one in named if one), None)
        header = None if key is None else f"Bearer {key}"
    now_ms = int(time.time() * 1000)
    return house.authenticate(None if header is None else header.encode("latin-1"), now_ms)
