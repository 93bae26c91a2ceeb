"""Tenants on the inference path: several workers, keep-alive connections, heads that are remembered."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.path.conftest import Open
from tests.path.house import HELLO, MINE, SECRET, Answer, Gateway, Provider, read
from tests.path.served import eventually

CONFIG = """
[server]
port = 0
workers = 3
trusted_proxies = ["127.0.0.1/32"]
"""
ASK = json.dumps({"model": "mine/plain", "messages": HELLO}).encode()


@pytest.fixture(scope="module")
def town(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    one_provider.script()
    config = (CONFIG + MINE).format(url=one_provider.upstream.base_url, secret=SECRET)
    served = Gateway(tmp_path_factory.mktemp("town"), config)
    try:
        yield served.wait_ready()
        said = served.heard()
        assert "Traceback" not in said and "correct horse" not in said
    finally:
        served.close()


def make(town: Gateway, kind: str, **body: Any) -> dict[str, Any]:
    return dict(town.admin("POST", f"/admin/v1/{kind}", body))


class Line:
    """One connection that is kept, as SDKs keep theirs."""

    def __init__(self, town: Gateway, key: str) -> None:
        self._connection = http.client.HTTPConnection(*town.address, timeout=30)
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def ask(self, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("POST", "/v1/chat/completions", ASK, {**self._headers, **named})
        return read(self._connection)

    def close(self) -> None:
        self._connection.close()


def statuses(town: Gateway, key: str, number: int = 24) -> set[int]:
    """What fresh connections are answered with: enough of them for each worker to have its turn."""
    return {town.chat(key=key).status for _ in range(number)}


def test_a_suspended_teams_keys_are_refused_at_every_worker_and_on_kept_connections(town: Gateway) -> None:
    team = make(town, "teams", name="red")
    key = make(town, "keys", name="one", team="red")["key"]
    lines = [Line(town, key) for _ in range(6)]
    try:
        eventually(lambda: statuses(town, key) == {200})
        assert [line.ask().status for line in lines] == [200] * 6
        town.admin("PATCH", f"/admin/v1/teams/{team['id']}", {"status": "suspended"})
        eventually(lambda: statuses(town, key) == {403})
        for line in lines:
            answer = line.ask()
            assert answer.status == 403 and answer.error["code"] == "suspended"
            assert "ask the owner or an admin" in answer.error["message"]
        town.admin("PATCH", f"/admin/v1/teams/{team['id']}", {"status": "active"})
        eventually(lambda: statuses(town, key) == {200})
    finally:
        for line in lines:
            line.close()


def test_a_rotated_key_has_two_texts_for_a_while(town: Gateway) -> None:
    made = make(town, "keys", name="two")
    eventually(lambda: statuses(town, made["key"]) == {200})
    fresh = town.admin("POST", f"/admin/v1/keys/{made['id']}/rotate", {"overlap_s": 3600})["key"]
    eventually(lambda: statuses(town, fresh) == {200})
    assert statuses(town, made["key"]) == {200}
    assert town.record(town.chat(key=made["key"]).headers["x-request-id"])["outcome"] == "ok"
    newest = town.admin("POST", f"/admin/v1/keys/{made['id']}/rotate")["key"]
    eventually(lambda: statuses(town, made["key"]) == {401} and statuses(town, fresh) == {401})
    assert statuses(town, newest) == {200}


def test_a_keys_networks_hold_on_a_kept_connection_too(town: Gateway) -> None:
    key = make(town, "keys", name="three", networks=["192.0.2.0/24", "2001:db8::/32"])["key"]
    line = Line(town, key)
    try:
        for forwarded, status in [
            ("192.0.2.7", 200),
            ("192.0.2.7", 200),  # this head is remembered by now
            ("192.0.3.7", 403),
            ("192.0.2.7, 192.0.3.7", 403),
            ("192.0.2.8", 200),
            ("2001:db8::7", 200),
            ("nonsense", 403),
        ]:
            answer = line.ask(x_forwarded_for=forwarded)
            assert answer.status == status, forwarded
        answer = line.ask()
        assert answer.status == 403 and answer.error["code"] == "network_not_allowed"
    finally:
        line.close()


def test_a_key_is_bound_to_its_routes_in_its_own_dialect(town: Gateway) -> None:
    key = make(town, "keys", name="four", routes=["/v1/embeddings"])["key"]
    eventually(lambda: town.chat(key=key).status == 403)
    assert town.chat(key=key).error["code"] == "route_not_allowed"
    message = {"model": "mine/plain", "max_tokens": 5, "messages": HELLO}
    answer = town.post("/v1/messages", message, key)
    assert answer.status == 403 and answer.json["type"] == "error"
    assert town.post("/v1/embeddings", {"model": "mine/plain", "input": "x"}, key).status != 403


def test_from_sign_up_to_an_answer_and_out_again(town: Gateway) -> None:
    home = f"{town.address[0]}:{town.address[1]}"
    page = {"origin": f"http://{home}", "sec_fetch_site": "same-origin"}
    body = {"email": "ada@example.com", "password": "correct horse", "organisation": "Engines"}
    answer = town.post("/auth/v1/sign-up", body, None, **page)
    assert answer.status == 201, answer.body
    cookie = answer.headers["set-cookie"].partition(";")[0]
    page |= {"cookie": cookie, "x_wicket_csrf": answer.json["csrf"]}
    made = town.request("POST", "/auth/v1/playground-key", None, None, **page)
    assert made.status == 201
    key = made.json["key"]
    eventually(lambda: statuses(town, key) == {200})
    record = town.chat(key=key).headers["x-request-id"]
    assert town.record(record)["outcome"] == "ok"
    assert town.request("GET", f"/v1/requests/{record}", key=None, cookie=cookie).status == 200
    assert town.request("GET", "/admin/v1/status", key=None, cookie=cookie).status == 200
    chat = town.post("/v1/chat/completions", {"model": "mine/plain", "messages": HELLO}, None, **page)
    assert chat.status == 401  # a cookie makes no calls
    assert town.request("POST", "/auth/v1/sign-out", None, None, **page).status == 200
    eventually(lambda: statuses(town, key) == {401})
    assert town.request("GET", "/admin/v1/keys", key=None, cookie=cookie).status == 401
    assert key not in town.heard() and cookie.partition("=")[2] not in town.heard()


def test_all_of_it_is_there_after_a_restart(open_gateway: Open, tmp_path: Path) -> None:
    first = open_gateway("[server]\nport = 0\n" + MINE)
    page = {"origin": first.url, "sec_fetch_site": "same-origin"}
    body = {"email": "ada@example.com", "password": "correct horse"}
    answer = first.post("/auth/v1/sign-up", body, None, **page)
    cookie = answer.headers["set-cookie"].partition(";")[0]
    team = make(first, "teams", name="red")
    key = make(first, "keys", name="one", team=team["id"])["key"]
    first.admin("PATCH", f"/admin/v1/teams/{team['id']}", {"status": "suspended"})
    first.close()
    again = Gateway(first.file.parent).wait_ready()
    try:
        assert again.chat(key=key).error["code"] == "suspended"
        assert again.request("GET", "/auth/v1/session", key=None, cookie=cookie).status == 200
        assert "Sign up" not in "\n".join(again.said)
    finally:
        again.close()
