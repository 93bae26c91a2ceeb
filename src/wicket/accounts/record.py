"""The record of a request: what it asked, who answered, what it used and cost. One per request, always.

Money is in integer nano-USD (1e-9 USD). *cost* is what providers bill us, summed over attempts;
*charge* is what the caller pays, once per request.
"""

from __future__ import annotations

import msgspec


class OtherUsage(msgspec.Struct, array_like=True, frozen=True):
    """What an answer used beside plain tokens, and the class of service it was given.

    The tokens are among those of `Usage`: an hour's writes among the cache-written, audio and images among
    input or output, `cached_audio` among both the cached and the audio. New fields come last: the database
    keeps this as an array.
    """

    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    cached_audio_tokens: int = 0
    output_audio_tokens: int = 0
    input_image_tokens: int = 0
    output_image_tokens: int = 0
    images: int = 0  # made
    audio_ms: int = 0  # heard or spoken
    characters: int = 0  # to be spoken
    searches: int = 0
    service: str = ""  # "batch", "flex" or "priority", as the answer says; "" for the standard class
    image_size: str = ""  # of the images made, with their quality: "high/1024x1536"; "" for not known
    unpriced: tuple[str, ...] = ()  # what was used and has no known price: its cost is not in the record's


class Usage(msgspec.Struct, array_like=True, frozen=True):
    """Token counts. `input` includes `cached` and `cache_write`; `output` includes `reasoning`.

    `is_estimated`: the provider did not report, so the counts come from bytes per token. `other` is None for
    nearly all requests.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    is_estimated: bool = False
    other: OtherUsage | None = None


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
    price_row: str = ""  # which price row made its cost, "" where that is the record's


class Record(msgspec.Struct, array_like=True):
    """What stays of a request. `id` is time-sortable and fits 63 bits (see `request_ids`).

    `task` is a cascade's. `estimate_nanos` is what the answer's deployment was expected to cost before it was
    asked, `large_cost_nanos` what the route's largest model costs for such an answer (its own cost if it was
    the one that answered, else an estimate); -1 for unknown. `payer` is the ledger account that the charge is
    taken from (see `transfers`).
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
    estimate_nanos: int = -1
