from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.server.house import ADMIN_KEY, Browser, StoreHouse, record, serving
from wicket.accounts.request_ids import format_id
from wicket.supervisor.messages import EngineState


@pytest.fixture
def house(tmp_path: Path) -> StoreHouse:
    return StoreHouse(tmp_path)


@pytest.fixture
def browser(house: StoreHouse) -> Iterator[Browser]:
    with serving(house) as address:
        yield Browser(address)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """For tests that change nothing: one server for all of them."""
    with serving(StoreHouse(tmp_path_factory.mktemp("shared"))) as address:
        yield Browser(address)


def make_key(browser: Browser, **fields: object) -> dict[str, str]:
    status, _, made = browser.ask("POST", "/admin/v1/keys", {"name": "alice", **fields})
    assert status == 201
    return dict(made)


def test_the_process_lives_without_a_key(shared: Browser) -> None:
    status, headers, body = shared.ask("GET", "/healthz", key="")
    assert (status, body) == (200, {"status": "ok"})
    assert headers["x-request-id"].startswith("req_")


def test_head_answers_as_get_without_a_body(shared: Browser) -> None:
    status, headers, body = shared.ask("HEAD", "/healthz", key="")
    assert (status, body) == (200, "")
    assert headers["content-length"] == "15"


def test_a_loading_engine_makes_it_unready(house: StoreHouse, browser: Browser) -> None:
    assert browser.ask("GET", "/readyz", key="")[0] == 200
    house.engines["compact"] = EngineState("compact", "loading")
    status, headers, body = browser.ask("GET", "/readyz", key="")
    assert status == 503
    assert body["reasons"] == ["engine compact is loading"]
    assert body["error"]["code"] == "not_ready"
    assert headers["retry-after"] == "1"


def test_a_failed_engine_does_not_while_something_else_can_answer(
    house: StoreHouse, browser: Browser
) -> None:
    house.engines["compact"] = EngineState("compact", "failed", "no such file")
    status, _, body = browser.ask("GET", "/readyz", key="")
    assert (status, body["engines"]) == (200, {"compact": "failed"})


