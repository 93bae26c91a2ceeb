"""Whose fault an error of Bedrock's is.

The exception's name stands in `x-amzn-ErrorType`, in front of a colon, or in the body's `__type`; where a
recorder or a proxy took it away the status has to do. Source: "Common errors" and the errors of Converse in
the API reference; recorded errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from wicket.dialects.bedrock_converse.eventstream import Message
from wicket.dialects.openai_errors import MAX_MESSAGE, read, retry_after_ms
from wicket.dialects.openai_errors import judge as judge_any
from wicket.errors import CallerFault, Fault, ProviderBusy, ProviderFault, UpstreamBroken

_STATUSES = {
    "validationexception": 400,
    "accessdeniedexception": 403,
    "unrecognizedclientexception": 403,
    "invalidsignatureexception": 403,
    "expiredtokenexception": 403,
    "missingauthenticationtokenexception": 403,
    "incompletesignatureexception": 403,
    "optinrequired": 403,
    "resourcenotfoundexception": 404,
    "modeltimeoutexception": 408,
    "modelerrorexception": 424,
    "modelstreamerrorexception": 424,
    "throttlingexception": 429,
    "modelnotreadyexception": 429,
    "servicequotaexceededexception": 429,
    "internalserverexception": 500,
    "internalfailure": 500,
    "serviceunavailableexception": 503,
}
_NO_MODEL = re.compile(
    r"model identifier is invalid|on-demand throughput isn.t supported|reached the end of its life|"
    r"marked by provider as legacy|don't have access to the model",
    re.IGNORECASE,
)
_SPENT = re.compile(r"tokens per day|daily", re.IGNORECASE)
_PREFILL = re.compile(r"prefill|must end with a user message|last turn in a conversation", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"input is too long|too many input tokens|maximum input length|prompt is too long", re.IGNORECASE
)


class _Body(msgspec.Struct):
    type: str = msgspec.field(default="", name="__type")
    message: str = ""
    upper_message: str = msgspec.field(default="", name="Message")


def judge(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Fault:
    """The fault behind an answer with an error status."""
    kind, message = _said(body)
    named = headers.get(b"x-amzn-errortype", b"").decode("latin-1") or kind
    return _judge(named, status, message, headers)


def in_stream(message: Message) -> Fault:
    """The fault behind an exception that came as an event; it is the provider's, whatever it says."""
    _, text = _said(message.payload)
    text = text or message.headers.get(":error-message", "")[:MAX_MESSAGE]
    name = message.kind or message.headers.get(":error-code", "")
    fault = _judge(name, _STATUSES.get(_plain(name), 500), text or "The provider broke off its answer.", {})
    return UpstreamBroken("provider_error", fault.message) if isinstance(fault, CallerFault) else fault


def _said(body: bytes) -> tuple[str, str]:
    """The exception's name and its message, "" where there are none. Never raises."""
    try:
        found = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, RecursionError):
        return "", read(body).message
    return found.type, (found.message or found.upper_message)[:MAX_MESSAGE]


def _plain(name: str) -> str:
    """`com.amazon.coral#ThrottlingException:http://…` without what stands around it, in lower case."""
    return name.rpartition("#")[2].partition(":")[0].strip().lower()


def _judge(name: str, status: int, message: str, headers: Mapping[bytes, bytes]) -> Fault:
    status = _STATUSES.get(_plain(name), status)
    message = message or f"The provider answered with status {status}."
    if 400 <= status < 500 and _NO_MODEL.search(message):
        return ProviderFault("model_not_found", message, status=404, kind=CallerFault.kind)
    if status == 400 and _TOO_LONG.search(message):
        return ProviderFault("context_length_exceeded", message, status=400, kind=CallerFault.kind)
    if status == 400 and _PREFILL.search(message):
        return ProviderFault("prefill_unsupported", message, status=400, kind=CallerFault.kind)
    if status == 429 and _SPENT.search(message):
        return ProviderFault(
            "provider_quota_exhausted", f"The provider's own account is exhausted: {message}"
        )
    if status == 424:  # the model failed behind Bedrock
        fault = ProviderBusy("provider_unavailable", message)
        fault.retry_after_ms = retry_after_ms(headers)
        return fault
    return judge_any(status, headers, msgspec.json.encode({"message": message}))
