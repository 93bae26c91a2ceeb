"""Files that are kept here, named in conversations of every family and told as data."""

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.path.house import Gateway, Provider

CONFIG = """
[server]
port = 0
workers = 1
[storage]
files = "local"
responses = "local"
[providers.mine]
base_url = "{url}"
api_key = "k"
models = ["plain"]
[providers.claude]
base_url = "{root}"
api_key = "k"
dialect = "anthropic_messages"
models = ["sonnet"]
"""
PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PDF = b"%PDF-1.4 not much of one"


@pytest.fixture(scope="module")
def served(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    url = one_provider.upstream.base_url
    gateway = Gateway(tmp_path_factory.mktemp("named"), CONFIG.format(url=url, root=url.removesuffix("/v1")))
    try:
        yield gateway.wait_ready()
    finally:
        gateway.close()


@pytest.fixture
def client(served: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as made:
        yield made


def kept(client: OpenAI, name: str, data: bytes) -> str:
    return client.files.create(file=(name, data), purpose="user_data").id


def test_a_document_of_a_chat(client: OpenAI, provider: Provider) -> None:
    id = kept(client, "a.pdf", PDF)
    content: Any = [{"type": "text", "text": "What?"}, {"type": "file", "file": {"file_id": id}}]
    client.chat.completions.create(model="mine/plain", messages=[{"role": "user", "content": content}])
    sent = provider.last.fields["messages"][0]["content"][1]["file"]
    assert set(sent) == {"filename", "file_data"} and sent["filename"] == "a.pdf"
    assert sent["file_data"].startswith("data:application/pdf;base64,")
    assert b64decode(sent["file_data"].partition(",")[2]) == PDF
    client.chat.completions.create(model="claude/sonnet", messages=[{"role": "user", "content": content}])
    told = provider.last.fields["messages"][0]["content"][1]
    assert told["type"] == "document" and b64decode(told["source"]["data"]) == PDF


def test_files_of_earlier_turns_are_told_again(client: OpenAI, provider: Provider) -> None:
    pieces: Any = [
        {"type": "input_image", "file_id": kept(client, "a.png", PNG), "detail": "low"},
        {"type": "input_file", "file_id": kept(client, "a.pdf", PDF)},
    ]
    asked: Any = [{"role": "user", "content": pieces}]
    first = client.responses.create(model="mine/plain", input=asked)
    client.responses.create(model="claude/sonnet", input="And?", previous_response_id=first.id)
    told = provider.last.fields["messages"][0]["content"]
    assert [b64decode(part["source"]["data"]) for part in told] == [PNG, PDF]
    items = list(client.responses.input_items.list(first.id))
    assert [part.to_dict().get("file_id") for part in items[0].content] == [  # type: ignore[union-attr]
        pieces[0]["file_id"], pieces[1]["file_id"]
    ]  # fmt: skip


def test_anthropics_callers_name_them_as_well(client: OpenAI, served: Gateway, provider: Provider) -> None:
    source = {"type": "file", "file_id": kept(client, "a.png", PNG)}
    body = {
        "model": "claude/sonnet", "max_tokens": 10,
        "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}],
    }  # fmt: skip
    assert served.post("/v1/messages", body).status == 200
    told = provider.last.fields["messages"][0]["content"][0]["source"]
    assert told["media_type"] == "image/png" and b64decode(told["data"]) == PNG


def test_what_can_not_be_told_is_refused_by_its_place(client: OpenAI, provider: Provider) -> None:
    other = kept(client, "x", b"who knows")
    text = kept(client, "a.txt", b"text")
    unknown = "file-" + "0" * 24

    def ask(piece: dict[str, Any]) -> None:
        asked: Any = [{"role": "user", "content": [piece]}]
        client.responses.create(model="mine/plain", input=asked)

    for piece, status in (
        ({"type": "input_file", "file_id": other}, 400),
        ({"type": "input_image", "file_id": text}, 400),
        ({"type": "input_file", "file_id": unknown}, 404),
    ):
        with pytest.raises(openai.APIStatusError) as refused:
            ask(piece)
        assert refused.value.status_code == status
        assert refused.value.param == "input[0].content[0].file_id"  # type: ignore[attr-defined]
    assert provider.log == []


def test_another_keys_file_is_unknown(client: OpenAI, served: Gateway, provider: Provider) -> None:
    id = kept(client, "a.pdf", PDF)
    key = served.admin("POST", "/admin/v1/keys", {"name": "other"})["key"]
    content = [{"type": "file", "file": {"file_id": id}}]
    body = {"model": "mine/plain", "messages": [{"role": "user", "content": content}]}
    answer = served.post("/v1/chat/completions", body, key)
    assert answer.status == 404 and answer.error["param"] == "messages[0].content[0].file.file_id"
    assert provider.log == []


def test_a_providers_own_ids_pass(served: Gateway, provider: Provider) -> None:
    content = [{"type": "file", "file": {"file_id": "file-abc123"}}]
    body = {"model": "mine/plain", "messages": [{"role": "user", "content": content}]}
    assert served.post("/v1/chat/completions", body).status == 200
    assert provider.last.fields["messages"] == body["messages"]