def test_a_failed_engine_alone_makes_it_unready(tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    house = StoreHouse(folder, '[engines.compact]\nmodel = "smollm2-135m-instruct"\n')
    house.engines["compact"] = EngineState("compact", "failed", "no such file")
    with serving(house) as address:
        status, _, body = Browser(address).ask("GET", "/readyz", key="")
    assert (status, body["reasons"]) == (503, ["engine compact failed: no such file"])


def test_draining_is_unready(house: StoreHouse, browser: Browser) -> None:
    house.is_ready = False
    assert browser.ask("GET", "/readyz", key="")[0] == 503


def test_metrics_need_the_admin_key_unless_they_are_public(house: StoreHouse, browser: Browser) -> None:
    assert browser.ask("GET", "/metrics", key="")[0] == 401
    assert browser.ask("GET", "/metrics", key=make_key(browser)["key"])[0] == 403
    status, headers, text = browser.ask("GET", "/metrics")
    assert (status, text) == (200, "wicket_requests_total 0\n")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    house.is_metrics_public = True
    assert browser.ask("GET", "/metrics", key="")[0] == 200


def test_the_models_are_listed_with_the_local_one_first(shared: Browser) -> None:
    for path in ("/v1/models", "/openai/v1/models"):
        status, _, body = shared.ask("GET", path)
        assert status == 200
        assert [model["id"] for model in body["data"]][:4] == [
            "mini",
            "auto",
            "compact/smollm2-135m-instruct",
            "best",
        ]
        assert body["data"][0]["is_default"] is True
        assert body["data"][0]["engine"]["state"] == "ready"
        assert {"id", "object", "created", "owned_by"} <= body["data"][0].keys()


def test_other_families_clients_list_the_models_in_their_form(browser: Browser) -> None:
    key = make_key(browser, models=["best"])["key"]
    _, _, page = browser.ask("GET", "/v1/models", key="", x_api_key=key, anthropic_version="2023-06-01")
    assert [model["id"] for model in page["data"]] == ["best"] and page["has_more"] is False
    _, _, one = browser.ask("GET", "/v1/models/best", key=key, anthropic_version="2023-06-01")
    assert one["type"] == "model"
    for sent in ({"path": "/v1beta/models", "x_goog_api_key": key}, {"path": f"/v1beta/models?key={key}"}):
        status, _, page = browser.ask("GET", key="", **sent)
        assert status == 200 and [model["name"] for model in page["models"]] == ["models/best"]
    status, _, listed = browser.ask("GET", "/v1/models", key="", x_goog_api_key=key)
    assert status == 200 and listed["models"]
    assert browser.ask("GET", "/v1/models/best", key="", x_goog_api_key=key)[2]["displayName"] == "best"
    assert browser.ask("GET", "/v1beta/models/best", key=key)[2]["displayName"] == "best"
    assert browser.ask("GET", "/v1beta/models/mini", key=key)[0] == 403
    assert browser.ask("GET", "/v1/models?key=" + key, key="")[0] == 401


def test_a_model_has_a_card_with_its_prices(shared: Browser) -> None:
    status, _, card = shared.ask("GET", "/v1/models/mine/big")
    assert status == 200
    assert card["deployments"] == ["mine/big"]
    assert card["prices"]["input"] == 0.5
    assert card["prices"]["output"] == 1.5


def test_an_unknown_model_is_answered_with_near_names(shared: Browser) -> None:
    status, _, body = shared.ask("GET", "/v1/models/bestt")
    assert status == 404
    assert "best" in body["error"]["message"]


def test_a_key_sees_only_its_models(browser: Browser) -> None:
    key = make_key(browser, models=["best"])["key"]
    _, _, body = browser.ask("GET", "/v1/models", key=key)
    assert [model["id"] for model in body["data"]] == ["best"]
    assert browser.ask("GET", "/v1/models/best", key=key)[0] == 200
    assert browser.ask("GET", "/v1/models/mini", key=key)[0] == 403


def test_a_request_is_shown_to_its_own_key_and_the_operator_only(house: StoreHouse, browser: Browser) -> None:
    mine, other = make_key(browser), make_key(browser)
    kept = record(key_id=house.store.list_keys()[0].id)
    house.keep(kept)
    path = f"/v1/requests/{format_id(kept.id)}"
    status, _, body = browser.ask("GET", path, key=mine["key"])
    assert status == 200
    assert (body["cost_usd"], body["deployment"], body["first_token_ms"]) == (0.0000125, "mine/big", 2.0)
    assert body["attempts"][0]["reason"] == "ok"
    assert browser.ask("GET", path)[0] == 200
    assert browser.ask("GET", path, key=other["key"])[0] == 404
    assert browser.ask("GET", "/v1/requests/req_nonsense")[0] == 400


def test_a_key_is_made_used_listed_and_revoked(browser: Browser) -> None:
    made = make_key(browser, team="red", models=["best"], expires_in_s=60)
    assert made["key"].startswith("wk-")
    assert browser.ask("GET", "/v1/models", key=made["key"])[0] == 200
    assert browser.ask("GET", "/v1/models", key="", x_api_key=made["key"])[0] == 200
    assert browser.ask("GET", "/v1/models", key="", api_key=made["key"])[0] == 200
    _, _, listed = browser.ask("GET", "/admin/v1/keys")
    assert [key["id"] for key in listed["data"]] == [made["id"]]
    assert made["key"] not in json.dumps(listed)
    status, _, gone = browser.ask("DELETE", f"/admin/v1/keys/{made['id']}")
    assert status == 200
    assert gone["revoked_at"]
    assert browser.ask("GET", "/v1/models", key=made["key"])[0] == 401
    assert browser.ask("DELETE", "/admin/v1/keys/key_none")[0] == 404


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"\xff", 400, None),
        (b"[" * 50_000, 400, None),
        (b'{"name": "' + b"x" * 70_000 + b'"}', 413, None),
        ({}, 400, "name"),
        ({"name": ""}, 400, "name"),
        ({"name": 3}, 400, "name"),
        ({"name": "a\u0000b"}, 400, "name"),
        ({"name": "a", "models": "b"}, 400, "models"),
        ({"name": "a", "models": [1]}, 400, "models"),
        ({"name": "a", "colour": 1}, 400, "colour"),
        ({"name": "a", "expires_in_s": -1}, 400, "expires_in_s"),
        ({"name": "a", "expires_at": "soon"}, 400, "expires_at"),
        ({"name": "a", "expires_at": "2001-01-01"}, 409, "expires_at"),
    ],
)
def test_a_bad_body_is_refused_naming_the_field(
    shared: Browser, body: object, status: int, param: str | None
) -> None:
    got, _, answer = shared.ask("POST", "/admin/v1/keys", body)
    assert (got, answer["error"]["param"]) == (status, param)
    assert answer["error"]["message"]


def test_only_the_admin_key_administers(browser: Browser) -> None:
    key = make_key(browser)["key"]
    for path in ("keys", "usage", "logs", "status", "config"):
        assert browser.ask("GET", f"/admin/v1/{path}", key="")[0] == 401
        status, _, body = browser.ask("GET", f"/admin/v1/{path}", key=key)
        assert (status, body["error"]["code"]) == (403, "admin_key_required")


def test_usage_has_the_contract_s_form(house: StoreHouse, browser: Browser) -> None:
    house.keep(record(1))
    house.keep(record(2, model="mini", deployment="compact/smollm2-135m-instruct", cost_nanos=0))
    status, _, report = browser.ask("GET", "/admin/v1/usage?by=model&since=1h")
    assert status == 200
    assert report["requests"] == 2
    assert (report["input_tokens"], report["output_tokens"]) == (20, 10)
    assert (report["cost_usd"], report["charge_usd"]) == (0.0000125, 0.000025)
    assert [row["model"] for row in report["rows"]] == ["best", "mini"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("usage?by=colour", "by"),
        ("usage?since=yesterday", "since"),
        ("logs?limit=0", "limit"),
        ("logs?limit=1e9", "limit"),
        ("logs?follow=maybe", "follow"),
        ("logs?since=", "since"),
        ("logs?limit=", "limit"),
        ("usage?by=", "by"),
        ("logs?colour=red", "colour"),
        ("logs?until=99999999999999999999", "until"),
    ],
)
def test_a_bad_parameter_is_named(shared: Browser, query: str, param: str) -> None:
    status, _, body = shared.ask("GET", f"/admin/v1/{query}")
    assert (status, body["error"]["param"]) == (400, param)


