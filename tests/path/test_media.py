"""Pictures, sound, moderations, rankings and embeddings: OpenAI's SDK and plain clients on a real server."""

import base64
import http.client
import json
import random
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from openai import OpenAI

from tests.path.conftest import Open
from tests.path.house import MINE, Answer, Gateway, Provider, read, rule
from tests.path.served import LIMIT_S

PNG = b"\x89PNG\r\n\x1a\n" + b"\r\n--not-a-boundary\r\n" * 3
SOUND = b"RIFF\x00\xff\r\n\r\nWAVE" * 20


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as made:
        yield made


# OpenAI's SDK


def test_a_picture_is_made(client: OpenAI, provider: Provider) -> None:
    made = client.images.generate(model="mine/plain", prompt="A red bird", n=2)
    assert made.data is not None and len(made.data) == 2
    assert base64.b64decode(made.data[0].b64_json or "").startswith(b"\x89PNG")
    assert made.usage is not None and made.usage.input_tokens == 3
    seen = provider.last
    assert seen.path == "/v1/images/generations" and seen.fields == {
        "model": "plain",
        "prompt": "A red bird",
        "n": 2,
    }


def test_a_picture_comes_in_stages(client: OpenAI) -> None:
    with client.images.generate(model="mine/plain", prompt="A bird", stream=True, partial_images=2) as stream:
        events = list(stream)
    kinds = [event.type for event in events]
    assert kinds == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert events[-1].type == "image_generation.completed" and events[-1].usage.output_tokens == 10


@pytest.mark.parametrize("images", [1, 3])
def test_pictures_are_edited(client: OpenAI, provider: Provider, images: int) -> None:
    given: Any = [("bird.png", PNG, "image/png")] * images
    made = client.images.edit(model="mine/plain", prompt="Blue", image=given if images > 1 else given[0])
    assert made.data is not None and len(made.data) == 1
    seen = provider.last
    assert seen.path == "/v1/images/edits" and seen.fields["model"] == "plain"
    assert seen.fields["prompt"] == "Blue"
    assert dict(seen.headers)["content-type"].startswith("multipart/form-data; boundary=")
    assert seen.body.count("not-a-boundary") == 3 * images


def test_an_edit_streams_and_a_variation_comes(client: OpenAI, provider: Provider) -> None:
    with client.images.edit(model="mine/plain", prompt="Blue", image=PNG, stream=True) as stream:
        assert [event.type for event in stream] == ["image_edit.completed"]
    with pytest.warns(DeprecationWarning, match="deprecated"):
        made = client.images.create_variation(model="mine/plain", image=PNG, n=2)
    assert made.data is not None and len(made.data) == 2
    assert provider.last.path == "/v1/images/variations"


def test_speech_is_bytes(client: OpenAI, provider: Provider) -> None:
    raw = client.audio.speech.with_raw_response.create(
        model="mine/plain", voice="alloy", input="Say it aloud", response_format="mp3"
    )
    assert raw.headers["content-type"] == "audio/mpeg" and raw.headers["x-content-type-options"] == "nosniff"
    assert raw.headers["x-wicket-deployment"] == "mine/plain"
    assert raw.content.startswith(b"RIFF") and raw.content.endswith(b"Say it aloud")
    assert provider.last.fields["model"] == "plain"


def test_speech_comes_as_it_is_made(client: OpenAI, provider: Provider) -> None:
    provider.script(rule(stall_after=4))
    with client.audio.speech.with_streaming_response.create(
        model="mine/plain", voice="alloy", input="one two three four five six"
    ) as answer:
        first = next(answer.iter_bytes())
        assert first.startswith(b"RIFF")  # while its provider has not ended, and never will
    provider.until(lambda log: log[-1].client_gone)


def test_speech_as_events(client: OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="mine/plain", voice="alloy", input="one two", stream_format="sse"
    ) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in lines]
    assert [event["type"] for event in events] == ["speech.audio.delta"] * 2 + ["speech.audio.done"]
    assert events[-1]["usage"]["output_tokens"] == 4


def test_events_that_nobody_asked_for_are_no_sound(gateway: Gateway, provider: Provider) -> None:
    asked = {"model": "mine/plain", "voice": "a", "input": "one two"}
    streamed = gateway.post("/v1/audio/speech", {**asked, "stream": True})  # Together's way to ask for events
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert b"speech.audio.done" in streamed.body
    provider.script(rule(body=streamed.body.decode(), headers={"content-type": "text/event-stream"}))
    assert gateway.post("/v1/audio/speech", asked).status == 502


