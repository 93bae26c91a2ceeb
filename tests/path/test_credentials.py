"""Providers' keys put in by the administration: in force at once, never read out."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.path.house import Gateway, Provider

CONFIG = '[server]\nport = 0\nworkers = 2\n[providers.groq]\noptional = true\nbase_url = "{url}"\n'
KEY = "gsk-put-in-by-hand-0123456789"


def test_a_key_that_is_put_in_is_used_at_once_and_told_to_nobody(
    open_gateway: Callable[..., Gateway], provider: object
) -> None:
    gateway = open_gateway(CONFIG)
    assert gateway.chat("groq/llama-3.3-70b-versatile").status == 404
    (before,) = [one for one in gateway.admin("GET", "/admin/v1/providers")["data"] if one["name"] == "groq"]
    assert not before["is_configured"] and before["env"] == ["GROQ_API_KEY"]
    shown = gateway.admin("PUT", "/admin/v1/credentials/groq", {"key": KEY})
    assert shown["is_configured"] and shown["has_credential"] and shown["is_stored_here"]
    for _ in range(6):  # either worker
        assert gateway.chat("groq/llama-3.3-70b-versatile").status == 200
    everything = [
        gateway.request("GET", f"/admin/v1/{name}").body for name in ("providers", "config", "status")
    ]
    for said in (*everything, gateway.heard().encode()):
        assert KEY.encode() not in said
    gateway.admin("DELETE", "/admin/v1/credentials/groq")
    assert gateway.chat("groq/llama-3.3-70b-versatile").status == 404
    assert gateway.request("DELETE", "/admin/v1/credentials/groq").status == 404


@pytest.fixture(scope="module")
def one_house(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG.format(url=one_provider.upstream.base_url)
    served = Gateway(tmp_path_factory.mktemp("credentials"), config)
    try:
        yield served.wait_ready()
    finally:
        served.close()


@pytest.mark.parametrize(
    ("provider_name", "key", "status", "param"),
    [("nobody", KEY, 404, "provider"), ("groq", "", 400, "key"), ("groq", "$GROQ_API_KEY", 400, "key"),
     ("groq", "a\nb", 400, "key"), ("groq", "k" * 5_000, 400, "key"), ("../../etc", KEY, 404, None)],
)  # fmt: skip
def test_what_is_no_key_changes_nothing(
    one_house: Gateway, provider_name: str, key: str, status: int, param: str | None
) -> None:
    body = json.dumps({"key": key}).encode()
    answer = one_house.request("PUT", f"/admin/v1/credentials/{provider_name}", body)
    assert (answer.status, answer.error["param"]) == (status, param)
    assert not (one_house.home / "credentials.json").exists()
    if len(key) > 5:
        assert key.encode() not in answer.body
