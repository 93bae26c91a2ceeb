"""What can happen to a request and what the walk answers: values, no behaviour.

Times are microseconds of a monotonic clock. `attempt` is the number of the try, counted from 0.
"""

from __future__ import annotations

import msgspec

from wicket.errors import Fault


class Planned(msgspec.Struct, frozen=True, array_like=True):
    """The plan is made; begin."""

    now_us: int


class Opened(msgspec.Struct, frozen=True, array_like=True):
    """An attempt's successful status and headers are here."""

    attempt: int
    now_us: int


class Refused(msgspec.Struct, frozen=True, array_like=True):
    """An attempt's error status is here. `fault` is what it means should the error's text not follow."""

    attempt: int
    now_us: int
    fault: Fault


class Spoke(msgspec.Struct, frozen=True, array_like=True):
    """An attempt's first frame that carries output (or its finish reason) is here."""

    attempt: int
    now_us: int


class Heard(msgspec.Struct, frozen=True, array_like=True):
    """More whole frames arrived from an attempt that spoke before."""

    attempt: int
    now_us: int


class Finished(msgspec.Struct, frozen=True, array_like=True):
    """A stream's finish reason has passed; what may still come is usage and the end mark."""

    attempt: int
    now_us: int


class Ended(msgspec.Struct, frozen=True, array_like=True):
    """An attempt's answer is complete by its dialect's own rules."""

    attempt: int
    now_us: int


class Failed(msgspec.Struct, frozen=True, array_like=True):
    """An attempt failed. `is_stale`: a kept-alive connection was closed before it carried a byte.

    `may_continue`: what the caller has of its answer is text that another model could continue.
    """

    attempt: int
    now_us: int
    fault: Fault
    is_stale: bool = False
    may_continue: bool = False


class Ticked(msgspec.Struct, frozen=True, array_like=True):
    """Time passed; `Walk.due_us` says when this is worth sending.

    `may_hedge`: the route's budget allows one extra call now; it is spent when the Send is carried out.
    `may_continue`: see `Failed`.
    """

    now_us: int
    may_hedge: bool = False
    may_continue: bool = False


class ClientGone(msgspec.Struct, frozen=True, array_like=True):
    """The caller closed the connection."""

    now_us: int


Event = Planned | Opened | Refused | Spoke | Heard | Finished | Ended | Failed | Ticked | ClientGone


class Send(msgspec.Struct, frozen=True, array_like=True):
    """Ask candidate `candidate` of the plan as try number `attempt`; `is_fresh`: on a new connection.

    `kind`: "hedge" for one raced against a late one, "continuation" for one that gets the answer so far.
    """

    attempt: int
    candidate: int
    is_fresh: bool = False
    kind: str = ""


class Cancel(msgspec.Struct, frozen=True, array_like=True):
    """Abandon an attempt; what it produced is still accounted."""

    attempt: int
    reason: str


class Begin(msgspec.Struct, frozen=True, array_like=True):
    """A held stream took long: send the status and headers now, errors are in-band from here."""


class KeepAlive(msgspec.Struct, frozen=True, array_like=True):
    """Send a comment, so that nobody between takes the silence for death."""


class Commit(msgspec.Struct, frozen=True, array_like=True):
    """This attempt is the answer: send status, headers and what was held."""

    attempt: int


class Join(msgspec.Struct, frozen=True, array_like=True):
    """From here on this attempt carries on the answer that broke: its frames follow in the same stream."""

    attempt: int


class Forward(msgspec.Struct, frozen=True, array_like=True):
    """Send on what arrived since."""

    attempt: int


class Finish(msgspec.Struct, frozen=True, array_like=True):
    """Close the caller's answer cleanly."""

    attempt: int


class Fail(msgspec.Struct, frozen=True):
    """Answer with this fault: as a status if nothing was sent, in-band otherwise."""

    fault: Fault


class Settle(msgspec.Struct, frozen=True, array_like=True):
    """Account for the request, exactly once. `outcome` is "ok", a fault's code, or "client_gone"."""

    outcome: str


Action = Send | Cancel | Begin | KeepAlive | Commit | Join | Forward | Finish | Fail | Settle