def test_sound_is_written_down(client: OpenAI, provider: Provider) -> None:
    said = client.audio.transcriptions.create(model="mine/plain", file=("a.wav", SOUND, "audio/wav"))
    assert said.text == "Paris is the capital of France."
    text = client.audio.transcriptions.create(
        model="mine/plain", file=("a.wav", SOUND), response_format="text"
    )
    assert text == "Paris is the capital of France.\n"
    long = client.audio.transcriptions.create(
        model="mine/plain", file=("a.wav", SOUND), response_format="verbose_json", language="en"
    )
    assert long.duration == 1.5
    seen = provider.last
    assert seen.path == "/v1/audio/transcriptions"
    assert seen.fields == {"model": "plain", "file": {}, "response_format": "verbose_json", "language": "en"}
    with pytest.warns(DeprecationWarning, match="deprecated"):
        subtitles = client.audio.translations.with_raw_response.create(
            model="mine/plain", file=("a.wav", SOUND), response_format="vtt"
        )
    assert subtitles.headers["content-type"] == "text/vtt"


def test_a_transcript_that_can_not_stream_comes_whole(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(body={"text": "Hello."}))
    body = form(FILE, MODEL, field("stream", "true"))
    got = send(gateway, "/v1/audio/transcriptions", body, "multipart/form-data; boundary=B")
    assert got.status == 200 and got.json == {"text": "Hello."}
    by_address = form(MODEL, field("url", "https://a.example/a.wav"))
    assert (
        send(gateway, "/v1/audio/transcriptions", by_address, "multipart/form-data; boundary=B").status == 200
    )


def test_a_transcript_streams(client: OpenAI) -> None:
    with client.audio.transcriptions.create(model="mine/plain", file=("a.wav", SOUND), stream=True) as stream:
        events = list(stream)
    assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == (
        "Paris is the capital of France."
    )
    assert events[-1].type == "transcript.text.done" and events[-1].usage is not None


def test_content_is_judged(client: OpenAI) -> None:
    found = client.moderations.create(model="mine/plain", input=["violence", "peace"])
    assert [result.flagged for result in found.results] == [True, False]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("bad_request", openai.BadRequestError),
        ("server_error", openai.InternalServerError),
        ("rate_limit", openai.RateLimitError),
    ],
)
def test_errors_are_the_sdks_own(client: OpenAI, provider: Provider, error: str, kind: Any) -> None:
    provider.script(rule(error=error))
    with pytest.raises(kind):
        client.images.generate(model="mine/plain", prompt="A bird")
    with pytest.raises(kind):
        client.audio.transcriptions.create(model="mine/plain", file=SOUND)
    with pytest.raises(kind):
        client.audio.speech.create(model="mine/plain", voice="alloy", input="Say it")


# What goes wrong


def test_a_picture_falls_back(client: OpenAI, provider: Provider) -> None:
    provider.script(rule("first", error="server_error"))
    raw = client.images.with_raw_response.edit(model="pair", prompt="Blue", image=("a.png", PNG))
    assert raw.headers["x-wicket-deployment"] == "mine/second"
    assert {seen.model for seen in provider.log} == {"first", "second"}
    bodies = {seen.body.count("not-a-boundary") for seen in provider.log}
    assert bodies == {3}


def test_sound_that_breaks_off_is_no_answer(gateway: Gateway, client: OpenAI, provider: Provider) -> None:
    provider.script(rule(cut_after=3))
    with pytest.raises(openai.APIConnectionError):  # some of it was out already
        client.audio.speech.create(model="mine/plain", voice="alloy", input="one two three four five")
    provider.script(rule("first", cut_after=0))
    raw = client.audio.speech.with_raw_response.create(model="pair", voice="alloy", input="one two three")
    assert raw.headers["x-wicket-deployment"] == "mine/second" and raw.content.endswith(b"one two three")


@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/audio/speech"])
def test_a_limit_that_the_route_sets_holds_for_pictures_too(
    gateway: Gateway, provider: Provider, path: str
) -> None:
    provider.script(rule("first", silent=True))
    got = gateway.post(path, {"model": "late", "prompt": "A bird", "input": "one", "stream": True})
    assert got.status == 200 and got.headers["x-wicket-deployment"] == "mine/second"


def test_sound_that_a_route_holds_is_whole_or_from_another(client: OpenAI, provider: Provider) -> None:
    provider.script(rule("first", cut_after=3))
    raw = client.audio.speech.with_raw_response.create(model="held", voice="alloy", input="one two three")
    assert raw.headers["x-wicket-deployment"] == "mine/second" and raw.content.endswith(b"one two three")
    assert "content-length" in raw.headers


