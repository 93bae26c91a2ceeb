"""OpenID providers: discovery, the way there and back (code, PKCE, state, nonce), who came back.

OpenID Connect Core 1.0 §3.1, Discovery 1.0 §4, RFC 7636 (PKCE), RFC 9700 (state bound to the browser), RFC
9207 (`iss` in the answer). What is under way is in memory: whoever was half-way at a restart begins anew.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import time
from collections import OrderedDict
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from wicket.config.schema import OidcTable
from wicket.errors import CallerFault, OperatorFault, PermissionFault, ProviderFault
from wicket.supervisor.id_token import Expected, Identity, key_id, read_token
from wicket.upstream.fetch import fetch, fetch_once
from wicket.upstream.pool import KeepAlivePool
from wicket.upstream.proxies import proxy_for
from wicket.upstream.request_head import complete, head, without_body
from wicket.wire.json import DecodeError, decode
from wicket.wire.origin import Origin

UNDER_WAY_S = 600.0
MAX_UNDER_WAY = 5_000
KEPT_S = 3_600.0
MIN_REFRESH_S = 60.0
CONNECT_MS, TOTAL_MS, MAX_BYTES = 5_000, 10_000, 512 * 1024
_LOCAL = ("127.0.0.1", "localhost", "::1")


class Trip(msgspec.Struct, frozen=True):
    """Somebody on the way to a provider; `binder` is the digest of what their browser holds."""

    name: str
    binder: bytes
    nonce: str
    verifier: str
    redirect_uri: str
    begun_s: float


class Facts(msgspec.Struct):
    """What a provider says of itself, and when it was asked."""

    authorization: str
    token: str
    jwks: str
    methods: tuple[str, ...]
    asked_s: float
    keys: list[dict[str, Any]] = []
    keys_asked_s: float = 0.0


class OpenId:
    """All providers of one server. Lives on the loop; each question has a connection of its own."""

    def __init__(self) -> None:
        self._trips: OrderedDict[bytes, Trip] = OrderedDict()
        self._facts: dict[str, Facts] = {}

    async def begin(self, name: str, table: OidcTable, redirect_uri: str) -> dict[str, str]:
        """Where to send the browser (`url`), and what it must keep meanwhile (`binder`)."""
        facts = await self._ask_facts(table)
        state, nonce, binder = (secrets.token_urlsafe(32) for _ in range(3))
        verifier = secrets.token_urlsafe(48)
        trip = Trip(name, _digest(binder), nonce, verifier, redirect_uri, time.monotonic())
        self._trips[_digest(state)] = trip
        while len(self._trips) > MAX_UNDER_WAY:
            self._trips.popitem(last=False)
        query = {
            "response_type": "code",
            "client_id": table.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid email profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        join = "&" if urlsplit(facts.authorization).query else "?"
        return {"url": facts.authorization + join + urlencode(query), "binder": binder}

    async def end(self, table: OidcTable, answer: dict[str, str], name: str, binder: str) -> Identity:
        """Who came back. Raises `PermissionFault`; each state is good for one answer."""
        trip = self._trips.pop(_digest(answer.get("state", "")), None)
        if (
            trip is None
            or trip.name != name
            or time.monotonic() - trip.begun_s > UNDER_WAY_S
            or not hmac.compare_digest(trip.binder, _digest(binder))
        ):
            raise PermissionFault("unknown_state", "This sign-in is over or of another browser: begin again.")
        if answer.get("iss", table.issuer) != table.issuer:
            raise PermissionFault("wrong_issuer", "The answer comes from another provider.")
        if answer.get("error") or not answer.get("code"):
            raise PermissionFault("provider_refused", "The provider did not sign you in.")
        facts = await self._ask_facts(table)
        token = await self._exchange(table, facts, answer["code"], trip)
        keys = await self._keys(facts, key_id(token))
        return read_token(token, keys, Expected(table.issuer, table.client_id, trip.nonce), time.time())

    async def _ask_facts(self, table: OidcTable) -> Facts:
        known = self._facts.get(table.issuer)
        if known is not None and time.monotonic() - known.asked_s < KEPT_S:
            return known
        said = await self._get(table.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if said.get("issuer") != table.issuer:
            raise OperatorFault("oidc_discovery", f"{table.issuer} says that it is another issuer.")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        urls = [said.get(each) for each in names]
        if not all(isinstance(url, str) and _is_safe(url, table.issuer) for url in urls):
            raise OperatorFault("oidc_discovery", f"{table.issuer} names no endpoints that can be used.")
        methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        authorization, token, jwks = map(str, urls)
        facts = Facts(authorization, token, jwks, tuple(map(str, methods)), time.monotonic())
        self._facts[table.issuer] = facts
        return facts

    async def _keys(self, facts: Facts, kid: str) -> list[dict[str, Any]]:
        """The provider's keys; asked for again when one is new, but not for every forged token."""
        age_s = time.monotonic() - facts.keys_asked_s
        is_known = any(not kid or key.get("kid") == kid for key in facts.keys)
        if not facts.keys or age_s > KEPT_S or (not is_known and age_s > MIN_REFRESH_S):
            said = (await self._get(facts.jwks)).get("keys")
            facts.keys = [key for key in said if isinstance(key, dict)] if isinstance(said, list) else []
            facts.keys_asked_s = time.monotonic()
        return facts.keys

    async def _exchange(self, table: OidcTable, facts: Facts, code: str, trip: Trip) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": trip.redirect_uri,
            "client_id": table.client_id,
            "code_verifier": trip.verifier,
        }
        headers = [("accept", "application/json"), ("content-type", "application/x-www-form-urlencoded")]
        if table.client_secret and "client_secret_basic" in facts.methods:
            pair = (
                f"{quote(table.client_id, safe='')}:{quote(table.client_secret, safe='')}"  # RFC 6749 §2.3.1
            )
            headers.append(("authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
        elif table.client_secret:
            form["client_secret"] = table.client_secret
        origin, target = place_of(facts.token)
        request = complete(head("POST", target, origin, headers), urlencode(form).encode())
        said = await self._send(origin, request, is_once=True)
        token = said.get("id_token")
        if not isinstance(token, str):
            raise PermissionFault("provider_refused", "The provider did not say who you are.")
        return token

    async def _get(self, url: str) -> dict[str, Any]:
        origin, target = place_of(url)
        request = without_body(head("GET", target, origin, [("accept", "application/json")]))
        return await self._send(origin, request, is_once=False)

    async def _send(self, origin: Origin, request: bytes, *, is_once: bool) -> dict[str, Any]:
        ask, pool = fetch_once if is_once else fetch, KeepAlivePool()
        try:
            answer = await ask(
                pool, origin, request, connect_ms=CONNECT_MS, total_ms=TOTAL_MS, max_bytes=MAX_BYTES
            )
            said = decode(answer.body)
        except ProviderFault as fault:
            raise _unreachable(origin, fault.code) from None
        except (DecodeError, RecursionError):
            raise _unreachable(origin, "no JSON") from None
        finally:
            await pool.close()
        if is_once and 400 <= answer.status < 500:
            raise PermissionFault("provider_refused", "The provider did not accept the sign-in: begin again.")
        if answer.status != 200 or not isinstance(said, dict):
            raise _unreachable(origin, f"status {answer.status}")
        return said


def challenge(verifier: str) -> str:
    """RFC 7636 §4.2, S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def place_of(url: str) -> tuple[Origin, str]:
    """Where a URL leads and the target to ask for. Raises `CallerFault` for what is no URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CallerFault("invalid_url", "An address of the provider is no URL.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    proxy = proxy_for(parts.scheme, parts.hostname, port, dict(os.environ))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Origin(parts.scheme, parts.hostname, port, proxy), target


def _is_safe(url: str, issuer: str) -> bool:
    """An https URL; http only on this machine, for an issuer that is there as well."""
    try:
        parts, home = urlsplit(url), urlsplit(issuer)
        _ = parts.port
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and parts.hostname in _LOCAL and home.hostname in _LOCAL


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _unreachable(origin: Origin, why: str) -> OperatorFault:
    return OperatorFault("oidc_unreachable", f"The provider at {origin.authority} can't be asked ({why}).")
