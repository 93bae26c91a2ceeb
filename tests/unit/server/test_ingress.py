"""Where requests of every dialect come in, what their paths say, and how their errors read."""

import json
from types import ModuleType

import msgspec
import pytest

from tests.unit.gateway.crossings import OTHER, other
from tests.unit.server.wire_client import KEY, Kept, protocol, records, upstreams
from wicket.dialects.contract import Way
from wicket.dialects.openai_chat import CHAT
from wicket.dialects.translation import heard
from wicket.server.ingress import Ingress, query_key
from wicket.server.protocol import InferenceProtocol

__all__ = ["other"]

BODY = b'{"messages":[{"role":"user","content":"a"}]}'
WAYS = (
    Way("/other/{model}:say", is_streamed=False),
    Way("/other/{model}:stream", is_streamed=True, sse_if="alt=sse"),
    Way("/other/plain"),
)


def ingress() -> Ingress:
    voice = heard("openai_chat")
    assert voice is not None
    return Ingress(["openai_chat", "other"], voice)


@pytest.fixture
def client(other: ModuleType) -> tuple[InferenceProtocol, Kept]:
    other.APIS = (msgspec.structs.replace(OTHER, ways=WAYS),)  # type: ignore[attr-defined]
    made, transport = protocol()
    made.serving.ingress = ingress()
    return made, transport


def post(target: str, body: bytes = BODY, **headers: str) -> bytes:
    given = {"host": "a", "content-length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = "".join([f"{name}: {value}\r\n" for name, value in given.items()])
    return f"POST {target} HTTP/1.1\r\n{lines}\r\n".encode() + body


def test_paths_lead_to_their_apis(other: ModuleType) -> None:
    found = ingress()
    for path in (b"/v1/chat/completions", b"/openai/v1/chat/completions", b"/v1/chat/completions?a=b"):
        entered = found.find(path)
        assert entered is not None and entered.door.api is CHAT and entered.model == ""
    entered = found.find(b"/other/mine/a%2Fb:c:say?x=1")
    assert entered is not None and entered.door.api is OTHER and entered.model == "mine/a/b:c"
    for path in (b"/other/:say", b"/other/x:sa", b"/v1/chat", b"", b"/v1/models", b"/other/"):
        assert found.find(path) is None
    assert {"/v1/chat/completions", "/other/{model}:say"} <= set(found.paths())
    assert found.apis["other.chat"] is OTHER and found.forwarded == {b"other-beta"}


def test_dialects_are_read_with_the_first_path_that_needs_them(other: ModuleType) -> None:
    voice = heard("openai_chat")
    assert voice is not None
    told: list[str] = []

    def every() -> list[str]:
        told.append("read")
        return ["openai_chat", "other"]

    found = Ingress(["openai_chat"], voice, every)
    found.on_more = lambda: told.append(" ".join(sorted(found.apis.keys() & {"other.chat"})))
    assert found.find(b"/v1/chat/completions") is not None and told == [] and "other.chat" not in found.apis
    entered = found.find(b"/other/mine/a%2Fb:c:say")
    assert entered is not None and entered.model == "mine/a/b:c" and told == ["read", "other.chat"]
    assert found.find(b"/nothing") is None and len(found.paths()) == len(set(found.paths()))
    assert told == ["read", "other.chat"]


def test_a_dialect_that_only_providers_speak_has_no_door(other: ModuleType) -> None:
    del other.fault_body  # type: ignore[attr-defined]
    assert ingress().find(b"/other/x:say") is None


@pytest.mark.parametrize(
    ("target", "model", "is_array"),
    [
        ("/other/m:stream", "m", True),
        ("/other/m:stream?alt=sse", "m", False),
        ("/other/m:stream?alt=json", "m", True),
    ],
)
def test_a_query_says_how_a_stream_is_framed(
    client: tuple[InferenceProtocol, Kept], target: str, model: str, is_array: bool
) -> None:
    entered = client[0].serving.ingress.find(target.encode())
    assert entered is not None and (entered.model, entered.is_array) == (model, is_array)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        (b"/a?key=k", b"k"),
        (b"/a?alt=sse&key=k%2B", b"k+"),
        (b"/a?monkey=k", None),
        (b"/a", None),
        (b"/a?key=", b""),
    ],
)
def test_a_key_in_the_query(url: bytes, key: bytes | None) -> None:
    assert query_key(url) == key


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/other/some/model:say", {"x_goog_api_key": KEY.decode()}),
        ("/other/some/model:say", {"x_api_key": KEY.decode()}),
        ("/other/some/model:say", {"authorization": f"Bearer {KEY.decode()}"}),
        (f"/other/some/model:say?key={KEY.decode()}", {}),
    ],
)
def test_the_model_may_be_in_the_path_and_the_key_in_many_places(
    client: tuple[InferenceProtocol, Kept], target: str, headers: dict[str, str]
) -> None:
    made, transport = client
    for _ in range(2):  # the second one's head is known
        made.data_received(post(target, **headers))
        [exchange] = upstreams(made).exchanges
        assert json.loads(exchange.request.partition(b"\r\n\r\n")[2])["model"] == "m"
        exchange.answer(b'{"choices":[{"message":{"content":"b"},"finish_reason":"stop"}]}')
        assert (
            b"HTTP/1.1 200" in transport.writes[-1] and records(made.serving.gate)[-1].model == "some/model"
        )
        upstreams(made).exchanges.clear()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (post("/other/x:say"), 401),
        (post("/other/x:say", x_api_key="k" * 30), 401),
        (post("/other/x:say", b"[]", x_api_key=KEY.decode()), 400),
        (post("/other/x:say", content_length="99999999999"), 413),
        (post("/other/x%20y:say", x_api_key=KEY.decode()), 400),
        (post("/other/plain", x_api_key=KEY.decode()), 400),
    ],
)
def test_errors_read_as_the_paths_dialect_has_them(
    client: tuple[InferenceProtocol, Kept], sent: bytes, status: int
) -> None:
    made, transport = client
    made.data_received(sent)
    head, _, body = b"".join(transport.writes).partition(b"\r\n\r\n")
    assert f" {status} ".encode() in head.splitlines()[0] and b"\r\nx-request-id: req_" in head
    assert json.loads(body)["other"] and f"x-request-id: {json.loads(body)['id']}".encode() in head


