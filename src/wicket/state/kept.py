"""The rows of what is kept here. Times are Unix ms; `tenant` is `state.tenant.tenant_of`'s."""

from __future__ import annotations

import msgspec


class KeptResponse(msgspec.Struct, frozen=True, array_like=True):
    """An answer: `items` is the JSON array of what was new in its input, `answer` the whole response object.

    `previous` is the id of the answer that it went on from, "" for none.
    """

    tenant: str
    id: str
    created_ms: int
    key_id: int
    model: str
    previous: str
    items: bytes
    answer: bytes


class KeptFile(msgspec.Struct, frozen=True, array_like=True):
    """A file: its content lies under `digest` (SHA-256, hex). `expires_ms` 0 is never."""

    tenant: str
    id: str
    created_ms: int
    expires_ms: int
    name: str
    purpose: str
    num_bytes: int
    digest: str


class KeptBatch(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A batch. `caller` is its key's id, in whose name the lines run; `moments` holds Unix s by event.

    `errors` is the JSON array of what validation found. The counts are of lines. Of one that a provider runs
    `model` is the model's name as its caller has it, `remote` the provider's own id; both are "" otherwise,
    and `remote` also while nobody knows it.
    """

    tenant: str
    id: str
    created_ms: int
    caller: int
    endpoint: str
    input_file: str
    status: str = "validating"
    metadata: dict[str, str] = {}
    moments: dict[str, int] = {}
    total: int = 0
    completed: int = 0
    failed: int = 0
    output_file: str = ""
    error_file: str = ""
    errors: bytes = b"[]"
    model: str = ""
    remote: str = ""


class KeptLine(msgspec.Struct, frozen=True, array_like=True):
    """What came of one line of a batch, or how often it was begun: `result` is its JSON, b"" for none yet."""

    number: int
    num_begun: int = 0
    is_good: bool = False
    result: bytes = b""


class KeptDue(msgspec.Struct, frozen=True, array_like=True):
    """What goes on at a provider, whose cost is not known yet: the request `record_id` began it.

    `id` is the sealed id that the caller has, `remote` the provider's own; `provider` and `credential` are
    its pin's. `record` is the request's record as it was and `price` its price row (b"" for none), both as
    msgpack; `markup_ppm` is what the caller pays beyond the cost.
    """

    tenant: str
    id: str
    record_id: int
    created_ms: int
    kind: str  # one of `DUES`
    provider: str
    credential: bytes
    remote: str
    record: bytes
    price: bytes
    markup_ppm: int


RESPONSE, BATCH = DUES = ("response", "batch")
