"""What is known of one deployment with one credential: its breaker, its times, its speed, what runs at it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from wicket.routing.breaker import Breaker
from wicket.routing.latency import PeakEwma, Window
from wicket.routing.rate_limits import has_limits, read_limits

if TYPE_CHECKING:
    from wicket.routing.health import HealthTable

MAX_FRESH = 64  # answers that wait to be looked at; of more, the last
READ_LIMITS_EVERY_US = 100_000
SPEED_WEIGHT = 0.2  # of the newest answer in the moving mean of tokens per second
MIN_SPEED_US = 1_000


class Turn(msgspec.Struct, frozen=True, array_like=True):
    """A breaker turned. `name` is a deployment's id, or a provider's for the breaker of a credential.

    `left_us` is the cooldown that is left (of a probe: how long it is waited for), so that no two processes
    need the same clock.
    """

    name: str
    credential: int
    state: str  # "open", "half_open" or "closed"
    left_us: int = 0
    level: int = 0
    code: str = ""
    of_credential: bool = False


class Digest(msgspec.Struct, frozen=True, array_like=True):
    """What one worker knows of a deployment, told once a second; -1 and 1.0 where nothing is known."""

    name: str
    credential: int
    num_running: int = 0
    first_token_us: int = -1
    tokens_per_s: float = 0.0
    headroom: float = 1.0
    headroom_left_us: int = 0


class Vitals:
    """Mutable, of one worker's table. Answers are put into `fresh`, and looked at when somebody asks."""

    __slots__ = (
        "breaker",
        "credential",
        "first_token",
        "fresh",
        "good_us",
        "is_told",
        "limits_until_us",
        "name",
        "next_limits_us",
        "next_look_us",
        "num_elsewhere",
        "num_running",
        "share",
        "speed",
        "stream_times",
        "table",
        "touched_us",
        "whole_times",
    )  # fmt: skip

    def __init__(self, name: str, credential: int, table: HealthTable) -> None:
        self.table = table
        self.fresh: deque[tuple[int, int, int, int]] = deque(maxlen=MAX_FRESH)
        self.name = name
        self.credential = credential
        self.breaker = Breaker()
        self.first_token = PeakEwma()
        self.stream_times = Window()
        self.whole_times = Window()
        self.speed = 0.0
        self.share = 1.0  # what is left of the tightest limit
        self.limits_until_us = 0
        self.next_limits_us = 0
        self.next_look_us = 0
        self.num_running = 0
        self.num_elsewhere = 0  # running at it in the other workers, as they last said
        self.touched_us = 0  # the last attempt's
        self.good_us = -(1 << 62)  # the last answer's
        self.is_told = True  # nothing new since the last digest

    def look(self) -> None:
        """Count what came since the last look: (when it ended, first token after, tokens, written in).

        The wait is negative for whole answers; a write of 0 tokens says nothing of speed, and a wait of 0
        was counted already.
        """
        fresh = self.fresh
        if not fresh:
            return
        self.is_told = False
        self.touched_us = self.good_us = fresh[-1][0]
        while fresh:
            now_us, wait_us, num_tokens, wrote_us = fresh.popleft()
            if wait_us > 0:
                self._heard(wait_us, now_us, self.stream_times)
            elif wait_us < 0:
                self._heard(-wait_us, now_us, self.whole_times)
            if num_tokens > 1 and wrote_us >= MIN_SPEED_US:
                speed = num_tokens * 1e6 / wrote_us
                self.speed = speed if not self.speed else self.speed + SPEED_WEIGHT * (speed - self.speed)

    def mean_us(self, now_us: int) -> int:
        """Peak-EWMA of the time to the first token; 0 if unknown."""
        self.look()
        return self.first_token.now(now_us)

    def late_us(self, share: float, *, is_streamed: bool) -> int:
        """Within which time this share of its first tokens, or whole answers, came; 0 if unknown."""
        self.look()
        return (self.stream_times if is_streamed else self.whole_times).share(share)

    def tokens_per_s(self) -> float:
        """A moving mean; 0 if unknown."""
        self.look()
        return self.speed

    def waited(self, silent_us: int, now_us: int) -> None:
        """Nothing came in this time."""
        self.look()
        self.first_token.at_least(silent_us, now_us)

    def _heard(self, wait_us: int, now_us: int, times: Window) -> None:
        self.first_token.add(wait_us, now_us)
        times.add(wait_us)

    def read_headers(self, headers: Mapping[bytes, bytes], now_us: int) -> None:
        """An answer's headers: what they say of limits. Looked at only now and then."""
        if now_us < self.next_limits_us:
            return
        self.next_limits_us = now_us + READ_LIMITS_EVERY_US
        if not has_limits(headers):
            return
        limits = read_limits(headers)
        if limits:
            tightest = min(limits, key=lambda limit: limit.share)
            self.share = tightest.share
            self.limits_until_us = now_us + tightest.reset_us

    def headroom(self, now_us: int) -> float:
        """The share left of the tightest limit; 1.0 once it has been refilled, or if nothing was said."""
        return self.share if now_us < self.limits_until_us else 1.0

    def digest(self, now_us: int) -> Digest:
        """What the others are told."""
        self.look()
        headroom = self.headroom(now_us)
        return Digest(
            name=self.name,
            credential=self.credential,
            num_running=self.num_running,
            first_token_us=self.first_token.now(now_us) if self.first_token.at_us else -1,
            tokens_per_s=round(self.speed, 1),
            headroom=round(headroom, 4),
            headroom_left_us=max(0, self.limits_until_us - now_us) if headroom < 1.0 else 0,
        )

    def adopt(self, told: Digest, now_us: int) -> None:
        """What the other workers know; what this one measured itself lately counts more."""
        self.look()
        self.num_elsewhere = told.num_running
        if told.first_token_us >= 0 and self.is_told:
            self.first_token.value_us = float(told.first_token_us)
            self.first_token.at_us = now_us
            if told.tokens_per_s:
                self.speed = told.tokens_per_s
        if told.headroom_left_us and now_us >= self.next_limits_us:
            self.share = told.headroom
            self.limits_until_us = now_us + told.headroom_left_us
