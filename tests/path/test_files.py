"""Files with OpenAI's SDK and with clients that mean no good."""

import http.client
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.path.house import Answer, Gateway
from tests.path.served import eventually

CONFIG = """
[server]
port = 0
workers = 2
[storage]
files = "local"
max_file_bytes = 4194304
team_bytes = 6291456
[providers.mine]
base_url = "http://127.0.0.1:9/v1"
auth = "none"
"""
EDGE = "XXboundaryXX"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("files"), CONFIG)
    try:
        yield gateway.wait_ready()
    finally:
        gateway.close()


@pytest.fixture
def client(served: Gateway) -> Iterator[OpenAI]:
    key = served.admin("POST", "/admin/v1/keys", {"name": "files"})["key"]
    with OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0) as made:
        yield made


def form(*parts: tuple[str, str | None, bytes], end: bytes = b"--") -> bytes:
    out = b""
    for name, filename, content in parts:
        more = f'; filename="{filename}"' if filename is not None else ""
        head = f'--{EDGE}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
        out += head.encode() + content + b"\r\n"
    return out + b"--" + EDGE.encode() + end + b"\r\n"


def post(served: Gateway, body: bytes, **headers: str) -> Answer:
    kind = f"multipart/form-data; boundary={EDGE}"
    return served.request("POST", "/v1/files", body, **{"content_type": kind, **headers})


def on_disk(served: Gateway) -> list[Path]:
    return [path for path in (served.home / "files").rglob("*") if path.is_file()]


def test_a_file_comes_back_as_it_was(client: OpenAI, served: Gateway) -> None:
    content = os.urandom(3_000_000) + b"\r\n--" + b"almost a boundary"
    file = client.files.create(file=("a b.bin", content), purpose="user_data")
    assert (file.filename, file.bytes, file.purpose, file.status) == (
        "a b.bin", len(content), "user_data", "processed"
    )  # fmt: skip
    assert client.files.retrieve(file.id) == file
    raw = client.files.with_raw_response.content(file.id)
    assert raw.content == content and raw.headers["x-content-type-options"] == "nosniff"
    assert [one.id for one in client.files.list()] == [file.id]
    assert [one.id for one in client.files.list(purpose="batch")] == []
    deleted = client.files.delete(file.id)
    assert deleted.deleted and deleted.id == file.id
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError) as gone:
            call(file.id)
        assert gone.value.param == "file_id"
    assert on_disk(served) == []


def test_pages_and_their_order(client: OpenAI) -> None:
    ids = [client.files.create(file=(f"{n}.txt", b"x"), purpose="batch").id for n in range(5)]
    assert [one.id for one in client.files.list(limit=2)] == ids[::-1]  # the SDK follows the pages
    assert [one.id for one in client.files.list(order="asc", limit=3)] == ids
    assert client.files.list(after=ids[0]).data == []
    with pytest.raises(openai.BadRequestError) as wrong:
        client.files.list(limit=10_001)
    assert wrong.value.param == "limit"


def test_equal_contents_are_one_and_go_with_the_last(client: OpenAI, served: Gateway) -> None:
    before = len(on_disk(served))
    first, second = (client.files.create(file=("x", b"the same"), purpose="batch") for _ in range(2))
    assert len(on_disk(served)) == before + 1
    client.files.delete(first.id)
    assert client.files.content(second.id).read() == b"the same"
    client.files.delete(second.id)
    assert len(on_disk(served)) == before


def test_other_keys_see_nothing(client: OpenAI, served: Gateway) -> None:
    file = client.files.create(file=("x", b"mine"), purpose="batch")
    with OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as other:
        for call in (other.files.retrieve, other.files.content, other.files.delete):
            with pytest.raises(openai.NotFoundError):
                call(file.id)
        assert file.id not in [one.id for one in other.files.list()]
    assert client.files.content(file.id).read() == b"mine"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\x.txt", "x.txt"),
        ("/", "file"),
        ("..", "file"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("x" * 5_000, "x" * 255),
        ("naïve ☃.pdf", "naïve ☃.pdf"),
        ("CON", "CON"),
    ],
)
def test_a_name_is_only_shown(served: Gateway, name: str, shown: str) -> None:
    answer = post(served, form(("purpose", None, b"batch"), ("file", name, b"tricks")))
    assert answer.status == 200 and answer.json["filename"] == shown
    content = served.request("GET", f"/v1/files/{answer.json['id']}/content")
    assert content.body == b"tricks" and "\x00" not in content.headers["content-disposition"]
    assert all(len(path.name) == 64 for path in on_disk(served))
    served.request("DELETE", f"/v1/files/{answer.json['id']}")


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ([("purpose", None, b"batch")], "file"),
        ([("file", "x", b"x")], "purpose"),
        ([("file", "x", b"x"), ("purpose", None, b"world peace")], "purpose"),
        ([("file", "x", b"x"), ("file", "y", b"y")], "file"),
        ([("data", "x", b"x")], "file"),
        ([("file", "x", b"x"), ("colour", None, b"red")], "colour"),
        ([("file", "x", b"x"), ("purpose", None, b"batch"), ("expires_after[anchor]", None, b"created_at"),
          ("expires_after[seconds]", None, b"1")], "expires_after[seconds]"),
        ([("file", "x", b"x"), ("purpose", None, b"p" * 70_000)], None),
        ([("purpose", None, b"\xff")], None),
        ([(str(n), None, b"x") for n in range(40)], "0"),
    ],
)  # fmt: skip
def test_a_bad_form_leaves_nothing(served: Gateway, parts: Any, param: str | None) -> None:
    before = on_disk(served)
    answer = post(served, form(*parts))
    assert answer.status == 400 and answer.error["param"] == param, answer.body
    assert on_disk(served) == before


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data", 415),
        (b"", f"multipart/form-data; boundary={EDGE}", 400),
        (form(("file", "x", b"x"))[:-10], f"multipart/form-data; boundary={EDGE}", 400),
        (b"--other\r\n\r\n", f"multipart/form-data; boundary={EDGE}", 400),
        (form(("file", "x", b"x"), end=b"??"), f"multipart/form-data; boundary={EDGE}", 400),
        (f"--{EDGE}\r\n\r\nx\r\n--{EDGE}--".encode(), f"multipart/form-data; boundary={EDGE}", 400),
        (f"--{EDGE}\r\n".encode() + b"h: x\r\n" * 5_000, f"multipart/form-data; boundary={EDGE}", 400),
    ],
)
def test_what_is_no_form(served: Gateway, body: bytes, kind: str, status: int) -> None:
    before = on_disk(served)
    assert post(served, body, content_type=kind).status == status
    assert on_disk(served) == before


