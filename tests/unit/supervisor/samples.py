"""Records for tests of the supervisor."""

from typing import Any

import msgspec

from wicket.accounts.record import Record, Usage

_ONE = Record(
    id=1,
    started_ms=1,
    key_id=0,
    api="chat.completions",
    model="m",
    deployment="d/m",
    served_model="m",
    status=200,
    outcome="ok",
    is_stream=False,
    usage=Usage(3, 4),
    cost_nanos=5,
    charge_nanos=6,
    first_token_us=7,
    total_us=8,
    attempts=[],
)


def record(id: int, **changes: Any) -> Record:
    return msgspec.structs.replace(_ONE, id=id, **changes)
