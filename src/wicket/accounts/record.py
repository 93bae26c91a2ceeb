"""The record of a request: what it asked, who answered, what it used and cost. One per request, always.

Money is in integer nano-USD (1e-9 USD). *cost* is what providers bill us, summed over attempts;
*charge* is what the caller pays, once per request.
"""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, array_like=True, frozen=True):
    """Token counts. `input` includes `cached` and `cache_write`; `output` includes `reasoning`.

    `is_estimated`: the provider did not report, so the counts come from bytes per token.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    is_estimated: bool = False


NO_USAGE = Usage()


class Attempt(msgspec.Struct, array_like=True):
    """One try of one deployment. Times are microseconds since the request's start; -1 for never."""

    deployment: str
    status: int = 0  # the upstream's HTTP status, 0 if none came
    reason: str = ""  # "" for success, else a fault's code, "hedge_lost" or "client_gone"
    started_us: int = 0
    first_token_us: int = -1
    ended_us: int = -1
    cost_nanos: int = 0
    usage: Usage = NO_USAGE
    is_probe: bool = False  # sent to a deployment that was spared, to see whether it is well again
    kind: str = ""  # "hedge": raced against a late one; "continuation": it got the answer so far


class Record(msgspec.Struct, array_like=True):
    """What stays of a request. `id` is time-sortable and fits 63 bits (see `request_ids`).

    `task` and `large_cost_nanos` are set for cascades only: their task, and what the route's last deployment
    costs for such an answer (its own cost if it was the one that answered, else an estimate; -1 for unknown).
    `payer` is the ledger account that the charge is taken from (see `transfers`).
    """

    id: int
    started_ms: int  # Unix time
    key_id: int  # 0: the admin key
    api: str  # "chat.completions", "completions", "embeddings", …
    model: str  # the name the caller asked for
    deployment: str  # who answered, "" if nobody
    served_model: str  # as the upstream calls itself
    status: int  # the HTTP status the caller saw
    outcome: str  # "ok", or a fault's code, or "client_gone"
    is_stream: bool
    usage: Usage
    cost_nanos: int
    charge_nanos: int
    first_token_us: int  # -1: none
    total_us: int
    attempts: list[Attempt]
    price_row: str = ""  # which price row made the cost, "" if unpriced
    dropped: list[str] = []
    task: str = ""
    large_cost_nanos: int = -1
    payer: str = ""