def test_logs_are_filtered_newest_first(house: StoreHouse, browser: Browser) -> None:
    house.keep(record(1))
    house.keep(record(2, outcome="client_gone", status=499))
    house.keep(record(3, model="mini"))
    _, _, everything = browser.ask("GET", "/admin/v1/logs")
    assert [entry["model"] for entry in everything["data"]] == ["mini", "best", "best"]
    _, _, failed = browser.ask("GET", "/admin/v1/logs?outcome=failed&since=1h&key=admin")
    assert [entry["outcome"] for entry in failed["data"]] == ["client_gone"]
    assert len(browser.ask("GET", "/admin/v1/logs?limit=2")[2]["data"]) == 2
    assert browser.ask("GET", "/admin/v1/logs?key=nobody")[0] == 404
    assert browser.ask("GET", "/admin/v1/logs?key=nobody&follow=1")[0] == 404


def test_logs_are_followed_as_events(house: StoreHouse, browser: Browser) -> None:
    house.keep(record(1, model="old"))
    connection = http.client.HTTPConnection(*browser.address, timeout=10)
    connection.request("GET", "/admin/v1/logs?follow=1", headers={"authorization": f"Bearer {ADMIN_KEY}"})
    response = connection.getresponse()
    assert response.getheader("content-type", "").startswith("text/event-stream")
    seen: list[str] = []
    while "old" not in seen:
        line = response.readline()
        if line.startswith(b"data: "):
            seen.append(json.loads(line[6:])["model"])
    threading.Thread(target=house.keep, args=(record(2, model="new"),)).start()
    while "new" not in seen:
        line = response.readline()
        if line.startswith(b"data: "):
            seen.append(json.loads(line[6:])["model"])
    response.close()
    connection.close()
    assert seen == ["old", "new"]


def test_the_other_routes_answer(browser: Browser, tmp_path: Path) -> None:
    assert browser.ask("GET", "/admin/v1/status")[2]["version"] == 1
    assert browser.ask("GET", "/admin/v1/config")[2] == {"source": "wicket.toml"}
    assert browser.ask("POST", "/admin/v1/config/reload")[2]["changed"] is False
    assert browser.ask("POST", "/admin/v1/restart")[0] == 202
    status, _, made = browser.ask("POST", "/admin/v1/backup", {"path": str(tmp_path / "copy.db")})
    assert status == 200
    assert made["bytes"] == (tmp_path / "copy.db").stat().st_size
    assert browser.ask("POST", "/admin/v1/backup", {"path": "copy.db"})[0] == 400


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("/openai/v1/chat/completion", "/v1/chat/completions"),
        ("/v1/keys", "/admin/v1/keys"),
        ("/nothing/like/it", "/v1/models"),
    ],
)
def test_an_unknown_path_is_told_what_exists(shared: Browser, path: str, near: str) -> None:
    status, _, body = shared.ask("POST", path, key="")
    assert (status, body["error"]["code"]) == (404, "unknown_path")
    assert near in body["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/healthz", "GET, HEAD"),
        ("PUT", "/admin/v1/keys", "GET, HEAD, POST"),
        ("GET", "/v1/chat/completions", "POST"),
        ("PATCH", "/openai/v1/embeddings", "POST"),
        ("OPTIONS", "/v1/models", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(shared: Browser, method: str, path: str, allowed: str) -> None:
    status, headers, body = shared.ask(method, path)
    assert (status, headers["allow"]) == (405, allowed)
    assert body["error"]["code"] == "method_not_allowed"


def test_a_defect_inside_leaks_nothing_and_names_the_request(
    house: StoreHouse, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    house.failure = RuntimeError("the secret is 1234")
    status, headers, body = browser.ask("GET", "/admin/v1/status")
    assert status == 500
    assert "1234" not in json.dumps(body)
    assert headers["x-request-id"] in body["error"]["message"]
    assert headers["x-request-id"] in caplog.text


def test_there_is_no_cors_until_it_is_configured(house: StoreHouse, browser: Browser) -> None:
    origin = "https://page.example"
    _, headers, _ = browser.ask("GET", "/healthz", origin=origin)
    assert not [name for name in headers if name.startswith("access-control")]
    house.cors_origins = (origin,)
    _, headers, _ = browser.ask("GET", "/healthz", origin=origin)
    assert headers["access-control-allow-origin"] == origin
    status, headers, _ = browser.ask(
        "OPTIONS", "/v1/chat/completions", key="", origin=origin, access_control_request_method="POST"
    )
    assert (status, headers["access-control-allow-origin"]) == (200, origin)
    _, headers, _ = browser.ask("GET", "/healthz", origin="https://other.example")
    assert "access-control-allow-origin" not in headers
