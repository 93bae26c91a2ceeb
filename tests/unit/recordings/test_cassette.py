"""The forms in which recorders write, and what can't be read of them."""

import base64
import csv
import gzip
import hashlib
import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from wicket.recordings import cassette
from wicket.recordings.cassette import Unreadable, read
from wicket.recordings.folder import Folder
from wicket.recordings.recording import Recording

CASSETTES = Path(__file__).parents[2] / "data" / "cassettes"


def one(response: dict[str, Any], **request: Any) -> Recording:
    known = {"method": "POST", "uri": "https://api.openai.com/v1/chat/completions", **request}
    response = {"status": {"code": 200, "message": "OK"}, "headers": {}, **response}
    data = json.dumps({"interactions": [{"request": known, "response": response}]}).encode()
    [found] = read("a.json", data)
    return found


def test_the_project_s_recordings_are_all_read() -> None:
    folder = Folder(CASSETTES)
    recordings = [recording for file in folder.files for recording in folder.read(file)]
    assert len(recordings) > len(folder.files) > 100
    assert {one.provider for one in recordings} >= {
        "openai", "anthropic", "gemini", "vertex_gemini", "bedrock", "cohere", "mistral", "groq", "deepseek",
        "ollama", "openrouter", "huggingface", "cerebras", "zai", "azure_openai",
    }  # fmt: skip
    assert sum(one.is_stream for one in recordings) > 30
    assert not any(one.response.body.startswith(b"\x1f\x8b") for one in recordings)


def test_the_project_s_recordings_are_those_of_their_index() -> None:
    with (CASSETTES / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == sorted(Folder(CASSETTES).files)
    for row in rows:
        assert hashlib.sha256((CASSETTES / row["file"]).read_bytes()).hexdigest() == row["sha256"]
        assert (CASSETTES / "LICENSES" / f"{row['source_repo'].replace('/', '+')}.LICENSE").exists()


def test_a_parsed_body_is_a_value_and_not_the_wire_s_bytes() -> None:
    found = one({"parsed_body": {"b": 1, "a": "ü"}})
    assert found.response.body == '{"b":1,"a":"ü"}'.encode() and not found.response.is_raw
    assert one({"body": {"string": "data: x\n\n"}}).response.is_raw


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ({"body": "text"}, b"text"),
        ({"body": {"string": "text"}}, b"text"),
        ({"body": {"base64_string": base64.b64encode(b"\x00\xff").decode()}}, b"\x00\xff"),
        ({"body_base64": base64.b64encode(b"\x00\xff").decode()}, b"\x00\xff"),
        ({"body_text": "data: x\n\n"}, b"data: x\n\n"),
        ({"body": {"messages": []}}, b'{"messages":[]}'),
        ({"body": None}, b""),
        ({}, b""),
    ],
)
def test_every_form_of_a_body(message: dict[str, Any], body: bytes) -> None:
    assert one(message).response.body == body


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_content_codings_are_taken_off_once(coding: str, pack: Any) -> None:
    packed = base64.b64encode(pack(b'{"a":1}')).decode()
    headers = {"Content-Encoding": [coding]}
    assert one({"body_base64": packed, "headers": headers}).response.body == b'{"a":1}'
    assert one({"body": '{"a":1}', "headers": headers}).response.body == b'{"a":1}'  # decoded by the recorder


def test_what_is_still_compressed_is_said() -> None:
    body = base64.b64encode(b"\x8b\x01\x80\xff\xfe").decode()
    with pytest.raises(Unreadable, match="still compressed with br"):
        one({"body_base64": body, "headers": {"content-encoding": "br"}})
    with pytest.raises(Unreadable, match="can't be decompressed"):
        one({"body_base64": base64.b64encode(b"\x1f\x8b\x08bad").decode()})


def test_a_bomb_is_not_blown_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cassette, "MAX_BODY_BYTES", 1_000)
    body = base64.b64encode(gzip.compress(b"0" * 100_000)).decode()
    with pytest.raises(Unreadable, match="larger than"):
        one({"body_base64": body})


def test_go_vcr_s_names_and_wicket_s_own_lines() -> None:
    interaction = {
        "request": {
            "method": "post",
            "url": "http://h/v1/x%3A0?b=2",
            "headers": {"A": "1"},
            "body": {"q": 1},
        },
        "response": {
            "status": "429 Too Many Requests",
            "code": 429,
            "headers": [["B", "2"]],
            "body": {"e": 1},
        },
        "provider": "mine",
    }
    line = json.dumps(interaction).encode()
    first, second = read("mine.jsonl", line + b"\n\n" + line + b"\n")
    assert (first.number, second.number, first.provider) == (0, 1, "mine")
    assert (first.method, first.path, first.query, first.status) == ("POST", "/v1/x:0", "b=2", 429)
    assert first.request.headers == (("a", "1"),) and first.response.headers == (("b", "2"),)
    assert first.request.body == b'{"q":1}' and first.response.body == b'{"e":1}'


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.yaml", b"websocket:\n- x\n", "no interactions"),
        ("a.yaml", b"a: [1\n", "not YAML"),
        ("a.yaml", b"!!python/object/apply:os.system ['true']", "not YAML"),
        ("a.json", b"{", "not JSON"),
        ("a.json", b'{"interactions":[{"request":{}}]}', "another form"),
        ("a.json", b'{"request":{"url":"http://h/"},"response":{"status":0}}', "another form"),
        ("a.json", b"[]", "no interactions"),
    ],
)
def test_what_can_t_be_read_says_why(name: str, data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        list(read(name, data))


def test_nobody_loads_yaml_who_does_not_read_it() -> None:
    code = "import sys, wicket.cli.main, wicket.recordings.cassette; print('yaml' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
