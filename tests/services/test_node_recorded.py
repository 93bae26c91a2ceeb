"""The unmodified SDKs of OpenAI and Anthropic for Node, to what their providers really answered."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.path.house import Gateway
from tests.path.replayed import FOLDER, answered, asked, recorded

pytestmark = pytest.mark.services
LIMIT_S = 180
ENDS = {"openai": "/chat/completions", "anthropic": "/messages"}
PLACES = [
    (file.removesuffix(".yaml"), number)
    for file in FOLDER.files
    for number, one in enumerate(FOLDER.again(file))
    if one.provider in ENDS and one.path.endswith(ENDS[one.provider]) and one.method == "POST"
]
REFUSED_HERE = {"openai/error_request": "'max_tokens' must be at least 1"}  # nobody is asked that


def events(file: str, number: int) -> list[Any]:
    """The events of a recorded stream. Anthropic's SDK keeps pings, OpenAI's end mark is no event."""
    lines = recorded(file, number).response.body.decode().replace("\r\n", "\n").split("\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


@pytest.fixture(scope="module")
def got(node_folder: Path, recorded_house: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Any:
    questions = []
    for file, number in PLACES:
        sdk, body = file.split("/")[0], asked(file, number)
        body["model"] = f"{sdk}/{body['model']}"
        questions.append({"id": f"{file}#{number}", "sdk": sdk, "body": body})
    written = tmp_path_factory.mktemp("questions") / "questions.json"
    written.write_text(json.dumps(questions))
    ran = subprocess.run(
        ["node", "recorded.mjs", recorded_house.url, recorded_house.key, str(written)],
        check=False,
        cwd=node_folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize(("file", "number"), PLACES)
def test_node_s_sdks_give_what_the_provider_said(got: Any, file: str, number: int) -> None:
    found, one = got[f"{file}#{number}"], recorded(file, number)
    if file in REFUSED_HERE:
        assert found["status"] == 400 and REFUSED_HERE[file] in found["said"]
    elif one.status >= 400:
        assert found["status"] == one.status and found["thrown"].endswith("Error")
        assert answered(file, number)["error"]["message"] in found["said"].replace('\\"', '"')
    elif one.is_stream:
        known = [event for event in events(file, number) if not _is_apart(event)]
        assert [event for event in found if not _is_apart(event)] == known != []
    else:
        assert found == answered(file, number)


def _is_apart(event: dict[str, Any]) -> bool:
    """Pings, and the usage of OpenAI's streams, which comes last and with its cost."""
    return event.get("type") == "ping" or (event.get("choices") == [] and bool(event.get("usage")))
