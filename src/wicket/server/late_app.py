"""The cold routes' app, read and built when it is first wanted: the first answers do without it.

Reading it takes as long as a third of a worker's start. Where nobody asks for it, it is read beside the first
requests, in a thread, so that nobody waits for it later.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from wicket.config.check import known_dialects

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from wicket.server.app_house import House

UNASKED_S = 1.0  # after the start


class LateApp:
    """An ASGI app that becomes `build_app(house, doors())` with its first request."""

    def __init__(self, house: House, doors: Callable[[], Sequence[str]]) -> None:
        self._house = house
        self._doors = doors
        self._lock = threading.Lock()
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await (self._app or self._build(self._doors()))(scope, receive, send)

    async def read_ahead(self) -> None:
        """Build it in a while if nobody asks before."""
        await asyncio.sleep(UNASKED_S)
        if self._app is None:
            await asyncio.to_thread(_read_modules)
            await asyncio.to_thread(self._build, self._doors())  # the doors are the loop's

    def _build(self, doors: Sequence[str]) -> ASGIApp:
        with self._lock:  # who asks while it is being built waits for that
            if self._app is None:
                from wicket.server.app import build_app

                self._app = build_app(self._house, doors)
            return self._app


def _read_modules() -> None:
    import_module("wicket.server.app")
    known_dialects()
