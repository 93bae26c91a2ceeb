"""A real server before Vertex AI with Google's credentials: tokens are fetched, renewed beside the requests,
and their absence is told; token endpoint and provider are real HTTP servers on loopback."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.path.house import Gateway, eventually
from tests.path.test_providers import wicket

CONFIG = """
[server]
port = 0
workers = 1
[providers.vertex]
base_url = "{url}/v1/projects/p/locations/l/publishers/google"
auth = "google"
api_key = "file:credential.json"
[models.configured]
deployments = ["vertex/gemini-2.5-flash"]
"""
ANSWER = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi."}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
}
REFRESH = "1//a-refresh-token-that-is-never-shown"


class Google:
    """Token endpoint, metadata server and Vertex AI in one; remembers what it was asked."""

    def __init__(self) -> None:
        self.lifetime_s = 3_600
        self.refuses = False
        self.forms: list[dict[str, list[str]]] = []
        self.asked: list[dict[str, str]] = []
        self.flavours: list[str | None] = []
        google = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                google.flavours.append(self.headers["metadata-flavor"])
                self._say(200, {"access_token": "machine", "expires_in": 3_600})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/token":
                    google.forms.append(parse_qs(body.decode()))
                    number = len(google.forms)
                    if google.refuses:
                        self._say(400, {"error": "invalid_grant", "error_description": "Gone."})
                    else:
                        self._say(200, {"access_token": f"t{number}", "expires_in": google.lifetime_s})
                    return
                google.asked.append({name.lower(): value for name, value in self.headers.items()})
                self._say(200, ANSWER)

            def _say(self, status: int, value: Any) -> None:
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def user(self) -> dict[str, str]:
        return {
            "type": "authorized_user",
            "client_id": "c",
            "client_secret": "s",
            "refresh_token": REFRESH,
            "quota_project_id": "payer",
            "token_uri": f"{self.url}/token",
        }


@pytest.fixture
def google() -> Iterator[Google]:
    running = Google()
    yield running
    running.close()


def serve(folder: Path, google: Google, credential: dict[str, str], config: str = CONFIG) -> Gateway:
    folder.mkdir(exist_ok=True)
    (folder / "credential.json").write_text(json.dumps(credential))
    return Gateway(
        folder, config.format(url=google.url), GCE_METADATA_HOST=f"127.0.0.1:{google.port}"
    ).wait_ready()


def test_a_configured_models_token_is_there_before_the_first_request(tmp_path: Path, google: Google) -> None:
    house = serve(tmp_path, google, google.user())
    try:
        eventually(lambda: len(google.forms) == 1)
        for _ in range(3):
            assert house.chat("configured").json["choices"][0]["message"]["content"] == "Hi."
        assert len(google.forms) == 1 and google.forms[0]["refresh_token"] == [REFRESH]
        assert {asked["authorization"] for asked in google.asked} == {"Bearer t1"}
        assert {asked["x-goog-user-project"] for asked in google.asked} == {"payer"}
    finally:
        house.close()


def test_a_token_is_renewed_beside_the_requests(tmp_path: Path, google: Google) -> None:
    google.lifetime_s = 2  # so it is renewed each second
    house = serve(tmp_path, google, google.user())
    try:
        eventually(lambda: len(google.forms) >= 3)
        assert house.chat("configured").status == 200
        assert google.asked[-1]["authorization"] in [f"Bearer t{len(google.forms) - back}" for back in (0, 1)]
    finally:
        house.close()


def test_a_request_before_the_first_token_waits_for_it(tmp_path: Path, google: Google) -> None:
    config = CONFIG.partition("[models.configured]")[0]
    house = serve(tmp_path, google, google.user(), config)
    try:
        assert google.forms == []  # nobody has named a model of it yet
        assert house.chat("vertex/gemini-2.5-flash").status == 200
        assert google.asked[0]["authorization"] == "Bearer t1"
    finally:
        house.close()


def test_without_a_token_the_caller_is_told_and_the_operators_reason_is_logged(
    tmp_path: Path, google: Google
) -> None:
    google.refuses = True
    house = serve(tmp_path, google, google.user())
    try:
        answer = house.chat("configured")
        assert (answer.status, answer.error["code"]) == (502, "provider_auth_failed")
        assert "invalid_grant" not in answer.error["message"] and google.asked == []
        google.refuses = False
        eventually(lambda: house.chat("configured").status == 200)
        said = house.heard()
        assert "invalid_grant: Gone." in said and REFRESH not in said
    finally:
        house.close()


def test_the_machines_own_identity(tmp_path: Path, google: Google) -> None:
    config = CONFIG.replace('"file:credential.json"', '"metadata"')
    house = serve(tmp_path, google, {}, config)
    try:
        assert house.chat("configured").status == 200
        assert google.flavours == ["Google"] and google.asked[0]["authorization"] == "Bearer machine"
        assert "x-goog-user-project" not in google.asked[0]
    finally:
        house.close()


def test_a_service_account_signs(tmp_path: Path, google: Google) -> None:
    pytest.importorskip("cryptography", reason="the extra vertex is not installed")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "client_email": "r@p", "private_key": pem.decode()}
    house = serve(tmp_path, google, {**account, "token_uri": f"{google.url}/token"})
    try:
        assert house.chat("configured").status == 200
        assert google.forms[0]["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        assert google.forms[0]["assertion"][0].count(".") == 2
    finally:
        house.close()


def test_the_check_says_why_there_is_no_token(tmp_path: Path, google: Google) -> None:
    (tmp_path / "credential.json").write_text(json.dumps(google.user()))
    (tmp_path / "wicket.toml").write_text(CONFIG.format(url=google.url))
    ran = wicket(tmp_path, "providers", "check", "--json")
    assert ran.code == 0 and ran.document["providers"][0]["code"] == "reachable"
    google.refuses = True
    ran = wicket(tmp_path, "providers", "check", "--json")
    (found,) = ran.document["providers"]
    assert ran.code == 1 and found["code"] == "no_token"
    assert "invalid_grant: Gone." in found["message"] and "credential.json" in found["message"]
    assert REFRESH not in ran.out + ran.err
