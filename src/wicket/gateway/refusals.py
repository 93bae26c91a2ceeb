"""What a caller hears whose request is beyond a limit: which one, whose, and when to come back. Pure.

| what is short | status | code | retry |
|---|---|---|---|
| requests or tokens | 429 | `rate_limit_exceeded` | when there is enough again |
| requests at once | 429 | `concurrency_limit_exceeded` | after a second |
| a credit | 402 | `insufficient_credit` | never |
| a budget | 402 | `budget_exceeded` | never; the message says when it begins anew |
| either, but requests under way hold it | 429 | `credit_held`, `budget_held` | after a second |
"""

from __future__ import annotations

from datetime import UTC, datetime

from wicket.accounts.cost import format_usd
from wicket.accounts.lease_words import Word
from wicket.accounts.meters import CONCURRENT, NANOS, TOTAL, Meter
from wicket.errors import BusyFault, CallerFault, Fault

HELD_MS = 1_000
QUOTA = "insufficient_quota"  # OpenAI's `error.type` for an account without means


def refusal(meter: Meter, word: Word, need: int, elapsed_ms: int) -> Fault:
    """The fault for a request that needs `need` of a meter which stands as `word` said `elapsed_ms` ago."""
    if meter.unit == NANOS:
        return _money(meter, word, need)
    if meter.unit == CONCURRENT:
        message = f"{_whose(meter)} limit of {meter.amount} requests at once is reached."
        return BusyFault("concurrency_limit_exceeded", message, retry_after_ms=HELD_MS)
    wait_ms = max(1, word.wait_ms - max(0, elapsed_ms))
    message = (
        f"{_whose(meter)} limit of {meter.amount} {meter.unit} per {meter.window} is reached"
        f" (this request counts as {need}): come back in {_spoken(wait_ms)}."
    )
    return BusyFault("rate_limit_exceeded", message, retry_after_ms=wait_ms)


def _money(meter: Meter, word: Word, need: int) -> Fault:
    name = "credit" if meter.is_credit else "budget"
    if need <= word.level or (word.free < word.level and word.level > 0):
        message = f"{_whose(meter)} {name} is held by requests under way: come back shortly."
        return BusyFault(f"{name}_held", message, retry_after_ms=HELD_MS)
    left = format_usd(max(0, word.level))
    if meter.is_credit:
        message = f"{_whose(meter)} credit of {left} USD does not pay for this request: top it up."
        return CallerFault("insufficient_credit", message, status=402, kind=QUOTA)
    size = f"{format_usd(meter.amount)} USD {'in all' if meter.window == TOTAL else f'per {meter.window}'}"
    again = ""
    if word.resets_ms:
        moment = datetime.fromtimestamp(word.resets_ms / 1_000, UTC)
        again = f" It begins anew at {moment:%Y-%m-%dT%H:%M:%SZ}."
    message = f"{_whose(meter)} budget of {size} has {left} USD left, too little for this request.{again}"
    return CallerFault("budget_exceeded", message, status=402, kind=QUOTA)


def _whose(meter: Meter) -> str:
    whose = f"This {meter.scope.partition(':')[0]}'s"
    return f"{whose} '{meter.model}'" if meter.model else whose


def _spoken(ms: int) -> str:
    seconds = -(-ms // 1_000)
    return f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} min"
