"""What callers say of answers, and the commands around examples: through a running server and without one."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.path.house import Answer, Gateway, Provider, rule
from tests.path.served import eventually
from tests.path.test_collect import ANSWER, CONFIG, MAIL, PROMPT, TOKEN, export, kept


@pytest.fixture
def served(provider: Provider, open_gateway: Any) -> Gateway:
    provider.script(rule(text=ANSWER))
    running: Gateway = open_gateway(CONFIG)
    return running


def say(served: Gateway, key: str = "", **said: Any) -> Answer:
    return served.post("/v1/feedback", said, key)


def asked(served: Gateway, key: str = "", model: str = "slots", **fields: Any) -> str:
    """A request's id, once its record is there."""
    answer = served.chat(model, key=key, **{"messages": PROMPT, **fields})
    id = answer.headers["x-request-id"]
    served.record(id)
    return id


def wicket(served: Gateway, *words: str) -> "subprocess.CompletedProcess[str]":
    environ = {name: text for name, text in os.environ.items() if not name.startswith("WICKET_")}
    environ["WICKET_HOME"] = str(served.home)
    command = [sys.executable, "-m", "wicket.cli", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def document(served: Gateway, *words: str) -> Any:
    done = wicket(served, *words, "--json")
    assert done.returncode == 0 and done.stderr == "", done
    return json.loads(done.stdout)


def test_corrected_answers_outrank_logged_ones(served: Gateway) -> None:
    id = asked(served)
    assert say(served, request_id=id, score=0.25).json == {
        "object": "feedback",
        "request_id": id,
        "score": 0.25,
        "corrected": False,
    }
    (found,) = export(served)
    assert found["meta"]["score"] == 0.25 and found["meta"]["source"] == "logged"
    right = {"mail": MAIL, "phone": None}
    assert say(served, request_id=id, corrected=right).json["score"] == 0.25  # a correction keeps the score
    assert say(served, request_id=id, score=0).json["corrected"] is True  # and the other way round
    (found,) = export(served)
    assert found["messages"][-1] == {"role": "assistant", "content": '{"mail":"[EMAIL_1]","phone":null}'}
    assert (found["meta"]["corrected"], found["meta"]["score"]) == (True, 0)
    assert found["meta"]["source"] == "corrected"
    (task,) = [task for task in served.admin("GET", "/admin/v1/tasks")["data"] if task["task"] == "booking"]
    assert (task["corrected"], task["scored"]) == (1, 1)


def test_a_caller_speaks_of_their_own_requests_only(served: Gateway) -> None:
    ada, bob = (served.admin("POST", "/admin/v1/keys", {"name": name}) for name in ("ada", "bob"))
    id = asked(served, ada["key"])
    assert say(served, ada["key"], request_id=id, score=1).status == 200
    for key in (bob["key"], served.admin("POST", "/admin/v1/keys", {"name": "eve"})["key"]):
        refused = say(served, key, request_id=id, corrected="mine now")
        assert refused.status == 404 and refused.error["param"] == "request_id"
    (found,) = export(served)
    assert found["meta"]["key"] == ada["id"] and found["meta"]["source"] == "logged"
    assert say(served, request_id=id, score=0.5).status == 200  # the operator speaks of all
    assert served.request("POST", "/v1/feedback", b"{}", key=None).status == 401


BAD: list[tuple[dict[str, Any], str]] = [
    ({"request_id": 5, "score": 1}, "request_id"),
    ({"request_id": "req_1", "score": 1}, "request_id"),
    ({"request_id": "'; DROP TABLE feedback; --", "score": 1}, "request_id"),
    ({"request_id": None, "score": 1}, "request_id"),
    ({"score": 1.5}, "score"),
    ({"score": -0.1}, "score"),
    ({"score": "good"}, "score"),
    ({"score": True}, "score"),
    ({"corrected": 7}, "corrected"),
    ({"corrected": ["a"]}, "corrected"),
    ({"corrected": False}, "corrected"),
    ({"corrected": ""}, "score"),
    ({}, "score"),
    ({"score": 1, "colour": "red"}, "colour"),
]


def test_bad_feedback_names_its_field_and_changes_nothing(served: Gateway) -> None:
    answer = served.chat("slots", messages=PROMPT)
    before = kept(served, answer)
    id = answer.headers["x-request-id"]
    served.record(id)
    assert say(served, score=1).error["param"] == "request_id"
    for said, param in BAD:
        refused = say(served, **{"request_id": id, **said})
        assert refused.status == 400 and refused.error["param"] == param, (said, refused.body)
    assert export(served) == before


def test_bodies_that_are_no_json_or_too_long_are_refused(served: Gateway) -> None:
    id = asked(served)
    for body in (b'{"request_id": "\xff"}', b"[]", b"{", b'{"request_id": "\\ud800"}'):
        assert served.post("/v1/feedback", body).status == 400
    assert say(served, request_id=id, corrected="x" * 70_000).status == 413
    assert say(served, request_id="req_0123456789abcdef", score=1).status == 404


def test_no_words_are_kept_of_a_request_that_is_not_collected(served: Gateway) -> None:
    id = asked(served, model="plain")
    refused = say(served, request_id=id, corrected="canary-words")
    assert refused.status == 409 and refused.error["param"] == "corrected"
    assert say(served, request_id=id, score=1).status == 200  # a number can be kept
    for file in served.home.glob("examples.db*"):
        assert b"canary-words" not in file.read_bytes()


def test_a_correction_with_several_values_of_a_kind_is_given_in_placeholders(served: Gateway) -> None:
    text = f"From {MAIL} to bob@there.example"
    id = asked(served, messages=[{"role": "user", "content": text}])
    refused = say(served, request_id=id, corrected="bob@there.example")
    assert refused.status == 409 and "[EMAIL_1]" in refused.error["message"]
    assert say(served, request_id=id, corrected="[EMAIL_2]").status == 200
    (found,) = export(served)
    assert found["messages"][0]["content"] == "From [EMAIL_1] to [EMAIL_2]"
    assert found["messages"][-1]["content"] == "[EMAIL_2]"


def commands(served: Gateway, id: str, folder: Path) -> None:
    """The same on both ways: through the server, and on its disk."""
    said = document(served, "feedback", id, "--score", "0.5", "--corrected", '{"mail": "[EMAIL_1]"}')
    assert said == {"object": "feedback", "request_id": id, "score": 0.5, "corrected": True}
    lines = wicket(served, "logs", "export", "--task", "booking", "--since", "7d").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    assert len(found) == 2 and found[0]["meta"]["id"] == id and found[0]["meta"]["source"] == "corrected"
    assert found[0]["messages"][-1]["content"] == '{"mail": "[EMAIL_1]"}'
    assert document(served, "logs", "export", "--task", "booking") == found
    out = folder / "examples.jsonl"
    done = document(served, "logs", "export", "--task", "booking", "--out", str(out))
    assert done == {"task": "booking", "examples": 2, "file": str(out)}
    assert [json.loads(line) for line in out.read_text().splitlines()] == found
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    tasks = {task["task"]: task for task in document(served, "tasks", "list")}
    assert tasks["booking"]["examples"] == 2 and tasks["booking"]["corrected"] == 1
    assert "booking" in wicket(served, "tasks", "list").stdout
    assert f"{id}: score 1, corrected" in wicket(served, "feedback", id, "--score", "1").stdout
    assert document(served, "logs", "erase", "--request", id) == {"erased": 1}
    assert "1 examples are erased" in wicket(served, "logs", "erase", "--key", "admin").stdout
    assert wicket(served, "logs", "export", "--task", "booking").stdout == ""


def test_the_commands_through_the_server_and_on_its_disk(served: Gateway, tmp_path: Path) -> None:
    ids = [asked(served), asked(served)]
    commands(served, ids[0], tmp_path)
    ids = [asked(served), asked(served)]
    eventually(lambda: len(export(served)) == 2)
    served.close()
    commands(served, ids[0], tmp_path)
    assert TOKEN.encode() not in b"".join(file.read_bytes() for file in served.home.glob("*.db*"))


WRONG: list[tuple[list[str], str]] = [
    (["logs", "erase"], "Say what to erase"),
    (["logs", "export", "--task", "nothing"], "There is no task"),
    (["logs", "export", "--task", "booking", "--since", "soon"], "'since'"),
    (["logs", "export", "--task", "booking", "--out", "/nowhere/at/all"], "can't be written"),
    (["logs", "erase", "--key", "nobody"], "There is no key"),
    (["feedback", "req_1", "--score", "1"], "A request id is"),
    (["feedback", "req_0123456789abcdef"], "Say something"),
    (["feedback", "req_0123456789abcdef", "--score", "7"], "score"),
]


def test_what_can_not_be_done_is_one_line(served: Gateway) -> None:
    kept(served, served.chat("slots", messages=PROMPT))
    for words, said in WRONG:
        done = wicket(served, *words)
        assert done.returncode == 1 and done.stdout == "", words
        assert done.stderr.startswith("wicket: ") and said in done.stderr and done.stderr.count("\n") == 1
    assert len(export(served)) == 1


def test_the_list_of_requests_still_is_there(served: Gateway) -> None:
    id = asked(served)
    assert id in wicket(served, "logs").stdout
    assert [line["id"] for line in document(served, "logs", "--limit", "1")] == [id]
