"""The unmodified SDKs of OpenAI and Anthropic for Node against a real server."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.path.house import Gateway, Provider, rule

pytestmark = pytest.mark.services
LIMIT_S = 180


@pytest.fixture
def got(node_folder: Path, gateway: Gateway, provider: Provider) -> dict[str, Any]:
    provider.script(
        rule("calls", tool_calls=[{"name": "weather", "arguments": '{"city": "Paris"}'}]),
        rule("json", text='{"name": "Paris"}'),
        rule("bad", error="bad_request"),
        rule("limited", error="rate_limit", headers={"retry-after": "30"}),
        rule("broken", error="server_error"),
        rule("cut", cut_after=2, gap_ms=20),
        rule("endless", stall_after=2),
    )
    ran = subprocess.run(
        ["node", "client.mjs", f"{gateway.url}/v1", gateway.key],
        check=False,
        cwd=node_folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_the_node_sdk_gets_what_the_python_one_gets(got: dict[str, Any], provider: Provider) -> None:
    assert got["whole"] == got["streamed"] == "Paris is the capital of France."
    assert got["requestId"].startswith("req_") and got["cost"] == "0.00001"
    assert got["usage"]["total_tokens"] == 8 and got["usage"]["cost"] == 1e-5
    assert got["call"]["name"] == "weather" and json.loads(got["call"]["arguments"]) == {"city": "Paris"}
    assert got["parsed"] == {"name": "Paris"}
    assert got["embeddings"] == [8, 8] and "mine/plain" in got["models"]
    assert got["errors"] == {
        "unknown": ["NotFoundError", 404, "model_not_found"],
        "bad": ["BadRequestError", 400, "invalid_request"],
        "limited": ["RateLimitError", 429, "rate_limit_exceeded"],
        "broken": ["InternalServerError", 502, "provider_unavailable"],
        "key": ["AuthenticationError", 401, "invalid_api_key"],
        "cut": ["APIError", None, "cut"],
    }
    provider.until(lambda log: any(seen.model == "endless" and seen.client_gone for seen in log))


def test_anthropics_node_sdk_asks_openais_models(
    node_folder: Path, gateway: Gateway, provider: Provider
) -> None:
    provider.script(
        rule("calls", tool_calls=[{"name": "weather", "arguments": '{"city": "Paris"}'}]),
        rule("limited", error="rate_limit", headers={"retry-after": "30"}),
        rule("cut", cut_after=2, gap_ms=20),
    )
    ran = subprocess.run(
        ["node", "anthropic.mjs", gateway.url, gateway.key],
        check=False,
        cwd=node_folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert ran.returncode == 0, ran.stderr
    got = json.loads(ran.stdout)
    assert got["whole"] == ["Paris is the capital of France.", "end_turn", True]
    assert got["streamed"] == "Paris is the capital of France."
    assert got["call"] == ["tool_use", "weather", {"city": "Paris"}]
    assert got["limited"] == ["RateLimitError", 429, "rate_limit_error"]
    assert got["cut"][0] in ("APIError", "AnthropicError") and got["cut"][2] in ("api_error", None)
