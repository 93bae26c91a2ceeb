"""The sixteen faults and their relatives as data: what the primary does wrong, and what must come of it."""

import json
from typing import Any

import msgspec

TEXT = " ".join(f"word{number}" for number in range(1, 61))  # sixty tokens of the scripted provider
OUTAGE_S = 6.0  # stands for the sixty seconds of the sequence, at a tenth of the pace
EVERY_S = 0.4


class Scenario(msgspec.Struct, frozen=True):
    """`order`: who is asked, p for the primary and b for the backup, with what each try came to.

    `broken`: the fault strikes in the middle of the stream; with commit "first-token" this is the code of
    the error in-band, and nobody else is asked.
    """

    name: str
    primary: list[dict[str, Any]]
    order: str
    reasons: tuple[str, ...]
    backup: list[dict[str, Any]] = []
    timeouts: str = "{}"
    broken: str = ""
    fields: dict[str, Any] = {}  # of the request, beside the usual ones
    is_refused: bool = False

    def expected(self, commit: str) -> tuple[str, tuple[str, ...]]:
        """Order and reasons on a route with this commit point."""
        if self.broken and commit == "first-token":
            return "p", (self.broken,)
        return self.order, self.reasons


def _once(**actions: Any) -> dict[str, Any]:
    return {"when": {"to_nth": 1}, **actions}


BUSY = "provider_unavailable"
LIMITED = "rate_limit_exceeded"
CUT = {"cut_after": 40, "gap_ms": 4}

SCENARIOS = (
    Scenario(
        "429-with-retry-after",
        [_once(error="rate_limit", headers={"retry-after": "2"})],
        "pp",
        (LIMITED, "ok"),
    ),
    Scenario("429-persistent", [{"error": "rate_limit"}], "ppb", (LIMITED, LIMITED, "ok")),
    Scenario("500-once", [_once(error="server_error")], "pp", (BUSY, "ok")),
    Scenario("503-persistent", [{"error": "overloaded"}], "ppb", (BUSY, BUSY, "ok")),
    Scenario("reset-before-headers", [_once(reset=True)], "pp", ("reset", "ok")),
    Scenario(
        "no-answer",
        [{"silent": True}],
        "pb",
        ("first_token_timeout", "ok"),
        timeouts="{ first_token_s = 1 }",
    ),
    Scenario(
        "first-token-after-20-s",
        [{"first_token_ms": 20_000}],
        "pb",
        ("first_token_timeout", "ok"),
        timeouts="{ first_token_s = 2 }",
    ),
    Scenario("cut-after-40", [CUT], "pb", ("cut", "ok"), broken="cut"),
    Scenario(
        "silent-after-20",
        [{"stall_after": 20, "gap_ms": 4}],
        "pb",
        ("gap_timeout", "ok"),
        timeouts="{ gap_s = 2 }",
        broken="gap_timeout",
    ),
    Scenario(
        "tenth-event-invalid",
        [{"malformed_frame": 10, "gap_ms": 4}],
        "pb",
        ("malformed", "ok"),
        broken="malformed",
    ),
    Scenario("no-done", [{"done": False}], "p", ("ok",)),
    Scenario("context-length", [{"error": "context_length"}], "pb", ("context_length_exceeded", "ok")),
    Scenario(
        "content-policy",
        [{"error": "content_policy"}],
        "p",
        ("content_policy_violation",),
        is_refused=True,
    ),
    Scenario(
        "cut-and-no-prefill",
        [CUT],
        "pb",
        ("cut", "ok"),
        backup=[{"when": {"last_role": "assistant"}, "error": "prefill"}],
        broken="cut",
    ),
    Scenario("accounting", [{"error": "overloaded"}], "ppb", (BUSY, BUSY, "ok")),
)
"""Fifteen single requests; the sixteenth, the outage, is a sequence of them (see `wall.Wall.outage`)."""

OUTAGE = Scenario("outage", [{"when": {"to_s": OUTAGE_S}, "error": "overloaded"}], "", ())

LATE = Scenario(
    "held-for-long",
    [{"silent": True}],
    "pb",
    ("first_token_timeout", "ok"),
    timeouts="{ first_token_s = 11 }",
)
LOST = Scenario(
    "held-for-nothing",
    [{"silent": True}],
    "pbb",
    ("first_token_timeout", BUSY, BUSY),
    backup=[{"error": "overloaded"}],
    timeouts="{ first_token_s = 11 }",
)
HELD_LONG = (LATE, LOST)
"""Routes with commit "whole" on which the answer comes, or fails, after its headers had to go out."""

PREFILLED = [{"role": "user", "content": "Count."}, {"role": "assistant", "content": "word1"}]


def _choice(index: int, text: str, finish: str | None = None) -> str:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return f"data: {json.dumps({'id': 'c', 'model': 'm', 'choices': [choice]})}\n\n"


ONE_OF_TWO = _choice(0, "word1") + _choice(0, "", "stop") + _choice(1, "word1")

RELATIVES = (
    Scenario(
        "retry-after-for-ever",
        [{"error": "rate_limit", "headers": {"retry-after": "1"}}],
        "ppb",
        (LIMITED, LIMITED, "ok"),
    ),
    Scenario(
        "long-retry-after", [{"error": "overloaded", "headers": {"retry-after": "60"}}], "pb", (BUSY, "ok")
    ),
    Scenario(
        "error-text-never-comes",
        [{"error": "overloaded", "split_every": 150, "piece_gap_ms": 60_000}],
        "ppb",
        (BUSY, BUSY, "ok"),
    ),
    Scenario(
        "error-text-cut", [{"error": "overloaded", "content_length_off": 50}], "ppb", (BUSY, BUSY, "ok")
    ),
    Scenario(
        "reset-after-40",
        [{**CUT, "rst": True}],
        "pb",
        ("cut", "ok"),
        broken="cut",
    ),
    Scenario("cut-before-the-first-token", [{"cut_after": 0}], "pb", ("cut", "ok")),
    Scenario(
        "invalid-before-the-first-token", [{"malformed_frame": 2, "gap_ms": 4}], "pb", ("malformed", "ok")
    ),
    Scenario(
        "error-in-the-stream",
        [{"error_frame_after": 20, "gap_ms": 4}],
        "pb",
        ("provider_error", "ok"),
        broken="provider_error",
    ),
    Scenario(
        "neither-finish-nor-done",
        [{"body": _choice(0, "word1"), "headers": {"content-type": "text/event-stream"}}],
        "pb",
        ("cut", "ok"),
        broken="cut",
    ),
    Scenario(
        "one-of-two-choices",
        [{"body": ONE_OF_TWO, "headers": {"content-type": "text/event-stream"}, "content_length_off": 9}],
        "pb",
        ("cut", "ok"),
        fields={"n": 2},
        broken="cut",
    ),
)
"""What the sixteen do not say, but a careful reader of theirs would ask next."""

CLOSED = Scenario("closed-for-ever", [{"close": True}], "ppb", ("reset", "reset", "ok"))
"""Asked three times where the first was on a kept connection."""

NOBODY = (
    Scenario("nobody", [{"error": "overloaded"}], "ppbb", (BUSY,) * 4, backup=[{"error": "overloaded"}]),
    Scenario(
        "own-prefill",
        [{"error": "overloaded"}],
        "ppb",
        (BUSY, BUSY, "prefill_unsupported"),
        backup=[{"when": {"last_role": "assistant"}, "error": "prefill"}],
        fields={"messages": PREFILLED},
    ),
)
"""Both fail, and the caller is told that there is too much to do."""
