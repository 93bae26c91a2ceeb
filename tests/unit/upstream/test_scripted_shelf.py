"""What the scripted upstream keeps: by credential, one step further at each look."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wicket.upstream.scripted_script import Rule, Script, understand
from wicket.upstream.scripted_shelf import Shelf

LINES = [
    {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": "m", "messages": [{"role": "user", "content": "Two words"}]}},
    {"custom_id": "b", "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": "m", "messages": [{"role": "user", "content": "FAIL"}]}},
]  # fmt: skip


class Asking:
    def __init__(self, looks: int = 2) -> None:
        self.shelf, self.script = Shelf(), Script(looks=looks)

    def __call__(self, method: str, path: str, body: Any = None, key: str = "k") -> Any:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        found = self.shelf.answer(self.script, Rule(), understand(method, path, key, data))
        return found if found.status != 200 or found.events else found.body


def test_an_answer_in_the_background_is_over_at_its_look() -> None:
    ask = Asking()
    made = ask("POST", "/v1/responses", {"model": "m", "input": "Two words", "background": True})
    path = f"/v1/responses/{made['id']}"
    assert made["status"] == "queued" and ask("GET", path, key="other").status == 404
    assert ask("GET", path)["status"] == "in_progress"
    done = ask("GET", path)
    assert done["status"] == "completed" and done["usage"]["input_tokens"] == 2
    assert ask("POST", path + "/cancel")["status"] == "completed"
    events = [event for event, _ in ask("GET", path + "?stream=true&starting_after=1").events]
    assert events[0]["sequence_number"] == 2 and events[-1]["type"] == "response.completed"
    assert ask("DELETE", path)["deleted"] and ask("GET", path).status == 404


def test_what_is_called_off_stays_so() -> None:
    ask = Asking()
    made = ask("POST", "/v1/responses", {"model": "m", "input": "x", "background": True})
    path = f"/v1/responses/{made['id']}"
    assert ask("POST", path + "/cancel")["status"] == "cancelled"
    assert [ask("GET", path)["status"] for _ in range(3)] == ["cancelled"] * 3


@pytest.mark.parametrize("is_off", [False, True])
def test_a_batch_runs_its_lines_unless_it_is_called_off(is_off: bool) -> None:
    ask = Asking()
    data = b"".join(json.dumps(line).encode() + b"\n" for line in LINES)
    form = (
        b'--e\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        b'--e\r\ncontent-disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n%b\r\n--e--\r\n'
        % data
    )
    file = ask("POST", "/v1/files", form)
    assert (file["filename"], file["purpose"], file["bytes"]) == ("in.jsonl", "batch", len(data))
    assert ask("GET", f"/v1/files/{file['id']}/content") == data
    wanted = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    assert ask("POST", "/v1/batches", wanted, key="other").status == 400
    path = f"/v1/batches/{ask('POST', '/v1/batches', wanted)['id']}"
    if is_off:
        assert ask("POST", path + "/cancel")["status"] == "cancelling"
        assert ask("GET", path)["status"] == "cancelled"
        return
    assert [ask("GET", path)["status"] for _ in range(2)] == ["in_progress", "completed"]
    done = ask("GET", path)
    assert done["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    good = json.loads(ask("GET", f"/v1/files/{done['output_file_id']}/content"))
    bad = json.loads(ask("GET", f"/v1/files/{done['error_file_id']}/content"))
    assert (good["custom_id"], good["response"]["status_code"]) == ("a", 200)
    assert good["response"]["body"]["usage"]["prompt_tokens"] == 2
    assert (bad["custom_id"], bad["response"]["status_code"]) == ("b", 400)
