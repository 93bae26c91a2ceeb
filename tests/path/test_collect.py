"""Examples over the real server: what is kept of whole and streamed answers, for whom, and what is erased."""

import json
import signal
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.path.house import Answer, Gateway, Provider, rule, sse, stream_rule
from tests.path.served import eventually
from wicket.accounts.request_ids import parse_id

CONFIG = """
[server]
port = 0
workers = 1
[providers.mine]
base_url = "{url}"
api_key = "{secret}"
[models.slots]
deployments = ["mine/first", "mine/second"]
collect = "booking"
[models.tenth]
deployments = ["mine/first"]
collect = "rare"
[models.plain]
deployments = ["mine/first"]
[tasks.rare]
sample = 0.1
[tasks.asked]
by_header = true
scrub = []
[tasks.booking]
retention_days = 7
"""
MAIL = "ada.lovelace@analytical.example"
TOKEN = "sk-live0123456789abcdefABCDEF"
PROMPT = [
    {"role": "system", "content": "Extract the contact."},
    {"role": "user", "content": f"Write to {MAIL}, my token is {TOKEN}. Call +44 20 7946 0958!"},
]
ANSWER = json.dumps({"mail": MAIL, "phone": "+44 20 7946 0958"})
CALL = {"name": "book", "arguments": json.dumps({"mail": MAIL, "people": 4})}


def export(served: Gateway, task: str = "booking", **query: str) -> list[dict[str, Any]]:
    """What the administration gives out, once the requests that were answered are there."""
    more = "".join(f"&{name}={value}" for name, value in query.items())
    answer = served.request("GET", f"/admin/v1/examples?task={task}{more}")
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.body.splitlines()]


def kept(served: Gateway, *answers: Answer, task: str = "booking") -> list[dict[str, Any]]:
    """The examples of these requests, in their order, once they are there."""
    ids = [answer.headers["x-request-id"] for answer in answers]

    def found() -> dict[str, dict[str, Any]]:
        return {line["meta"]["id"]: line for line in export(served, task)}

    eventually(lambda: set(ids) <= found().keys())
    return [found()[id] for id in ids]


def left_out(served: Gateway) -> dict[str, int]:
    found: dict[str, int] = served.admin("GET", "/admin/v1/status")["collector"]["left_out"]
    return found


def everything_written(served: Gateway) -> bytes:
    """All bytes of the data folder but the keys."""
    files = [path for path in served.home.rglob("*") if path.is_file() and path.suffix != ".key"]
    return b"".join(path.read_bytes() for path in files)


@pytest.fixture
def served(provider: Provider, open_gateway: Any) -> Iterator[Gateway]:
    provider.script(rule(text=ANSWER))
    running: Gateway = open_gateway(CONFIG)
    yield running
    said = running.heard()
    for leak in ("Traceback", MAIL, TOKEN, "7946"):
        assert leak not in said


def test_whole_and_streamed_answers_are_kept_alike_and_scrubbed(served: Gateway) -> None:
    asked = served.chat("slots", messages=PROMPT, user="ada", metadata={"who": MAIL}, temperature=0)
    streamed = served.chat("slots", messages=PROMPT, stream=True)
    assert (
        json.loads(asked.json["choices"][0]["message"]["content"])["mail"] == MAIL
    )  # callers get it as it is
    assert streamed.text == ANSWER
    first, second = kept(served, asked, streamed)
    assert (
        first["messages"]
        == second["messages"]
        == [
            PROMPT[0],
            {"role": "user", "content": "Write to [EMAIL_1], my token is [SECRET_1]. Call [PHONE_1]!"},
            {"role": "assistant", "content": '{"mail": "[EMAIL_1]", "phone": "[PHONE_1]"}'},
        ]
    )
    assert first["meta"] == {
        "id": asked.headers["x-request-id"],
        "at": first["meta"]["at"],
        "task": "booking",
        "model": "slots",
        "deployment": "mine/first",
        "key": "admin",
        "corrected": False,
        "score": None,
        "confidence": None,
        "source": "logged",
    }
    written = everything_written(served)
    for secret in (MAIL, TOKEN, "7946 0958", '"who"'):
        assert secret.encode() not in written
    assert stat.S_IMODE((served.home / "examples.db").stat().st_mode) == 0o600


