"""A circuit breaker: closed, open for a while, half-open while one real request tries (Nygard, Release It!).

It never forbids anything. It says until when others should be asked first; who is asked all the same, for
want of others, and answers well, closes it.
"""

from __future__ import annotations

MAX_FAILURES = 3  # in a row
WINDOW = 20  # attempts looked at for the share of failures
MAX_FAILED = 10  # of WINDOW: half
_MASK = (1 << WINDOW) - 1

LEAST_US = 250_000  # no cooldown is shorter: a probe costs somebody a try
FAILURE_US = 1_000_000  # the first cooldown's bound; it doubles with each failed probe
LIMIT_US = 500_000
MAX_COOLDOWN_US = 15_000_000  # so that who recovers is asked again within half a minute
MAX_RETRY_AFTER_US = 300_000_000  # a longer Retry-After of a 429 is tried after this
CREDENTIAL_US = 30_000_000
MAX_CREDENTIAL_US = 300_000_000
LEAST_PROBED_US = 2_000_000  # probes are sent once a second at the most
PROBE_US = 15_000_000  # how long a probe is waited for before another may go
MAX_LEVEL = 16


class Breaker:
    """One thing that may be spared: a deployment with its credential, or a credential.

    `reopens_us` is 0 while it is closed, else the monotonic microsecond from which one attempt may try.
    """

    __slots__ = (
        "code",
        "history",
        "in_row",
        "is_calm",
        "is_ours",
        "is_probing",
        "level",
        "opened_us",
        "reopens_us",
    )

    def __init__(self) -> None:
        self.reopens_us = 0
        self.opened_us = 0
        self.is_probing = False
        self.is_calm = True  # a success changes nothing
        self.is_ours = True  # opened by this worker, not heard of from another
        self.level = 0  # how often it opened since it last did well
        self.in_row = 0
        self.history = 0  # the last attempts, 1 for a failure, the newest in the lowest bit
        self.code = ""  # the fault that opened it

    @property
    def state(self) -> str:
        """ "closed", "open" or "half_open"."""
        if not self.reopens_us:
            return "closed"
        return "half_open" if self.is_probing else "open"

    def try_probe(self, now_us: int) -> bool:
        """An attempt goes out while it is open: whether that one is the probe."""
        if not self.reopens_us or now_us < self.reopens_us:
            return False
        self.is_probing = True
        self.reopens_us = now_us + PROBE_US
        return True

    def release(self, now_us: int) -> bool:
        """The probe ended without a verdict (its caller left, a rival won): the next one may go at once."""
        if not self.is_probing:
            return False
        self.is_probing = False
        self.reopens_us = now_us
        return True

    def speak(self) -> bool:
        """The probe's first token is here: closed on probation, one failure opens it again."""
        if not self.reopens_us:
            return False
        level = self.level
        self.close()
        self.level, self.in_row, self.is_calm = level, MAX_FAILURES - 1, False
        return True

    def succeed(self, sent_us: int) -> bool:
        """An attempt sent at `sent_us` did well; whether that closed it."""
        if self.reopens_us:
            if sent_us < self.opened_us:  # it began before the trouble
                return False
            self.close()
            return True
        self.in_row = self.level = 0
        self.history = self.history << 1 & _MASK
        self.is_calm = not self.history
        return False

    def close(self) -> None:
        """Forget all trouble."""
        self.reopens_us = self.opened_us = self.level = self.in_row = self.history = 0
        self.is_probing = False
        self.is_calm = True
        self.code = ""

    def fail(self, code: str, now_us: int, chance: float, *, is_probe: bool, at_once_us: int = 0) -> bool:
        """A failure; whether it opened. `chance` (0 to 1) scatters the cooldown (full jitter).

        `at_once_us`: the provider's own word on how long, which needs no second failure.
        """
        if self.reopens_us and not is_probe:
            return False
        self.in_row += 1
        self.is_calm = False
        self.history = (self.history << 1 | 1) & _MASK
        many = self.history.bit_count() >= MAX_FAILED
        if not (is_probe or at_once_us or self.in_row >= MAX_FAILURES or many):
            return False
        if at_once_us:
            self.open(code, min(at_once_us, MAX_COOLDOWN_US), now_us)
        else:
            self.open(code, _scattered(FAILURE_US, self.level, chance), now_us)
        return True

    def limit(self, code: str, now_us: int, chance: float, retry_after_us: int | None) -> bool:
        """The provider said "too many"; `retry_after_us` None: it did not say for how long."""
        if retry_after_us is not None:
            until = now_us + max(1, min(retry_after_us, MAX_RETRY_AFTER_US))
            if self.reopens_us >= until and not self.is_probing:
                return False
            self.open(code, until - now_us, now_us)
            return True
        if self.reopens_us and not self.is_probing:
            return False
        self.open(code, _scattered(LIMIT_US, self.level, chance), now_us)
        return True

    def bar(self, code: str, now_us: int) -> bool:
        """The credential is refused or its account is empty: a person has to act, so this takes longer."""
        if self.reopens_us and not self.is_probing:
            return False
        self.open(code, min(CREDENTIAL_US << min(self.level, MAX_LEVEL), MAX_CREDENTIAL_US), now_us)
        return True

    def probed(self, now_us: int, chance: float, *, is_well: bool) -> None:
        """An active probe came back: the next attempt may try, or it stays open for another while."""
        if is_well:
            self.reopens_us = now_us
        else:
            cooldown_us = _scattered(FAILURE_US, self.level, chance)
            self.open(self.code, max(LEAST_PROBED_US, cooldown_us), now_us)

    def open(self, code: str, cooldown_us: int, now_us: int) -> None:
        """Open for a time."""
        self.level = min(self.level + 1, MAX_LEVEL)
        self.is_probing = False
        self.is_ours = True
        self.is_calm = False
        self.code = code
        self.opened_us = now_us
        self.reopens_us = now_us + cooldown_us


def _scattered(first_us: int, level: int, chance: float) -> int:
    """Full jitter: anything up to a bound that doubles."""
    bound = min(first_us << min(level, MAX_LEVEL), MAX_COOLDOWN_US)
    return LEAST_US + int(chance * (bound - LEAST_US))
