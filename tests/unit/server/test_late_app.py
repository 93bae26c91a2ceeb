"""The app of the cold routes is built once: for the first who asks, or beside the first requests."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from wicket.server import late_app
from wicket.server.late_app import LateApp


def made() -> tuple[LateApp, list[str]]:
    told: list[str] = []

    def doors() -> list[str]:
        told.append("doors")
        return ["/v1/chat/completions"]

    house: Any = SimpleNamespace(cors_origins=())
    return LateApp(house, doors), told


def ask(app: LateApp) -> dict[str, Any]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/chat/completions",
        "headers": [],
        "query_string": b"",
    }
    asyncio.run(app(scope, receive, send))
    return sent[0]


def test_the_first_request_builds_it() -> None:
    app, told = made()
    assert told == []
    assert ask(app)["status"] == ask(app)["status"] == 405
    assert told == ["doors"]


def test_where_nobody_asks_it_is_built_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_app, "UNASKED_S", 0)
    app, told = made()
    for _ in range(2):
        asyncio.run(app.read_ahead())
    assert told == ["doors"] and ask(app)["status"] == 405
    assert told == ["doors"]
