"""A little OpenID provider over loopback: signs who comes in, and misbehaves when told to."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "wicket client", "a secret: of the client"


def text_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return text_of(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Signer:
    """One key pair of a provider."""

    def __init__(self, kid: str, algorithm: str = "RS256") -> None:
        self.kid, self.algorithm = kid, algorithm
        self._rsa = rsa.generate_private_key(65537, 2048) if algorithm == "RS256" else None
        self._ec = ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else None

    @property
    def public(self) -> dict[str, str]:
        if self._rsa is not None:
            numbers = self._rsa.public_key().public_numbers()
            kind = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        else:
            assert self._ec is not None
            point = self._ec.public_key().public_numbers()
            pair = {"x": text_of(point.x.to_bytes(32, "big")), "y": text_of(point.y.to_bytes(32, "big"))}
            kind = {"kty": "EC", "crv": "P-256", **pair}
        return {**kind, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def sign(self, claims: dict[str, Any], **head: Any) -> str:
        named = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT", **head}
        signed = ".".join(text_of(json.dumps(part).encode()) for part in (named, claims))
        if self._rsa is not None:
            return f"{signed}.{text_of(self._rsa.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"
        assert self._ec is not None
        r, s = decode_dss_signature(self._ec.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{text_of(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


class Provider:
    """`claims` is added to each token; `signer` signs, `known` is what it publishes."""

    def __init__(self) -> None:
        self.issuer = ""
        self.signer = Signer("first")
        self.known = [self.signer]
        self.claims: dict[str, Any] = {}
        self.discovery: dict[str, Any] = {}
        self.token = ""  # instead of a signed one
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discover),
                Route("/authorize", self.authorize),
                Route("/token", self.exchange, methods=["POST"]),
                Route("/keys", self.keys),
            ]
        )

    async def discover(self, request: Request) -> Response:
        self.asked.append("discovery")
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                **self.discovery,
            }
        )

    async def authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        assert query["response_type"] == "code" and "openid" in query["scope"].split()
        assert query["code_challenge_method"] == "S256" and query["client_id"] == CLIENT
        code = secrets.token_urlsafe(8)
        self._codes[code] = query
        back = {"code": code, "state": query["state"], "iss": self.issuer}
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(back)}", 302)

    async def exchange(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self._codes.pop(form["code"], None)
        scheme, _, pair = request.headers.get("authorization", "").partition(" ")
        id, _, secret = base64.b64decode(pair).decode().partition(":")
        challenge = text_of(hashlib.sha256(form["code_verifier"].encode()).digest())
        if (
            asked is None
            or scheme != "Basic"
            or (unquote(id), unquote(secret)) != (CLIENT, SECRET)
            or challenge != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "subject-1",
            "exp": now + 300,
            "iat": now,
            "nonce": asked["nonce"],
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada",
            **self.claims,
        }
        token = self.token or self.signer.sign({name: v for name, v in claims.items() if v is not None})
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token})

    async def keys(self, request: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse({"keys": [signer.public for signer in self.known]})


@contextmanager
def providing() -> Iterator[Provider]:
    provider = Provider()
    listener = socket.create_server(("127.0.0.1", 0))
    provider.issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(provider.app, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
