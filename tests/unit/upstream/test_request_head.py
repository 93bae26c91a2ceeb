import h11
import pytest

from wicket.errors import ConfigFault
from wicket.upstream.request_head import complete, head, without_body
from wicket.wire.origin import Origin

ORIGIN = Origin("https", "api.example.com", 443)


def test_a_request_as_h11_reads_it() -> None:
    made = head("POST", "/v1/x?a=b", ORIGIN, [("Authorization", "Bearer s")])
    server = h11.Connection(h11.SERVER)
    server.receive_data(complete(made, b"{}"))
    request = server.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method, request.target) == (b"POST", b"/v1/x?a=b")
    assert list(request.headers) == [
        (b"host", b"api.example.com"),
        (b"authorization", b"Bearer s"),
        (b"accept-encoding", b"identity"),
        (b"content-length", b"2"),
    ]
    body = server.next_event()
    assert isinstance(body, h11.Data) and bytes(body.data) == b"{}"


def test_without_a_body() -> None:
    made = without_body(head("GET", "/", ORIGIN, [("accept-encoding", "gzip")]))
    assert made == b"GET / HTTP/1.1\r\nhost: api.example.com\r\naccept-encoding: gzip\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "target", "name", "value"),
    [
        ("GET", "/", "x", "a\r\nb: c"),
        ("GET", "/", "x", "a\nb"),
        ("GET", "/", "x", "a\x00"),
        ("GET", "/", "x", "\u2028"),
        ("GET", "/", "x y", "a"),
        ("GET", "/", "x\r\ny", "a"),
        ("GET", "/", "", "a"),
        ("GET", "/", "Content-Length", "5"),
        ("GET", "/", "Host", "elsewhere"),
        ("GET", "/", "transfer-encoding", "chunked"),
        ("GET", "/a b", "x", "y"),
        ("GET", "/a\r\nx: y", "x", "y"),
        ("GET", "", "x", "y"),
        ("G T", "/", "x", "y"),
        ("GET", "/", "x", "a\n"),
    ],
)
def test_what_could_end_a_line_early_is_refused(method: str, target: str, name: str, value: str) -> None:
    with pytest.raises(ConfigFault) as caught:
        head(method, target, ORIGIN, [(name, value)])
    assert "elsewhere" not in caught.value.message
