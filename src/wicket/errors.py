"""The whole error tree on one screen: sorted by who has to act next.

A `Fault` is a value before it is an exception: the walk passes it around, the server turns it into the
caller's dialect, the record keeps its code. Foreign exceptions are mapped to one of these at the edge.
"""

from __future__ import annotations


class Fault(Exception):
    """Something went wrong; `code` is stable, `message` says what to do next, `status` is its HTTP status.

    `again`: the same deployment may be asked once more. `elsewhere`: another deployment may be asked.
    `param` names the offending field; `kind` is OpenAI's `error.type`.
    """

    status = 500
    kind = "server_error"
    again = False
    elsewhere = False

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        param: str | None = None,
        retry_after_ms: int | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_ms = retry_after_ms
        if status is not None:
            self.status = status
        if kind is not None:
            self.kind = kind


class CallerFault(Fault):
    """The caller must change the request: never tried elsewhere."""

    status = 400
    kind = "invalid_request_error"


class KeyFault(CallerFault):
    """The virtual key is missing, unknown, expired or revoked."""

    status = 401
    kind = "authentication_error"


class PermissionFault(CallerFault):
    """The key is good but may not do this."""

    status = 403
    kind = "permission_error"


class UnknownModelFault(CallerFault):
    """No route answers to this model name."""

    status = 404


class BusyFault(CallerFault):
    """Too much at once: the caller should come back after `retry_after_ms`."""

    status = 429
    kind = "rate_limit_error"


class OperatorFault(Fault):
    """The operator must act: configuration, disk, credentials, a missing package."""

    status = 503


class ConfigFault(OperatorFault):
    """The configuration is wrong; the message holds one `file:line: field: what` line per mistake."""


class StoreFault(OperatorFault):
    """The database can't be read or written, or belongs to a newer version."""


class EngineFault(OperatorFault):
    """An engine or its checkpoint can't run; other deployments may still answer."""

    elsewhere = True


class ProviderFault(Fault):
    """The provider failed: another deployment may be tried, unless it says why not."""

    status = 502
    kind = "upstream_error"
    elsewhere = True


class ProviderBusy(ProviderFault):
    """Limited or overloaded (429, 5xx, reset): the same deployment may do it a moment later."""

    again = True


class UpstreamTimeout(ProviderFault):
    """The provider was too slow: connect, first token, gap or total."""

    status = 504


class UpstreamBroken(ProviderFault):
    """The provider's answer was cut, malformed or not what its protocol promises."""


class ProviderRefusal(ProviderFault):
    """The provider refused the content: its own reason goes to the caller, nothing else is tried."""

    status = 400
    kind = "invalid_request_error"
    elsewhere = False