@pytest.mark.parametrize(
    "actions",
    [
        {"body": '{"error": {"message": "No voice today"}}'},
        {"body": "<html>Bad gateway</html>"},
        {"body": "", "headers": {"content-type": "audio/mpeg"}},
        {"body": "x", "headers": {"content-type": "audio/mpeg"}, "content_length_off": 5},
    ],
)
def test_what_is_no_sound_is_asked_for_elsewhere(
    client: OpenAI, provider: Provider, actions: dict[str, Any]
) -> None:
    if "content_length_off" in actions:
        provider.script(rule("plain", **actions))
        with pytest.raises(openai.APIConnectionError):
            client.audio.speech.create(model="mine/plain", voice="alloy", input="one")
        return
    provider.script(rule("first", **actions))
    raw = client.audio.speech.with_raw_response.create(model="pair", voice="alloy", input="one two")
    assert raw.headers["x-wicket-deployment"] == "mine/second" and raw.content.endswith(b"one two")


@pytest.mark.parametrize("actions", [{"cut_after": 1}, {"error_frame_after": 2}, {"malformed_frame": 3}])
def test_a_broken_stream_of_pictures_is_no_normal_end(
    gateway: Gateway, provider: Provider, actions: dict[str, Any]
) -> None:
    provider.script(rule(gap_ms=200, **actions))
    asked = {"model": "mine/plain", "prompt": "A bird", "stream": True, "partial_images": 2}
    got = gateway.post("/v1/images/generations", asked)
    assert got.status == 200 and b"image_generation.partial_image" in got.body
    assert b"image_generation.completed" not in got.body
    assert b'"error"' in got.body.split(b"\n\n")[-2]


def test_a_stream_of_pictures_ends_as_its_provider_ended_it(gateway: Gateway) -> None:
    asked = {"model": "mine/plain", "prompt": "A bird", "stream": True}
    got = gateway.post("/v1/images/generations", asked)
    assert got.body.startswith(b"event: image_generation.completed\ndata: {") and b"[DONE]" not in got.body


def test_a_client_that_leaves_ends_its_speech(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(stall_after=2))
    body = json.dumps({"model": "mine/plain", "input": "one two three", "voice": "a"}).encode()
    address = urlsplit(gateway.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=LIMIT_S) as dial:
        head = f"POST /v1/audio/speech HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\n"
        dial.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        assert b"200 OK" in dial.recv(4096)
    provider.until(lambda log: log[-1].client_gone)


def test_speech_over_http_1_0_that_breaks_is_reset(gateway: Gateway, provider: Provider) -> None:
    provider.script(rule(cut_after=3))
    body = json.dumps({"model": "mine/plain", "input": "one two three four", "voice": "a"}).encode()
    address = urlsplit(gateway.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=LIMIT_S) as dial:
        head = f"POST /v1/audio/speech HTTP/1.0\r\nauthorization: Bearer {gateway.key}\r\n"
        dial.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        with dial.makefile("rb") as answer, pytest.raises(ConnectionResetError):
            answer.read()


# Bad input


def send(gateway: Gateway, path: str, body: bytes, content_type: str) -> Answer:
    address = urlsplit(gateway.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=LIMIT_S)
    try:
        headers = {"content-type": content_type, "authorization": f"Bearer {gateway.key}"}
        connection.request("POST", path, body, headers)
        return read(connection)
    finally:
        connection.close()


def form(*parts: tuple[str, bytes], end: bytes = b"--B--\r\n") -> bytes:
    return b"".join(b"--B\r\n%b\r\n\r\n%b\r\n" % (head.encode(), text) for head, text in parts) + end


def field(name: str, text: str) -> tuple[str, bytes]:
    return f'Content-Disposition: form-data; name="{name}"', text.encode()


FILE = ('Content-Disposition: form-data; name="file"; filename="a.wav"', SOUND)
MODEL = field("model", "mine/plain")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "param"),
    [
        (form(FILE), "multipart/form-data; boundary=B", 400, "model"),
        (form(MODEL), "multipart/form-data; boundary=B", 400, "file"),
        (form(FILE, MODEL, field("model", "late")), "multipart/form-data; boundary=B", 400, "model"),
        (form(FILE, MODEL, field("stream", "maybe")), "multipart/form-data; boundary=B", 400, "stream"),
        (form(FILE, field("model", "no such\r\nmodel")), "multipart/form-data; boundary=B", 400, "model"),
        (form(FILE, MODEL, end=b""), "multipart/form-data; boundary=B", 400, None),
        (form(FILE, MODEL), "multipart/form-data; boundary=C", 400, None),
        (form(FILE, MODEL), "multipart/form-data", 400, None),
        (b'{"model": "mine/plain", "file": "x"}', "application/json", 415, None),
    ],
)
def test_a_bad_form_is_refused_by_name(
    gateway: Gateway, provider: Provider, body: bytes, content_type: str, status: int, param: str | None
) -> None:
    got = send(gateway, "/v1/audio/transcriptions", body, content_type)
    assert got.status == status and got.error["param"] == param
    assert provider.log == []


