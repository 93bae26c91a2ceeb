"""Tenants from the command line: the same commands on the data folder and through a running server."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.path.test_cli import WICKET, Place, wait_for

CONFIG = """
[server]
port = 0
[providers.mine]
base_url = "http://127.0.0.1:9/v1"
auth = "none"
"""


@pytest.fixture(scope="module", params=["disk", "server"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp(request.param))
    if request.param == "disk":
        yield place
        return
    config = place.folder / "served.toml"
    config.write_text(
        '[server]\nport = 0\n[providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\nauth = "none"\n'
    )
    with (place.folder / "log").open("wb") as log:
        command = [*WICKET, "serve", "--config", str(config)]
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=place.folder, env=place.environ)
        try:
            wait_for(place.folder / "home" / "server.json", server)
            yield place
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
    said = (place.folder / "log").read_text()
    assert "Traceback" not in said and "Sign up:" in said


def by(rows: list[dict[str, Any]], field: str) -> dict[str, dict[str, Any]]:
    return {row[field]: row for row in rows}


def test_a_company_is_set_up_and_changed(place: Place) -> None:
    own = place.json("organisations", "create", "--name", "Own & <Co>")
    team = place.json("teams", "create", "--name", "red", "--organisation", own["id"])
    assert team["organisation"] == own["id"]
    assert "Own & <Co>" in place.run("teams", "list")
    ada = place.json(
        "users", "create", "--email", "ada@example.com", "--role", "owner", "--organisation", own["id"]
    )
    assert len(ada["password"]) >= 20
    reset = place.json("users", "reset-password", "ada@example.com")
    assert reset["password"] != ada["password"] and reset["id"] == ada["id"]
    bob = place.json("users", "create", "--email", "bob@example.com", "--team", team["id"])
    assert place.json("teams", "members", team["id"])[0]["user"] == bob["id"]
    assert place.json("teams", "add", team["id"], bob["id"], "--role", "viewer")["role"] == "viewer"
    place.run("teams", "remove", team["id"], bob["id"])
    assert place.run("teams", "members", team["id"]) == "Nobody is a member of this team itself.\n"
    place.run("users", "delete", ada["id"], code=1)
    assert "last owner" in place.said
    listed = by(place.json("users", "list"), "email")
    assert listed["ada@example.com"]["memberships"][0]["role"] == "owner"
    assert "password" not in listed["ada@example.com"]
    invited = place.json("invitations", "create", "--team", team["id"], "--expires-in", "12h")
    assert invited["code"] in invited["link"]
    assert place.json("invitations", "revoke", invited["id"])["revoked_at"]
    assert place.json("teams", "suspend", team["id"])["status"] == "suspended"
    place.run("keys", "create", "--name", "x", "--team", team["id"], code=1)
    assert "suspended" in place.said
    assert place.json("teams", "resume", team["id"])["status"] == "active"


def test_a_key_is_bound_changed_and_rotated(place: Place) -> None:
    words = ["--networks", "10.0.0.0/8,2001:db8::/32", "--routes", "/v1/embeddings", "--expires-in", "1d"]
    made = place.json("keys", "create", "--name", "robot", *words)
    assert made["networks"] == ["10.0.0.0/8", "2001:db8::/32"] and made["routes"] == ["embeddings"]
    changed = place.json("keys", "update", made["id"], "--networks", "", "--expires-in", "never", "--suspend")
    assert changed["networks"] == [] and not changed["expires_at"] and changed["suspended_at"]
    assert not place.json("keys", "update", made["id"], "--resume", "--name", "r2")["suspended_at"]
    rotated = place.json("keys", "rotate", made["id"], "--overlap", "1h")
    assert rotated["key"] != made["key"] and rotated["id"] == made["id"] and rotated["previous_ends_at"]
    assert by(place.json("keys", "list"), "id")[made["id"]]["name"] == "r2"
    place.run("keys", "create", "--name", "x", "--networks", "10.0.0.0/99", code=1)
    assert "networks" in place.said


def test_all_of_it_is_in_the_audit_log(place: Place) -> None:
    made = place.json("keys", "create", "--name", "audited")
    place.run("keys", "revoke", made["id"])
    rows = place.json("audit", "--target", made["id"])
    assert [row["verb"] for row in rows] == ["keys.revoke", "keys.create"]
    assert {row["actor_kind"] for row in rows} == {"command"}
    assert "keys.revoke" in place.run("audit", "--since", "1h")
    assert made["key"] not in str(place.json("audit", "--limit", "1000"))
