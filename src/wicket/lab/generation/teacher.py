"""One call to a teacher, and what its answer or its failure means."""

from __future__ import annotations

import os
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any
from urllib.parse import urlsplit

import msgspec

from wicket.errors import (
    CallerFault,
    Fault,
    KeyFault,
    ProviderBusy,
    ProviderFault,
    ProviderRefusal,
    UpstreamBroken,
    UpstreamTimeout,
)
from wicket.lab.generation.plan import NANOS, Prices, Spending, cost
from wicket.upstream.contract import Pool
from wicket.upstream.fetch import Response, fetch_once
from wicket.upstream.proxies import proxy_for
from wicket.upstream.request_head import complete, head
from wicket.wire import json
from wicket.wire.origin import Origin

CONNECT_MS = 10_000
MAX_BYTES = 64 << 20
_MAX_SHOWN = 200
_LATER = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_NEVER_SENT = frozenset({"connect_failed", "connect_timeout", "dns_failed", "tls_failed", "proxy_failed"})


class Reply(msgspec.Struct, frozen=True):
    """An answer. `used` None: the teacher did not say how many tokens it took."""

    message: dict[str, Any]
    finish_reason: str
    model: str
    used: Spending | None
    num_input: int = -1
    num_output: int = -1
    logprobs: list[Any] | None = None


class _Choice(msgspec.Struct):
    message: dict[str, Any]
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = -1
    completion_tokens: int = -1


class _Answer(msgspec.Struct):
    choices: list[_Choice]
    model: str | None = None
    usage: _Usage | None = None


class Teacher:
    """Who is asked. `base_url` ends before "/chat/completions"; `socket_path` is a Unix socket instead of its
    host. Raises `CallerFault` for an address that is none.
    """

    def __init__(
        self, pool: Pool, base_url: str, *, key: str = "", socket_path: str = "", timeout_s: float = 300.0
    ) -> None:
        self._pool = pool
        self._key = key.encode()
        self._origin, path = _place(base_url, socket_path)
        headers = [("accept", "application/json"), ("content-type", "application/json")]
        if key:
            headers.append(("authorization", f"Bearer {key}"))
        self._head = head("POST", f"{path}/chat/completions", self._origin, headers)
        self._total_ms = int(timeout_s * 1000)

    async def ask(self, body: Mapping[str, Any], prices: tuple[Prices, ...] | None) -> Reply:
        """The answer. Raises `CallerFault` where no other call would go better, `ProviderRefusal` where
        this one never will, and any other `ProviderFault` where it may.
        """
        response = await fetch_once(
            self._pool,
            self._origin,
            complete(self._head, json.encode(body)),
            connect_ms=CONNECT_MS,
            total_ms=self._total_ms,
            max_bytes=MAX_BYTES,
        )
        response = without(self._key, response)
        if response.status != 200:
            raise fault_of(response)
        return reply_of(response, prices)


def without(key: bytes, response: Response) -> Response:
    """A response that does not repeat our key: its words get into files and onto screens."""
    if not key or key not in response.body:
        return response
    return msgspec.structs.replace(response, body=response.body.replace(key, b"[key]"))


def was_free(fault: Fault) -> bool:
    """Whether a failed call surely cost nothing: never sent, or refused; a cut one may be billed."""
    if isinstance(fault, UpstreamTimeout):
        return fault.code in _NEVER_SENT
    if isinstance(fault, UpstreamBroken):
        return False
    return fault.code in _NEVER_SENT or fault.code.startswith("status_")


