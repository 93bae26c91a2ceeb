"""A backup taken from a running server, and a second server started from it."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.path.house import HELLO, MINE, SECRET, Gateway, Provider
from tests.path.served import eventually

CONFIG = """
[server]
port = 0
workers = 1
[storage]
responses = "local"
files = "local"
batches = "local"
"""
EDGE = "XXboundaryXX"
LINE = {
    "custom_id": "one", "method": "POST", "url": "/v1/chat/completions",
    "body": {"model": "mine/plain", "messages": HELLO},
}  # fmt: skip


def put_file(gateway: Gateway, key: str, content: bytes) -> str:
    parts = (("purpose", "", b"batch"), ("file", '; filename="lines.jsonl"', content))
    body = b"".join(
        f'--{EDGE}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"
        for name, more, data in parts
    )
    kind = f"multipart/form-data; boundary={EDGE}"
    answer = gateway.request("POST", "/v1/files", body + f"--{EDGE}--\r\n".encode(), key, content_type=kind)
    assert answer.status == 200, answer.body
    return str(answer.json["id"])


def test_what_is_kept_is_restored_with_its_ledger(one_provider: Provider, tmp_path: Path) -> None:
    one_provider.script()
    config = (CONFIG + MINE).format(url=one_provider.upstream.base_url, secret=SECRET)
    content = json.dumps(LINE).encode() + b"\n"
    with_backup: dict[str, Any] = {}
    first = Gateway(tmp_path / "first", config)
    try:
        first.wait_ready()
        key = first.admin("POST", "/admin/v1/keys", {"name": "mine", "team": "red"})["key"]
        eventually(lambda: first.chat(key=key).status == 200)
        first.admin("POST", "/admin/v1/credits", {"team": "red", "usd": "5", "idempotency_key": "a"})
        answer = first.post("/v1/responses", {"model": "mine/plain", "input": "Remember me."}, key)
        assert answer.status == 200, answer.body
        file = put_file(first, key, content)
        batch = first.post("/v1/batches", {
            "input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h",
        }, key).json["id"]  # fmt: skip
        eventually(
            lambda: first.request("GET", f"/v1/batches/{batch}", None, key).json["status"] == "completed"
        )
        paths = {"path": str(tmp_path / "copy.db"), "kept_path": str(tmp_path / "kept")}
        with_backup = first.admin("POST", "/admin/v1/backup", paths)
        assert with_backup["has_kept"] and with_backup["kept"]["files"] >= 2  # what went in, what came out
        # nothing is overwritten, and nothing half-made is left
        assert first.request("POST", "/admin/v1/backup", json.dumps(paths).encode()).status >= 400
        other = {**paths, "path": str(tmp_path / "other.db")}
        assert first.request("POST", "/admin/v1/backup", json.dumps(other).encode()).status >= 400
        assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "first", "kept"]
        # the copy is one of its own: what is deleted here stays there
        assert first.request("DELETE", f"/v1/files/{file}", None, key).status == 200
    finally:
        first.close()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "kept").rglob("*") if path.is_file()}
    assert modes == {0o600} and stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700

    home = tmp_path / "second" / "home"
    shutil.copytree(tmp_path / "kept", home)
    shutil.copy(tmp_path / "copy.db", home / "wicket.db")
    second = Gateway(tmp_path / "second", config)
    try:
        second.wait_ready()
        assert second.request("GET", f"/v1/files/{file}/content", None, key).body == content
        kept = second.request("GET", f"/v1/responses/{answer.json['id']}", None, key)
        assert kept.json["output"] == answer.json["output"]
        goes_on = {"model": "mine/plain", "input": "And?", "previous_response_id": answer.json["id"]}
        assert second.post("/v1/responses", goes_on, key).status == 200
        assert "Remember me." in str(one_provider.last.body)
        done = second.request("GET", f"/v1/batches/{batch}", None, key).json
        assert done["status"] == "completed"
        result = second.request("GET", f"/v1/files/{done['output_file_id']}/content", None, key)
        assert json.loads(result.body)["custom_id"] == "one"
        assert second.admin("POST", "/admin/v1/ledger/verify")["is_right"]
        [credit] = second.admin("GET", "/admin/v1/credits?team=red")["data"]
        assert credit["balance_usd"].startswith("4.99") or credit["balance_usd"] == "5"
        stranger = second.admin("POST", "/admin/v1/keys", {"name": "other", "team": "blue"})["key"]
        eventually(lambda: second.request("GET", "/v1/key", None, stranger).status == 200)
        assert second.request("GET", f"/v1/files/{file}", None, stranger).status == 404
    finally:
        second.close()


@pytest.mark.parametrize("kept_path", ["", "/nowhere/at/all"])
def test_where_nothing_was_kept_nothing_is_copied(
    one_provider: Provider, tmp_path: Path, kept_path: str
) -> None:
    config = ("[server]\nport = 0\nworkers = 1\n" + MINE).format(
        url=one_provider.upstream.base_url, secret=SECRET
    )
    served = Gateway(tmp_path / "served", config)
    try:
        served.wait_ready()
        made = served.admin(
            "POST", "/admin/v1/backup", {"path": str(tmp_path / "copy.db"), "kept_path": kept_path}
        )
        assert made["kept"] is None and not made["has_kept"] and made["bytes"] > 0
    finally:
        served.close()
