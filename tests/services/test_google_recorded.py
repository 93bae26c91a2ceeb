"""The unmodified Google SDK (google-genai), through a real server, to what Gemini really answered."""

import json
from typing import Any

import pytest

from tests.path.replayed import FOLDER, answered, asked, recorded

pytestmark = pytest.mark.services
# Of these the SDK of today writes another body than the one that was recorded, in other spellings of names.
SPELLED_ANEW = {"gemini/text_file", "gemini/thinking_stream", "gemini/video_url"}
PLACES = [
    (file.removesuffix(".yaml"), number)
    for file in FOLDER.files
    if file.startswith("gemini/") and file.removesuffix(".yaml") not in SPELLED_ANEW
    for number, one in enumerate(FOLDER.again(file))
    if "enerateContent" in one.path and one.status == 200
]
WHOLE = [place for place in PLACES if not recorded(*place).is_stream]
STREAMS = [place for place in PLACES if recorded(*place).is_stream]


def of(file: str, number: int = 0) -> dict[str, Any]:
    """A recorded request as the SDK takes it."""
    body = asked(file, number)
    rest = {name: value for name, value in body.items() if name not in ("contents", "generationConfig")}
    config = {**body.get("generationConfig", {}), **rest, "automaticFunctionCalling": {"disable": True}}
    model = recorded(file, number).path.split("/models/")[1].partition(":")[0]
    return {"model": f"gemini/{model}", "contents": body["contents"], "config": config}


def chunks(file: str, number: int = 0) -> list[dict[str, Any]]:
    lines = recorded(file, number).response.body.decode().replace("\r\n", "\n").split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def gist(answers: list[dict[str, Any]]) -> list[Any]:
    """Text, calls, seals and finish reasons, in their order."""
    found: list[Any] = []
    for answer in answers:
        for candidate in answer.get("candidates") or ():
            for part in (candidate.get("content") or {}).get("parts") or ():
                call = part.get("functionCall") or {}
                seal = (part.get("thoughtSignature") or "").replace("-", "+").replace("_", "/")
                found.append((part.get("text"), call.get("name"), call.get("args") or {}, seal.rstrip("=")))
            found.append(candidate.get("finishReason"))
    return [one for one in found if one]


def dumped(answer: Any) -> dict[str, Any]:
    made: dict[str, Any] = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    return made


@pytest.mark.parametrize(("file", "number"), WHOLE)
def test_the_answer_is_what_the_provider_said(google_client: Any, file: str, number: int) -> None:
    answer = google_client.models.generate_content(**of(file, number))
    known = answered(file, number)
    assert gist([dumped(answer)]) == gist([known])
    usage = known["usageMetadata"]
    assert answer.usage_metadata.prompt_token_count == usage["promptTokenCount"]
    assert answer.usage_metadata.thoughts_token_count == usage.get("thoughtsTokenCount")
    assert answer.sdk_http_response.headers["x-wicket-deployment"] == of(file, number)["model"]


@pytest.mark.parametrize(("file", "number"), STREAMS)
def test_a_stream_is_what_was_recorded(google_client: Any, file: str, number: int) -> None:
    got = [dumped(one) for one in google_client.models.generate_content_stream(**of(file, number))]
    known = chunks(file, number)
    assert gist(got) == gist(known) and len(got) == len(known)
    assert got[-1]["usageMetadata"]["totalTokenCount"] == known[-1]["usageMetadata"]["totalTokenCount"]


def test_structured_output(google_client: Any) -> None:
    answer = google_client.models.generate_content(**of("gemini/json_schema"))
    assert json.loads(answer.text) == json.loads(gist([answered("gemini/json_schema")])[0][0])


def test_calls_come_as_the_sdk_names_them(google_client: Any) -> None:
    (call,) = google_client.models.generate_content(**of("gemini/tools_turns")).function_calls
    known = gist([answered("gemini/tools_turns")])[0]
    assert (call.name, call.args) == known[1:3]
    (last,) = google_client.models.generate_content(**of("gemini/tools_turns", 1)).function_calls
    assert (last.name, last.args) == gist([answered("gemini/tools_turns", 1)])[0][1:3]


def test_a_model_that_does_not_exist(google_client: Any) -> None:
    from google.genai import errors

    with pytest.raises(errors.ClientError) as caught:
        google_client.models.generate_content(**of("gemini/error_model"))
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    assert caught.value.message == answered("gemini/error_model")["error"]["message"]