def reply_of(response: Response, prices: tuple[Prices, ...] | None) -> Reply:
    """A 200 as a reply. Raises `UpstreamBroken` for anything that OpenAI's protocol does not promise."""
    try:
        answer = json.decode(response.body, type=_Answer)
    except (json.DecodeError, RecursionError, UnicodeDecodeError):
        raise UpstreamBroken("malformed", "The teacher's answer is not that of a chat completion.") from None
    if not answer.choices:
        raise UpstreamBroken("malformed", "The teacher's answer has no choice in it.")
    choice, usage = answer.choices[0], answer.usage or _Usage()
    used = None
    if usage.prompt_tokens >= 0 and usage.completion_tokens >= 0:
        nanos = _told_nanos(response)
        if nanos is None:
            nanos = cost(usage.prompt_tokens, usage.completion_tokens, prices)
        used = Spending(nanos, usage.prompt_tokens + usage.completion_tokens)
    return Reply(
        choice.message,
        choice.finish_reason or "",
        answer.model or "",
        used,
        usage.prompt_tokens,
        usage.completion_tokens,
        _compact((choice.logprobs or {}).get("content")),
    )


def fault_of(response: Response) -> Fault:
    """What another status means. Codes are "status_" and the number."""
    status, words = response.status, _words(response.body)
    code, message = f"status_{status}", f"The teacher answered with status {status}: {words}"
    if status == 401:
        return KeyFault(code, f"{message} Check the key.", status=status)
    if status in (402, 404, 405) or (status == 429 and "insufficient_quota" in words):
        return CallerFault(code, message, status=status)
    if status in _LATER or status > 500:
        return ProviderBusy(code, message, retry_after_ms=_retry_after_ms(response))
    return ProviderRefusal(code, message) if status >= 400 else UpstreamBroken(code, message)


def _told_nanos(response: Response) -> int | None:
    """A Wicket in between says what it paid."""
    try:
        return round(float(response.header(b"x-wicket-cost-usd")) * NANOS)
    except ValueError:
        return None


def _compact(tokens: Any) -> list[Any] | None:
    """[token, its log-probability, [[token, log-probability] of the likeliest]] per token, or None.

    The teacher is not ours: what has another form is no log-probabilities.
    """
    if not isinstance(tokens, list) or not tokens:
        return None
    try:
        return [
            [each["token"], each["logprob"], [[top["token"], top["logprob"]] for top in each["top_logprobs"]]]
            for each in tokens
        ]
    except (KeyError, TypeError):
        return None


def _words(body: bytes) -> str:
    """A refusal's own words, in short."""
    try:
        error = json.decode(body).get("error")
        said = error.get("message") or "" if isinstance(error, dict) else error
        code = error.get("code") if isinstance(error, dict) else None
        text = f"{said or ''} ({code})" if code else str(said or "")
    except (json.DecodeError, AttributeError, RecursionError, UnicodeDecodeError):
        text = body.decode("utf-8", "replace")
    shown = " ".join(text.split())
    return shown[:_MAX_SHOWN] or "nothing"


def _retry_after_ms(response: Response) -> int | None:
    """RFC 9110 §10.2.3: seconds or a date."""
    value = response.header(b"retry-after").decode("latin-1").strip()
    try:
        return max(0, int(float(value) * 1000))
    except (ValueError, OverflowError):
        pass
    try:
        return max(0, int((parsedate_to_datetime(value).timestamp() - time()) * 1000))
    except (ValueError, TypeError, OverflowError):
        return None


def _place(base_url: str, socket_path: str) -> tuple[Origin, str]:
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        parts, host, port = urlsplit(""), "", 0
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    if socket_path:
        return Origin("unix", socket_path, 0), path
    if parts.scheme not in ("http", "https") or not host:
        raise CallerFault("invalid_url", f"{base_url!r} is no address; it looks like https://host/v1")
    return Origin(parts.scheme, host, port, proxy=proxy_for(parts.scheme, host, port, os.environ)), path


def is_fatal(fault: Fault) -> bool:
    """Whether every other call would fail alike."""
    return isinstance(fault, CallerFault)


def may_go_better(fault: Fault) -> bool:
    """Whether the same call may be made again."""
    return isinstance(fault, ProviderFault) and not isinstance(fault, ProviderRefusal)
