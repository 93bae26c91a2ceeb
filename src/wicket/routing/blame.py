"""What a failed attempt says of its deployment: nothing, a failure, a limit, or a bad credential."""

from __future__ import annotations

from enum import IntEnum

MIN_SILENCE_US = 1_000_000  # a shorter wait says more of the limit than of the deployment


class Blame(IntEnum):
    """Who is to be spared for a while."""

    NOTHING = 0  # the request's own fault, ours, or nobody's
    FAILURE = 1  # the deployment: after a few in a row, or many among the last
    LIMIT = 2  # the deployment with this credential, at once
    CREDENTIAL = 3  # the credential, whatever it is used for
    FORBIDDEN = 4  # the deployment; the credential only if nothing else has worked with it lately


_BY_CODE = {
    "rate_limit_exceeded": Blame.LIMIT,
    "provider_quota_exhausted": Blame.CREDENTIAL,
    "provider_auth_failed": Blame.CREDENTIAL,
} | dict.fromkeys(
    (
        "provider_unavailable",
        "provider_error",
        "model_not_found",
        "connect_failed",
        "connect_timeout",
        "dns_failed",
        "tls_failed",
        "proxy_failed",
        "reset",
        "cut",
        "malformed",
        "gap_timeout",
    ),
    Blame.FAILURE,
)
_SILENCES = frozenset({"first_token_timeout", "total_timeout"})


def blame_of(code: str, status: int, silent_us: int) -> Blame:
    """`code` is the fault's, `status` the provider's (0: none came), `silent_us` how long nothing was said.

    0 for an attempt that had spoken. A code that is not known here blames nobody.
    """
    if code in _SILENCES:
        return Blame.FAILURE if silent_us >= MIN_SILENCE_US else Blame.NOTHING
    if code == "provider_auth_failed" and status == 403:
        return Blame.FORBIDDEN
    return _BY_CODE.get(code, Blame.NOTHING)
