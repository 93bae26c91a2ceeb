"""The cold routes' app, read and built when it is first wanted: the first answers do without it.

Reading it takes as long as a third of a worker's start. Where nobody asks for it, it is read beside the first
requests, in a thread, so that nobody waits for it later.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from wicket.server.app_house import House

UNASKED_S = 1.0  # after the start


class LateApp:
    """An ASGI app that becomes `build_app(house, doors)` with its first request."""

    def __init__(self, house: House, doors: Sequence[str]) -> None:
        self._house = house
        self._doors = doors
        self._lock = threading.Lock()
        self._app: ASGIApp | None = None

    @property
    def is_there(self) -> bool:
        """Whether it has been built."""
        return self._app is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await (self._app or self._build())(scope, receive, send)

    def start(self) -> None:
        """Build it in a while if nobody asks before; call it on the loop."""
        asyncio.get_running_loop().call_later(UNASKED_S, self._build_aside)

    def _build_aside(self) -> None:
        if self._app is None:
            asyncio.get_running_loop().run_in_executor(None, self._build)

    def _build(self) -> ASGIApp:
        with self._lock:  # who asks while it is being built waits for that
            if self._app is None:
                from wicket.server.app import build_app

                self._app = build_app(self._house, self._doors)
            return self._app
