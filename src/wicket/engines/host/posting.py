"""Commands in the engine on a request's behalf, and what every answer needs around them."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from wicket.engines import contract
from wicket.engines.host import answer
from wicket.engines.host.model import Model
from wicket.engines.host.process import Mailbox
from wicket.errors import CallerFault, EngineFault, Fault

_CALLERS = ("unsupported", "context_length_exceeded", "invalid_schema")
Work = contract.Generate | contract.Score | contract.Embed | contract.Classify


def refusal(event: contract.Refused, schema_param: str = "response_format") -> Fault:
    """An engine's refusal as a fault: the caller's, or the engine's."""
    if event.code in _CALLERS:
        param = schema_param if event.code == "invalid_schema" else None
        return CallerFault(event.code, event.message, param=param)
    return EngineFault(event.code, event.message)


def stamp(model: Model, prefix: str) -> answer.Stamp:
    """A new answer's identity."""
    return answer.Stamp(f"{prefix}{secrets.token_hex(12)}", int(time.time()), model.id, model.fingerprint)


def dropped(names: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """The header that reports fields which have no effect here."""
    return [(b"x-wicket-dropped", ", ".join(names).encode())] if names else []


@asynccontextmanager
async def posted(
    model: Model, commands: Sequence[Work], wait_s: float | None = None
) -> AsyncIterator[Mailbox]:
    """Commands in the engine, after those that came before; whatever still runs at the end is cancelled.

    An engine that loads is waited for, for `wait_s` or as long as the settings say.
    """
    async with model.gate.places(len(commands)):
        await model.core.ready(model.settings.load_wait_s if wait_s is None else wait_s)
        mailbox = model.core.submit(commands)
        try:
            yield mailbox
        finally:
            model.core.release(mailbox)


def another_verb() -> EngineFault:
    """An engine that answered something else than it was asked."""
    return EngineFault("internal", "The engine answered with an event of another verb.")
