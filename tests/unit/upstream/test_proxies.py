import pytest

from wicket.errors import ConfigFault
from wicket.upstream.proxies import absolute_form, connect_request, parse_proxy, proxy_for
from wicket.wire.origin import Origin

P = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("scheme", "environ", "wanted"),
    [
        ("https", {}, ""),
        ("https", {"HTTPS_PROXY": P}, P),
        ("https", {"https_proxy": P, "HTTPS_PROXY": "http://other:1"}, P),
        ("https", {"HTTP_PROXY": P}, ""),
        ("http", {"HTTP_PROXY": P}, P),
        ("http", {"http_proxy": P}, P),
        ("http", {"HTTP_PROXY": P, "REQUEST_METHOD": "GET"}, ""),
        ("http", {"http_proxy": P, "REQUEST_METHOD": "GET"}, P),
        ("http", {"ALL_PROXY": P}, P),
        ("https", {"all_proxy": P}, P),
        ("https", {"https_proxy": "http://own:1", "all_proxy": P}, "http://own:1"),
        ("https", {"https_proxy": "proxy.example:3128"}, P),
        ("https", {"https_proxy": "  "}, ""),
        ("unix", {"ALL_PROXY": P}, ""),
    ],
)
def test_which_variable_counts(scheme: str, environ: dict[str, str], wanted: str) -> None:
    assert proxy_for(scheme, "api.example.com", 443, environ) == wanted


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "direct"),
    [
        ("*", "api.example.com", 443, True),
        ("", "api.example.com", 443, False),
        ("example.com", "api.example.com", 443, True),
        ("example.com", "example.com", 443, True),
        ("example.com", "badexample.com", 443, False),
        (".example.com", "api.example.com", 443, True),
        (".example.com", "example.com", 443, True),
        ("*.example.com", "api.example.com", 443, True),
        ("Example.COM", "API.example.com.", 443, True),
        ("a.test, example.com", "api.example.com", 443, True),
        ("a.test example.com", "api.example.com", 443, True),
        ("example.com:443", "api.example.com", 443, True),
        ("example.com:8443", "api.example.com", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.0.0.0/8", "ten.example.com", 80, False),
        ("10.1.2.3", "10.1.2.3", 80, True),
        ("10.1.2.3:81", "10.1.2.3", 80, False),
        ("10.1.2.3:80", "10.1.2.3", 80, True),
        ("2.3", "10.1.2.3", 80, False),
        ("fd00::/8", "fd00::1", 80, True),
        ("[fd00::1]:80", "fd00::1", 80, True),
        ("[fd00::1]:81", "fd00::1", 80, False),
        ("", "localhost", 80, True),
        ("", "127.0.0.5", 80, True),
        ("", "::1", 80, True),
        ("com", "example.com", 80, True),
        (",", "example.com", 80, False),
    ],
)
def test_who_is_excepted(no_proxy: str, host: str, port: int, direct: bool) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        assert (proxy_for("http", host, port, {"http_proxy": P, name: no_proxy}) == "") is direct


@pytest.mark.parametrize(
    "url", ["socks5://u:secret@h:1", "https://u:secret@h:1", "http://u:secret@h:port", "http://"]
)
def test_a_proxy_that_is_not_supported_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigFault) as caught:
        proxy_for("https", "api.example.com", 443, {"https_proxy": url})
    assert "secret" not in caught.value.message


def test_credentials_go_to_the_proxy() -> None:
    proxy = parse_proxy("http://us%40er:p%3Aw@proxy.example:3128")
    assert (proxy.host, proxy.port) == ("proxy.example", 3128)
    assert proxy.authorization == "Basic dXNAZXI6cDp3"
    assert connect_request(proxy, "fd00::1", 443) == (
        b"CONNECT [fd00::1]:443 HTTP/1.1\r\nhost: [fd00::1]:443\r\n"
        b"proxy-authorization: Basic dXNAZXI6cDp3\r\n\r\n"
    )
    assert parse_proxy("http://proxy.example").port == 80


def test_absolute_form() -> None:
    origin = Origin("http", "api.example.com", 8080, proxy="http://u:p@proxy.example:3128")
    request = b"POST /v1/x HTTP/1.1\r\nhost: api.example.com:8080\r\n\r\na b\r\nc"
    assert absolute_form(origin, request) == (
        b"POST http://api.example.com:8080/v1/x HTTP/1.1\r\nproxy-authorization: Basic dTpw\r\n"
        b"host: api.example.com:8080\r\n\r\na b\r\nc"
    )