def test_tool_calls_are_kept_with_their_arguments_scrubbed(served: Gateway, provider: Provider) -> None:
    provider.script(rule(tool_calls=[CALL, {"name": "note", "arguments": "{}"}]))
    tools = [{"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}]
    whole = served.chat("slots", messages=PROMPT, tools=tools)
    streamed = served.chat("slots", messages=PROMPT, tools=tools, stream=True)
    for found in kept(served, whole, streamed):
        assert found["tools"] == tools
        answer = found["messages"][-1]
        assert answer["content"] is None
        functions = [call["function"] for call in answer["tool_calls"]]
        assert functions[0]["name"] == "book" and functions[1] == {"name": "note", "arguments": "{}"}
        assert json.loads(functions[0]["arguments"]) == {"mail": "[EMAIL_1]", "people": 4}
        assert all(call["id"] and call["type"] == "function" for call in answer["tool_calls"])


def test_what_can_not_be_learned_from_is_left_out_and_counted(served: Gateway, provider: Provider) -> None:
    provider.script(
        rule(when={"contains": "LONG"}, finish_reason="length"),
        rule(when={"contains": "FAIL"}, error="context_length"),
        rule(when={"contains": "CUT"}, cut_after=2),
    )

    def ask(text: Any, **fields: Any) -> Answer:
        return served.chat("slots", messages=[{"role": "user", "content": text}], **fields)

    assert ask("LONG").status == ask("LONG", stream=True).status == 200
    assert ask("two", n=2).status == 200
    assert ask("FAIL").status >= 400
    assert b'"error"' in ask("CUT", stream=True).body
    assert ask("x" * 300_000).status == 200
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    assert ask(picture).status == 200
    assert served.chat("slots", messages=["no message"]).status == 200
    broken = b'{"model": "slots", "messages": [{"role": "user", "content": "\xff"}]}'
    assert served.post("/v1/chat/completions", broken).status == 400
    assert ask("half of a pair \ud83d").status == 400
    served.post("/v1/completions", {"model": "slots", "prompt": "not a chat"})
    good = ask("good")
    (found,) = kept(served, good)
    assert len(export(served)) == 1 and found["messages"][0]["content"] == "good"
    counted = left_out(served)
    assert counted["too_large"] == 1 and counted["not_text"] == 1 and counted["unreadable"] == 1
    assert counted["unfit"] >= 2


def test_a_sample_is_a_sample_and_off_is_off(served: Gateway) -> None:
    for _ in range(60):
        last = served.chat("tenth", messages=PROMPT)
    refused = served.post(
        "/v1/chat/completions", {"model": "slots", "messages": PROMPT}, x_wicket_collect="Off"
    )
    assert refused.status == 200
    served.chat("plain", messages=PROMPT)
    kept(served, served.chat("slots", messages=PROMPT))
    assert last.status == 200 and 0 < len(export(served, "rare")) < 30
    assert len(export(served)) == 1
    assert left_out(served)["refused"] == 1
    metrics = served.request("GET", "/metrics").body.decode()
    assert 'wicket_examples_total{task="booking"} 1' in metrics
    assert "wicket_examples_refused_total 1" in metrics


def test_callers_may_ask_for_it_where_the_operator_lets_them(served: Gateway, provider: Provider) -> None:
    body = {"model": "plain", "messages": PROMPT}
    asked = served.post("/v1/chat/completions", body, x_wicket_collect="asked")
    (found,) = kept(served, asked, task="asked")
    assert MAIL in found["messages"][1]["content"]  # this task scrubs nothing
    provider.script(rule(text=ANSWER))
    for task in ("rare", "booking", "none", "asked'; DROP TABLE examples; --", "x" * 900):
        refused = served.post("/v1/chat/completions", body, x_wicket_collect=task)
        assert refused.status == 400 and refused.error["param"] == "x-wicket-collect"
        assert refused.error["code"] == "unknown_task" and task not in refused.error["message"]
    vectors = served.post("/v1/embeddings", {"model": "plain", "input": "x"}, x_wicket_collect="asked")
    assert vectors.status == 400 and vectors.error["param"] == "x-wicket-collect"
    assert provider.log == []
    # on one connection: the head of a request with the header is never taken for another's
    with served.dial() as connection:
        data = json.dumps(body).encode()
        for line in ("x-wicket-collect: asked", "x-wicket-collect: off", "x-plain: 1"):
            head = served.head(data, line, f"content-length: {len(data)}")
            for _ in range(2):
                connection.sendall(head)
                received = b""
                while b"x-wicket-deployment" not in received or not received.endswith(b"}"):
                    received += connection.recv(65_536)
                assert received.startswith(b"HTTP/1.1 200")
    kept(served, served.post("/v1/chat/completions", body, x_wicket_collect="asked"), task="asked")
    assert len(export(served, "asked")) == 4


def test_the_answer_that_the_caller_got_is_the_one_that_is_kept(served: Gateway, provider: Provider) -> None:
    provider.script(rule("first", status=500), rule("second", text="from the second"))
    found = kept(served, served.chat("slots"), served.chat("slots", stream=True))
    assert [line["meta"]["deployment"] for line in found] == ["mine/second"] * 2
    assert [line["messages"][-1]["content"] for line in found] == ["from the second"] * 2


def test_a_stream_is_put_together_however_it_is_cut(served: Gateway, provider: Provider) -> None:
    frames = [
        {"delta": {"role": "assistant", "content": ""}},
        *({"delta": {"content": piece}} for piece in ("Zwölf ", "Boxk", "ämpfer ☃")),
        {"delta": {}, "finish_reason": "stop"},
    ]
    lines = [json.dumps({"id": "c", "choices": [{"index": 0, **f}]}, ensure_ascii=False) for f in frames]
    provider.script(stream_rule(sse(*(line.encode() for line in lines), b"[DONE]"), split_every=7))
    (found,) = kept(served, served.chat("slots", stream=True))
    assert found["messages"][-1] == {"role": "assistant", "content": "Zwölf Boxkämpfer ☃"}


def test_erased_means_that_the_bytes_are_gone(served: Gateway) -> None:
    canaries = [f"canary-{number}-" + "q" * 40 for number in range(30)]
    made = served.admin("POST", "/admin/v1/keys", {"name": "<script>alert(1)</script>"})
    answers = [
        served.chat("slots", messages=[{"role": "user", "content": text}], key=made["key"])
        for text in canaries
    ]
    mine = served.chat("slots", messages=[{"role": "user", "content": "stays-" + "z" * 40}])
    kept(served, *answers, mine)
    files = [served.home / f"examples.db{end}" for end in ("", "-wal")]
    assert all(text.encode() in b"".join(file.read_bytes() for file in files) for text in canaries)
    one = answers[0].headers["x-request-id"]
    assert served.admin("DELETE", f"/admin/v1/examples?request={one}") == {"erased": 1}
    assert served.admin("DELETE", f"/admin/v1/examples?key={made['id']}") == {"erased": 29}
    left = b"".join(file.read_bytes() for file in files if file.exists())
    assert not [text for text in canaries if text.encode() in left]
    assert b"stays-" in left and len(export(served)) == 1
    assert served.admin("DELETE", "/admin/v1/examples?task=booking") == {"erased": 1}
    assert served.admin("DELETE", "/admin/v1/examples?task=booking") == {"erased": 0}


WRONG: list[tuple[str, str, int, str | None]] = [
    ("DELETE", "", 400, "key"),
    ("DELETE", "?task=", 400, "task"),
    ("DELETE", "?request=1", 400, "request"),
    ("DELETE", "?colour=1", 400, "colour"),
    ("DELETE", "?key=nobody", 404, None),
    ("GET", "", 400, "task"),
    ("GET", "?task=none'--", 404, "task"),
    ("GET", "?task=booking&since=yesterday", 400, "since"),
    ("GET", "?task=booking&minis=yes", 400, "minis"),
]


def test_a_wrong_question_changes_nothing(served: Gateway) -> None:
    kept(served, served.chat("slots", messages=PROMPT))
    for method, query, status, param in WRONG:
        answer = served.request(method, f"/admin/v1/examples{query}")
        assert answer.status == status and answer.error["param"] == param, query
    twins = [served.admin("POST", "/admin/v1/keys", {"name": "twin"})["id"] for _ in range(2)]
    ambiguous = served.request("DELETE", "/admin/v1/examples?key=twin")
    assert ambiguous.status == 409 and all(id in ambiguous.error["message"] for id in twins)
    assert len(export(served)) == 1


def test_only_the_operator_sees_examples(served: Gateway) -> None:
    key = served.admin("POST", "/admin/v1/keys", {"name": "ada"})["key"]
    for method, path in (("GET", "/admin/v1/examples?task=booking"), ("GET", "/admin/v1/tasks")):
        assert served.request(method, path, key=key).status == 403
    assert served.request("DELETE", "/admin/v1/examples?task=booking", key=key).status == 403


def test_pages_are_joined_oldest_first(served: Gateway) -> None:
    texts = [f"number {number}" for number in range(230)]
    for text in texts:
        last = served.chat("slots", messages=[{"role": "user", "content": text}])
    kept(served, last)
    found = export(served)
    assert [line["messages"][0]["content"] for line in found] == texts
    assert export(served, since="1h") == found
    assert export(served, since="2099-01-01") == []
    (task,) = [task for task in served.admin("GET", "/admin/v1/tasks")["data"] if task["task"] == "booking"]
    assert task["examples"] == 230 and task["by_minis"] == 0 and task["retention_days"] == 7
    assert task["bytes"] > 0 and task["first_at"] <= task["last_at"]


def test_a_killed_supervisor_leaves_a_whole_database(provider: Provider, open_gateway: Any) -> None:
    provider.script(rule(text=ANSWER))
    served = open_gateway(CONFIG)
    answers = [served.chat("slots", messages=PROMPT, stream=number % 2 == 0) for number in range(20)]
    before = kept(served, *answers)
    served.chat("slots", messages=PROMPT)
    served.process.send_signal(signal.SIGKILL)
    served.close()
    with closing(sqlite3.connect(served.home / "examples.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    again = Gateway(served.home.parent)
    try:
        again.wait_ready()
        assert [line for line in export(again) if line in before] == before
        for answer in answers:
            assert again.record(answer.headers["x-request-id"])["outcome"] == "ok"
        kept(again, again.chat("slots", messages=PROMPT))
    finally:
        again.close()


@pytest.mark.parametrize("state", ["damaged", "foreign", "folder"])
def test_a_broken_database_of_examples_hurts_nobody_else(
    provider: Provider, open_gateway: Any, tmp_path: Path, state: str
) -> None:
    file = tmp_path / "0" / "home" / "examples.db"
    file.parent.mkdir(parents=True)
    if state == "damaged":
        file.write_bytes(b"not a database at all" * 500)
    elif state == "folder":
        file.mkdir()
    else:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE somebody_elses (x)")
    served = open_gateway(CONFIG)
    answer = served.chat("slots", messages=PROMPT)
    assert answer.status == 200
    assert served.record(answer.headers["x-request-id"])["outcome"] == "ok"
    eventually(lambda: left_out(served).get("database") == 1)
    status = served.admin("GET", "/admin/v1/status")
    assert status["collector"]["state"] == "fault" and "examples.db" in status["collector"]["fault"]
    assert status["ledger"]["state"] == "open" and status["ledger"]["faults"] == 0
    refused = served.request("GET", "/admin/v1/examples?task=booking")
    assert refused.status == 503 and "examples.db" in refused.error["message"]
    assert served.request("DELETE", "/admin/v1/examples?task=booking").status == 503
    assert served.chat("slots", stream=True).status == 200


def test_a_reload_begins_and_ends_the_collecting(served: Gateway) -> None:
    text = served.file.read_text()
    served.file.write_text(
        text.replace('collect = "booking"\n', "").replace("[models.plain]", "[models.other]")
    )
    served.admin("POST", "/admin/v1/config/reload")
    served.chat("slots", messages=PROMPT)
    served.file.write_text(text)
    served.admin("POST", "/admin/v1/config/reload")
    eventually(lambda: served.chat("plain").status == 200)
    answer = served.chat("slots", messages=PROMPT)
    kept(served, answer)
    assert [line["meta"]["id"] for line in export(served)] == [answer.headers["x-request-id"]]
    assert parse_id(answer.headers["x-request-id"]) > 0
