"""The unmodified Cohere SDK, through a real server, to what Cohere really answered."""

import json
from typing import Any

import pytest

from tests.path.replayed import answered, asked

pytestmark = pytest.mark.services
PLACES = [
    ("cohere/text", 0),
    ("cohere/cached_usage", 0),
    ("cohere/tools_turns", 0),
    ("cohere/tools_turns", 1),
]


def of(file: str, number: int = 0) -> dict[str, Any]:
    """A recorded request as the SDK takes it, which says itself that it is no stream."""
    body = asked(file, number)
    del body["stream"]
    return {**body, "model": f"cohere/{body['model']}"}


@pytest.mark.parametrize(("file", "number"), PLACES)
def test_the_answer_is_what_the_provider_said(cohere_client: Any, file: str, number: int) -> None:
    raw = cohere_client.with_raw_response.chat(**of(file, number))
    known = answered(file, number)
    got = json.loads(raw.data.model_dump_json(exclude_unset=True))
    assert got["message"] == known["message"] and got["usage"]["tokens"] == known["usage"]["tokens"]
    assert (got["id"], got["finish_reason"]) == (known["id"], known["finish_reason"])
    assert raw.headers["x-wicket-deployment"] == of(file, number)["model"]


def test_calls_go_back_as_they_came(cohere_client: Any) -> None:
    message = cohere_client.chat(**of("cohere/tools_turns")).message
    back = asked("cohere/tools_turns", 1)["messages"]
    (sent,) = [turn for turn in back if turn.get("tool_calls")]
    got = [call.model_dump() for call in message.tool_calls]
    assert got == sent["tool_calls"]


def test_what_was_not_recorded_is_the_sdk_s_own_error(cohere_client: Any) -> None:
    import cohere

    with pytest.raises(cohere.errors.NotFoundError) as caught:
        cohere_client.chat(model="cohere/command-r7b-12-2024", messages=[{"role": "user", "content": "new"}])
    assert set(caught.value.body) == {"id", "message"}