def streamed(made: InferenceProtocol, target: str) -> None:
    made.data_received(post(target, x_api_key=KEY.decode()))
    [exchange] = upstreams(made).exchanges
    exchange.sink.on_headers(200, [(b"content-type", b"text/event-stream")])
    piece = b'data: {"choices":[{"delta":{"content":"b"},"finish_reason":%b}]}\n\n'
    exchange.sink.on_data(piece % b"null" + piece % b'"stop"' + b"data: [DONE]\n\n")
    exchange.sink.on_end()


def chunks(transport: Kept) -> tuple[bytes, bytes]:
    head, _, rest = b"".join(transport.writes).partition(b"\r\n\r\n")
    pieces = rest.split(b"\r\n")
    return head, b"".join(pieces[1::2])


def test_a_stream_goes_out_as_events_or_as_one_array(client: tuple[InferenceProtocol, Kept]) -> None:
    made, transport = client
    streamed(made, "/other/m:stream?alt=sse")
    head, body = chunks(transport)
    assert b"text/event-stream" in head and body.count(b"data: ") > 2


def test_an_array_is_json(other: ModuleType, client: tuple[InferenceProtocol, Kept]) -> None:
    made, transport = client
    plain = other.stream_writer

    class Writer:
        def __init__(self, asked: object) -> None:
            self.inner = plain(asked)

        def write(self, delta: object) -> bytes:
            made: bytes = self.inner.write(delta)
            return made

        def finish(self, cost_usd: float | None) -> bytes:
            return b""

    other.stream_writer = Writer  # type: ignore[attr-defined]
    streamed(made, "/other/m:stream")
    head, _, rest = b"".join(transport.writes).partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    found = json.loads(b"".join(unchunked(rest)))
    assert [one["choices"][0]["delta"].get("content") for one in found] == ["", "b", "b", None]


def unchunked(data: bytes) -> list[bytes]:
    found = []
    while data:
        size, _, rest = data.partition(b"\r\n")
        found.append(rest[: int(size, 16)])
        data = rest[int(size, 16) + 2 :]
    return found
