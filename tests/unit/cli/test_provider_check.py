import pytest

from wicket.cli.provider_check import failure, judge, not_listed
from wicket.config.schema import Provider
from wicket.upstream.fetch import Response

LISTS = Provider(
    name="mine", base_url="http://me.example/v1", credentials=("sk-secret",), origins=("env:MINE_KEY",)
)
SILENT = Provider(name="bedrock", row="bedrock", base_url="http://me.example/v1", credentials=("sk-secret",))
OPEN = Provider(name="mine", base_url="http://me.example/v1")


@pytest.mark.parametrize(
    ("provider", "status", "body", "code"),
    [
        (LISTS, 200, b'{"data": [{}, {}]}', "ok"),
        (LISTS, 200, b"[1]", "ok"),
        (LISTS, 200, b"{}", "ok"),
        (LISTS, 200, b"<html>", "no_json"),
        (LISTS, 301, b"", "redirected"),
        (LISTS, 401, b"", "bad_credential"),
        (LISTS, 403, b"", "not_permitted"),
        (LISTS, 404, b"", "not_found"),
        (LISTS, 418, b"", "unexpected"),
        (LISTS, 429, b"", "reachable"),
        (LISTS, 503, b"", "provider_down"),
        (SILENT, 404, b"", "reachable"),
        (SILENT, 200, b"<html>", "reachable"),
        (SILENT, 401, b"", "bad_credential"),
        (SILENT, 500, b"", "provider_down"),
        (OPEN, 401, b"", "no_credential"),
    ],
)
def test_what_an_answer_means(provider: Provider, status: int, body: bytes, code: str) -> None:
    found, message = judge(Response(status, (), body), provider)
    assert found == code and message and "sk-secret" not in message


def test_a_refused_key_is_told_by_where_it_comes_from() -> None:
    assert "env:MINE_KEY" in judge(Response(401, (), b""), LISTS)[1]


def test_numbers_of_models() -> None:
    assert judge(Response(200, (), b'{"data": [1]}'), LISTS)[1] == "works, 1 model listed"


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        (b'{"data":[{"id":"a"},{"id":"b"}]}', ["c"]),
        (b'{"models":[{"name":"models/a"},{"name":"models/c"}]}', []),
        (b'{"models":[{"name":"a:latest","model":"a"}]}', ["c"]),
        (b'{"data":[{"id":"b"}],"has_more":true}', []),
        (b'{"models":[{"name":"models/b"}],"nextPageToken":"x"}', []),
        (b'{"data":[1,{}]}', []),
        (b"{}", []),
        (b"[]", []),
    ],
)
def test_configured_models_that_are_not_listed(body: bytes, missing: list[str]) -> None:
    assert not_listed(body, ["a", "c"]) == missing


@pytest.mark.parametrize(
    "code", ["dns_failed", "connect_failed", "tls_failed", "total_timeout", "unheard_of"]
)
def test_every_failure_says_what_to_do(code: str) -> None:
    message = failure(code, LISTS, 2_000)
    assert len(message) > 20 and "secret" not in message
    assert "check" in message or "?" in message or "try" in message or "set ca_file" in message
