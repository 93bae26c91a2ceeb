"""What tests of things that go on at a provider share: clients, keys, and what the two databases hold."""

import sqlite3
from contextlib import closing
from typing import Any

from openai import OpenAI

from tests.path.house import Gateway


def client_of(served: Gateway, key: str = "") -> OpenAI:
    return OpenAI(base_url=f"{served.url}/v1", api_key=key or served.key, max_retries=0)


def new_key(served: Gateway, team: str = "", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = served.admin("POST", "/admin/v1/keys", {"name": "k", "team": team, **more})
    return made


def rows(served: Gateway, database: str, query: str, *values: Any) -> list[Any]:
    if not (served.home / database).exists():
        return []
    with closing(sqlite3.connect(served.home / database)) as connection:
        return connection.execute(query, values).fetchall()


def record_of(served: Gateway, number: str) -> dict[str, Any]:
    found: dict[str, Any] = served.request("GET", f"/v1/requests/{number}").json
    return found


def record_id(number: str) -> int:
    """The id in the databases of a request's number."""
    return int(number.removeprefix("req_"), 16)


def num_records(served: Gateway, number: str) -> int:
    query = "SELECT count(*) FROM records WHERE id = ?"
    found: int = rows(served, "wicket.db", query, record_id(number))[0][0]
    return found