def test_a_form_longer_than_its_route_takes_is_refused(gateway: Gateway, open_gateway: Open) -> None:
    small = open_gateway(f"[server]\nport = 0\nbody_limits = {{{{ transcription = 4096 }}}}\n{MINE}")
    body = form((FILE[0], b"x" * 5000), MODEL)
    got = send(small, "/v1/audio/transcriptions", body, "multipart/form-data; boundary=B")
    assert got.status == 413
    assert send(small, "/v1/images/edits", body, "multipart/form-data; boundary=B").error["param"] == "prompt"


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_form_may_come_in_any_pieces(gateway: Gateway, provider: Provider, size: int) -> None:
    body = form(FILE, MODEL, field("prompt", "ä"))
    address = urlsplit(gateway.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=LIMIT_S) as dial:
        dial.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\n"
        head += "transfer-encoding: chunked\r\ncontent-type: multipart/form-data; boundary=B\r\n\r\n"
        dial.sendall(head.encode())
        for start in range(0, len(body), size):
            piece = body[start : start + size]
            dial.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        dial.sendall(b"0\r\n\r\n")
        assert dial.recv(65536).startswith(b"HTTP/1.1 200 OK")
    assert provider.last.fields == {"file": {}, "model": "plain", "prompt": "ä"}
    sent = dict(provider.last.headers)
    assert sent["content-type"] == "multipart/form-data; boundary=B"


def test_a_key_of_one_model_gets_no_other_by_a_form(gateway: Gateway, provider: Provider) -> None:
    made = gateway.admin("POST", "/admin/v1/keys", {"name": "narrow-form", "models": ["mine/plain"]})
    hidden = (
        r'Content-Disposition: form-data; name="file"; filename="a\"; name=\"model"',
        b"mine/dear",
    )
    address = urlsplit(gateway.url)
    for parts, status in (((FILE, field("model", "mine/dear")), 403), ((hidden, MODEL), 200)):
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=LIMIT_S)
        headers = {
            "content-type": "multipart/form-data; boundary=B",
            "authorization": f"Bearer {made['key']}",
        }
        connection.request("POST", "/v1/audio/transcriptions", form(*parts), headers)
        assert read(connection).status == status
        connection.close()
    [seen] = provider.log
    assert seen.model == "plain" and seen.body.count('name="model"') == 1


def mangled(body: bytes, draw: random.Random) -> bytes:
    """A form with a few mistakes in it."""
    made = bytearray(body)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(made))
        kind = draw.randrange(4)
        if kind == 0:
            made[at] = draw.randrange(256)
        elif kind == 1:
            del made[at : at + draw.randint(1, 30)]
        elif kind == 2:
            made[at:at] = draw.choice([b"\r\n", b"--B", b"--B--", b'"', b"\\", b"\x00", b'; name="model"'])
        else:
            made += made[at : at + 80]
    return bytes(made)


def test_no_mangled_form_does_more_than_be_refused(gateway: Gateway, provider: Provider) -> None:
    draw = random.Random(7)
    good = form(FILE, field("prompt", "say"), MODEL, field("stream", "false"))
    statuses = set()
    for _ in range(150):
        body = mangled(good, draw)
        got = send(gateway, "/v1/audio/transcriptions", body, "multipart/form-data; boundary=B")
        statuses.add(got.status)
        assert got.status in (200, 400, 404), (got.status, body)
        if got.status == 400:
            assert got.error["message"]
    assert {200, 400} <= statuses
    assert {seen.model for seen in provider.log} == {"plain"}


# Usage


def test_what_was_used_is_recorded(gateway: Gateway, client: OpenAI) -> None:
    raw = client.images.with_raw_response.generate(model="mine/plain", prompt="A red bird")
    record = gateway.record(raw.headers["x-request-id"])
    assert record["api"] == "images.generations" and record["outcome"] == "ok"
    assert (record["input_tokens"], record["output_tokens"], record["is_estimated"]) == (3, 10, False)
    raw = client.audio.transcriptions.with_raw_response.create(
        model="mine/plain", file=SOUND, response_format="text"
    )
    record = gateway.record(raw.headers["x-request-id"])
    assert (record["input_tokens"], record["output_tokens"], record["is_estimated"]) == (0, 0, True)