def test_a_file_that_is_too_large_is_refused_early_and_late(served: Gateway, client: OpenAI) -> None:
    before = on_disk(served)
    with pytest.raises(openai.APIStatusError) as early:  # its length is announced
        client.files.create(file=("x", bytes(5_000_000)), purpose="batch")
    assert early.value.status_code == 413 and early.value.code == "file_too_large"
    body = form(("purpose", None, b"batch"), ("file", "x", bytes(5_000_000)))
    connection = http.client.HTTPConnection(*served.address, timeout=30)
    sent = {
        "authorization": f"Bearer {served.key}", "content-type": f"multipart/form-data; boundary={EDGE}",
    }  # fmt: skip
    try:  # it is not
        connection.request("POST", "/v1/files", iter([body]), sent, encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # closed while we still sent
    finally:
        connection.close()
    assert on_disk(served) == before


def test_a_quota_is_a_teams(served: Gateway, client: OpenAI) -> None:
    first = client.files.create(file=("x", os.urandom(4_000_000)), purpose="batch")
    with pytest.raises(openai.APIStatusError) as full:
        client.files.create(file=("y", os.urandom(4_000_000)), purpose="batch")
    assert full.value.status_code == 413 and full.value.code == "quota_exceeded"
    client.files.delete(first.id)
    assert client.files.create(file=("y", os.urandom(4_000_000)), purpose="batch").bytes == 4_000_000


def test_an_upload_that_is_cut_leaves_nothing(served: Gateway) -> None:
    before = on_disk(served)
    body = form(("purpose", None, b"batch"), ("file", "x", bytes(3_000_000)))
    head = served.head(
        b"", f"content-length: {len(body)}", f"content-type: multipart/form-data; boundary={EDGE}",
        path="/v1/files",
    )  # fmt: skip
    with served.dial() as connection:
        connection.sendall(head + body[:2_500_000])
        eventually(lambda: len(on_disk(served)) == len(before) + 1)
        connection.shutdown(socket.SHUT_RDWR)
    eventually(lambda: on_disk(served) == before)


@pytest.mark.parametrize("id", ["x", "file-", "file-" + "0" * 24, "file-" + "z" * 300, "..%2f..%2fadmin.key"])
def test_a_forged_id_is_an_unknown_one(served: Gateway, id: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content")):
        answer = served.request(method, f"/v1/files/{id}{path}")
        assert answer.status == 404, answer.body


def test_a_deletion_while_it_is_read(served: Gateway, client: OpenAI) -> None:
    content = os.urandom(4_000_000)
    file = client.files.create(file=("x", content), purpose="batch")
    with client.files.with_streaming_response.content(file.id) as streamed:
        pieces = streamed.iter_bytes(1_000)
        got = [next(pieces)]
        client.files.delete(file.id)
        got += pieces
    assert b"".join(got) == content


def test_off_says_what_to_do(gateway: Gateway) -> None:
    for method, path in (("GET", "/v1/files"), ("POST", "/v1/files"), ("GET", "/v1/batches")):
        answer = gateway.request(method, path, b"" if method == "POST" else None)
        assert answer.status == 404 and "[storage]" in answer.error["message"]
    assert not (gateway.home / "files").exists() and not (gateway.home / "kept.db").exists()


def test_anthropics_callers_have_its_objects(served: Gateway) -> None:
    version = {"anthropic_version": "2023-06-01", "anthropic_beta": "files-api-2025-04-14"}
    made = post(served, form(("file", "a.pdf", b"%PDF")), **version)
    assert made.status == 200
    file = made.json
    assert (file["type"], file["mime_type"], file["size_bytes"]) == ("file", "application/pdf", 4)
    assert file["created_at"].endswith("Z") and file["filename"] == "a.pdf"
    path = f"/v1/files/{file['id']}"
    assert served.request("GET", path, **version).json == file
    page = served.request("GET", "/v1/files?limit=1&beta=true", **version).json
    assert page["data"] == [file] and page["last_id"] == file["id"]
    behind = served.request("GET", f"/v1/files?after_id={file['id']}", **version).json
    assert file["id"] not in [one["id"] for one in behind["data"]]
    assert served.request("GET", "/v1/files?before_id=x", **version).status == 400
    assert served.request("DELETE", path, **version).json == {"id": file["id"], "type": "file_deleted"}
    gone = served.request("GET", path, **version)
    assert (
        gone.status == 404
        and gone.json["type"] == "error"
        and gone.json["error"]["type"] == "not_found_error"
    )
