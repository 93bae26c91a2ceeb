"""How an API's body says what it is."""

import pytest

from wicket.dialects.contract import Api
from wicket.dialects.openai_chat.apis import CHAT, EDITS, SPEECH, TRANSCRIPTIONS
from wicket.errors import CallerFault
from wicket.gateway.bodies import asks_for_stream, flows, read_any
from wicket.gateway.call import Arrival
from wicket.wire.fields import peek
from wicket.wire.form import Form

FORM = b'--B\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--B--\r\n'


def arrival(api: Api, body: bytes, content_type: bytes) -> Arrival:
    return Arrival(api, {b"content-type": content_type}, body, 1, 1, 1)


def test_a_form_or_an_object_as_its_type_says() -> None:
    found = read_any(arrival(EDITS, FORM, b"multipart/form-data; boundary=B"))
    assert isinstance(found, Form) and bytes(found["model"]) == b'"m"'
    assert dict(read_any(arrival(EDITS, b'{"model":"m"}', b"application/json"))) == dict(found)
    assert read_any(arrival(EDITS, b"{}", b"")) == {}


def test_a_route_that_takes_forms_alone_says_so() -> None:
    with pytest.raises(CallerFault) as caught:
        read_any(arrival(TRANSCRIPTIONS, b"{}", b"application/json"))
    assert caught.value.status == 415 and "multipart/form-data" in caught.value.message


@pytest.mark.parametrize(
    ("api", "body", "streams", "flowing"),
    [
        (CHAT, b'{"stream":true}', True, False),
        (CHAT, b'{"stream_format":"sse"}', False, False),
        (SPEECH, b"{}", False, True),
        (SPEECH, b'{"stream_format":"audio"}', False, True),
        (SPEECH, b'{"stream_format":"sse"}', True, False),
        (TRANSCRIPTIONS, b'{"stream":true}', True, False),
    ],
)
def test_what_streams_and_what_flows(api: Api, body: bytes, streams: bool, flowing: bool) -> None:
    assert asks_for_stream(api, peek(body)) is streams
    assert flows(api, peek(body), holds_whole=False) is flowing
    assert not flows(api, peek(body), holds_whole=True)


def test_a_stream_format_that_is_no_word_is_named() -> None:
    with pytest.raises(CallerFault) as caught:
        asks_for_stream(SPEECH, peek(b'{"stream_format":1}'))
    assert caught.value.param == "stream_format"
