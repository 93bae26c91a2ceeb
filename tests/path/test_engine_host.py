"""The engine's host and core as real processes over a real Unix socket, with a scripted engine."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import openai
import pytest
from pydantic import BaseModel

from tests.path.hosted import IS_LINUX, Host, ended, script
from wicket.engines import launch

TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
]
SAY: Any = [{"role": "user", "content": "hello"}]
linux = pytest.mark.skipif(not IS_LINUX, reason="reads /proc")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    with Host(folder, script(folder)) as found:
        yield found


def code(answer: httpx.Response) -> str:
    found: str = answer.json()["error"]["code"]
    return found


def test_the_sdk_gets_whole_answers(host: Host) -> None:
    found = host.sdk.chat.completions.create(model="echo", messages=SAY, temperature=0)
    assert found.choices[0].message.content == "hello" and found.choices[0].finish_reason == "stop"
    assert found.model == "echo" and found.system_fingerprint == "scripted-none"
    assert found.usage is not None and found.usage.completion_tokens == 5


def test_the_sdk_streams(host: Host) -> None:
    chunks = list(
        host.sdk.chat.completions.create(
            model="compact/echo", messages=SAY, temperature=0, stream=True, n=2,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    for index in (0, 1):
        deltas = [c.delta for chunk in chunks for c in chunk.choices if c.index == index]
        assert deltas[0].role == "assistant"
        assert "".join(delta.content or "" for delta in deltas) == "hello"
    assert chunks[-1].choices == [] and chunks[-1].usage is not None
    assert (chunks[-1].usage.completion_tokens, chunks[0].usage) == (10, None)


def test_the_sdk_parses_structured_answers(host: Host) -> None:
    class City(BaseModel):
        name: str
        people: int

    found = host.sdk.chat.completions.parse(model="echo", messages=SAY, response_format=City)
    assert found.choices[0].message.parsed == City(name="scripted", people=7)
    with host.sdk.chat.completions.stream(model="echo", messages=SAY, response_format=City) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == City(name="scripted", people=7)


def test_the_sdk_gets_tool_calls(host: Host) -> None:
    create = host.sdk.chat.completions.create
    found = create(model="echo", messages=SAY, tools=TOOLS, tool_choice="required")
    calls: Any = found.choices[0].message.tool_calls
    assert found.choices[0].finish_reason == "tool_calls" and found.choices[0].message.content is None
    assert (calls[0].function.name, json.loads(calls[0].function.arguments)) == (
        "weather",
        {"city": "scripted"},
    )
    with host.sdk.chat.completions.stream(
        model="echo", messages=SAY, tools=TOOLS, tool_choice="required"
    ) as stream:
        streamed: Any = stream.get_final_completion().choices[0]
    assert streamed.message.tool_calls[0].function.name == "weather"
    assert json.loads(streamed.message.tool_calls[0].function.arguments) == {"city": "scripted"}
    free = create(model="echo", messages=SAY, tools=TOOLS)  # the scripted engine takes the first choice
    assert free.choices[0].message.content == "scripted" and free.choices[0].finish_reason == "stop"


def test_completions_with_echo_and_logprobs(host: Host) -> None:
    create = host.sdk.completions.create
    found = create(model="echo", prompt=["ab", "cd"], temperature=0, echo=True, logprobs=2, n=2)
    assert [choice.text for choice in found.choices] == ["abab", "abab", "cdcd", "cdcd"]
    logprobs = found.choices[0].logprobs
    assert logprobs is not None and logprobs.tokens == ["a", "b", "a", "b"] and logprobs.token_logprobs
    assert logprobs.token_logprobs[0] is None and len(logprobs.token_logprobs) == 4
    scored = create(model="echo", prompt="ab", max_tokens=0, echo=True, logprobs=0).choices[0]
    assert scored.text == "ab"
    chunks = create(model="echo", prompt="xyz", temperature=0, stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "xyz"


def test_other_verbs(host: Host) -> None:
    vectors = host.sdk.embeddings.create(model="echo", input=["a", "b"])
    assert len(vectors.data) == 2 and abs(sum(x * x for x in vectors.data[0].embedding) - 1) < 1e-5
    score = host.client.post("/v1/score", json={"input": "ab", "top": 1}).json()
    assert [entry["token"] for entry in score["data"]] == ["a", "b"] and len(score["data"][1]["top"]) == 1
    labels = host.client.post("/v1/classify", json={"input": "ab"}).json()["data"][0]["labels"]
    assert labels[0] == {"label": "long", "probability": 0.75}


def test_the_card(host: Host) -> None:
    [entry] = host.sdk.models.list().data
    card = host.client.get("/v1/models/echo").json()
    assert entry.id == "echo" and card["state"] == "ready" and card["context_tokens"] == 4096
    assert "constrained JSON" in card["tool_calls"] and any("ChatML" in note for note in card["notes"])


def test_seeds_and_stop_strings(host: Host) -> None:
    first = host.chat("hi", seed=1, n=2).json()["choices"]
    assert first == host.chat("hi", seed=1, n=2).json()["choices"]
    assert first[0]["message"] != first[1]["message"]
    assert (
        host.chat("one, two", stop=[","], temperature=0).json()["choices"][0]["message"]["content"] == "one"
    )


@pytest.mark.parametrize(
    ("path", "body", "status", "expected"),
    [
        ("/v1/chat/completions", b"{", 400, "invalid_json"),
        ("/v1/chat/completions", b'{"messages":[]}', 400, "invalid_value"),
        ("/v1/completions", b'{"prompt":"a","model":"gpt"}', 404, "model_not_found"),
        ("/v1/completions", b'{"prompt":[300]}', 400, "invalid_value"),
        ("/v1/completions", b'{"prompt":"a","max_tokens":4096}', 400, "context_length_exceeded"),
        ("/v1/embeddings", b'{"input":"a","dimensions":3}', 400, "invalid_value"),
        ("/v1/score", b"{}", 400, "missing_required_parameter"),
        ("/v1/models", b"{}", 404, "not_found"),
        ("/v1/chat/completions", b" " * (9 << 20), 413, "body_too_large"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_bad_input(host: Host, path: str, body: bytes, status: int, expected: str) -> None:
    with host.connect() as client:
        answer = client.post(path, content=body)
    assert (answer.status_code, code(answer)) == (status, expected)
    assert host.client.get("/healthz").status_code == 200


def test_dropped_fields_are_reported(host: Host) -> None:
    assert host.chat("hi", reasoning_effort="low", verbosity="x").headers["x-wicket-dropped"] == (
        "reasoning_effort, verbosity"
    )


def test_a_crash_is_an_error_and_the_next_request_is_answered(host: Host) -> None:
    answer = host.chat("[[crash 2]]")
    assert (answer.status_code, code(answer)) == (503, "engine_crashed")
    assert answer.headers["retry-after"] == "1" and "SIGKILL" in answer.json()["error"]["message"]
    assert host.chat("again", temperature=0).json()["choices"][0]["message"]["content"] == "again"


def test_a_crash_in_a_stream_is_an_error_frame_and_no_end(tmp_path: Path) -> None:
    with Host(tmp_path, script(tmp_path)) as host:
        with host.streaming("hello [[crash 3]]") as lines:
            found = list(lines)
        assert json.loads(found[-1].removeprefix("data: "))["error"]["code"] == "engine_crashed"
        assert "data: [DONE]" not in found and '"finish_reason":"stop"' not in "".join(found)
        assert host.chat("again").status_code == 200
        assert code(host.chat("[[garbage 2]]")) == "engine_crashed"
        # A third crash in a row: requests no longer wait, they are told.
        assert host.chat("[[crash 1]]").status_code == 503


def test_a_hanging_engine_is_ended(tmp_path: Path) -> None:
    with Host(tmp_path, script(tmp_path), "--stall-s", "0.4") as host:
        answer = host.chat("[[hang 2]]")
        assert code(answer) == "engine_crashed" and "did not answer" in answer.json()["error"]["message"]
        assert host.chat("again").status_code == 200


@linux
def test_kill_minus_nine_of_the_core_while_it_answers(tmp_path: Path) -> None:
    with Host(tmp_path, script(tmp_path)) as host, host.streaming("[[say 4000]] [[slow 20]]") as lines:
        next(lines)
        os.kill(host.children()["wicket.engines.core"], signal.SIGKILL)
        assert "engine_crashed" in list(lines)[-1]
        assert host.chat("again").status_code == 200


@linux
def test_nothing_outlives_its_parent(tmp_path: Path) -> None:
    with Host(tmp_path, script(tmp_path)) as host:
        host.until("/readyz", 200)
        children = host.children()
        assert set(children) == {"wicket.engines.core", "wicket.engines.host.template"}
        host.process.kill()
        assert all(ended(pid) for pid in children.values())


STARTER = """
import subprocess, sys, time
subprocess.Popen(sys.argv[1:], start_new_session=True)
time.sleep(600)
"""


@linux
def test_a_host_ends_with_its_supervisor(tmp_path: Path) -> None:
    socket = tmp_path / "e.sock"
    command = launch.command("compact", script(tmp_path), socket, tmp_path)
    with subprocess.Popen([sys.executable, "-c", STARTER, *command]) as supervisor:
        children = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children")
        while not socket.exists():
            assert supervisor.poll() is None
        transport = httpx.HTTPTransport(uds=str(socket))
        with httpx.Client(transport=transport, base_url="http://engine", timeout=60) as client:
            assert client.get("/healthz").status_code == 200
        pid = int(children.read_text())
        supervisor.kill()
    assert ended(pid) and not socket.exists()


def test_a_vanished_client_frees_its_place(tmp_path: Path) -> None:
    options = launch.EngineOptions(max_batch=1, kv_tokens=10**6)
    with Host(tmp_path, script(tmp_path, context_tokens=10**6), options=options) as host:
        with host.streaming("[[say 900000]] [[slow 2]]") as lines:
            next(lines)
        assert host.chat("next").status_code == 200  # only one place: it would wait for half an hour
        body = {"prompt": "[[say 900000]] [[slow 2]]", "max_tokens": 900_000}
        with host.connect() as client, pytest.raises(httpx.ReadTimeout):
            client.post("/v1/completions", json=body, timeout=httpx.Timeout(60, read=0.3))
        assert host.chat("next").status_code == 200


def test_a_full_queue_says_when_to_return(tmp_path: Path) -> None:
    options = launch.EngineOptions(max_batch=1, queue=0, kv_tokens=10**6)
    with Host(tmp_path, script(tmp_path, context_tokens=10**6), options=options) as host:
        with host.streaming("[[say 900000]] [[slow 2]]") as lines:
            next(lines)
            answer = host.chat("next")
        assert (answer.status_code, code(answer)) == (429, "engine_queue_full")
        assert (
            answer.json()["error"]["type"] == "rate_limit_error" and int(answer.headers["retry-after"]) >= 1
        )


def test_many_at_once_all_get_their_own_answer(tmp_path: Path) -> None:
    options = launch.EngineOptions(max_batch=4, queue=64)
    with Host(tmp_path, script(tmp_path), options=options) as host:
        answers: dict[int, str] = {}

        def ask(number: int) -> None:
            with host.streaming(f"number {number}", temperature=0) as lines:
                chunks = [json.loads(line[6:]) for line in lines if line != "data: [DONE]"]
            answers[number] = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == {number: f"number {number}" for number in range(24)}


def test_a_request_during_loading_waits(tmp_path: Path) -> None:
    with Host(tmp_path, script(tmp_path, load_ms=300)) as host:
        loading = host.client.get("/readyz")
        assert (loading.status_code, loading.json()["status"]) == (503, "loading")
        assert host.chat("hi").status_code == 200
        assert host.client.get("/readyz").status_code == 200


def test_waiting_for_a_load_is_bounded(tmp_path: Path) -> None:
    with Host(tmp_path, script(tmp_path, load_ms=60_000), "--load-wait-s", "0.2") as host:
        answer = host.chat("hi")
        assert (answer.status_code, code(answer)) == (503, "engine_loading")


def test_a_broken_checkpoint_is_told_and_mended(tmp_path: Path) -> None:
    spec = script(tmp_path, refuse="the weights are from another planet")
    with Host(tmp_path, spec) as host:
        answer = host.until("/readyz", 503)
        while answer.json()["status"] == "loading":
            answer = host.client.get("/readyz")
        assert answer.json()["error"]["message"] == "the weights are from another planet"
        failed = host.chat("hi")
        assert failed.status_code == 503 and "another planet" in failed.json()["error"]["message"]
        assert host.client.get("/healthz").status_code == 200
        script(tmp_path)
        host.until("/readyz", 200)
        assert host.chat("hi").status_code == 200


def test_a_missing_model_and_an_engine_that_dies_loading(tmp_path: Path) -> None:
    with Host(tmp_path, "nothing-like-this") as host:
        assert "wicket models pull" in host.chat("hi").json()["error"]["message"]
    with Host(tmp_path, script(tmp_path, crash_at_load=True)) as host:
        assert code(host.chat("hi")) == "engine_crashed"


@pytest.mark.parametrize("template", ["{% broken", "{{ ''.__class__.__mro__ }}"])
def test_a_hostile_template_leaves_the_host_up(tmp_path: Path, template: str) -> None:
    with Host(tmp_path, script(tmp_path, chat_template=template)) as host:
        answer = host.chat("hi")
        assert (answer.status_code, code(answer)) == (503, "template_failed")
        assert host.client.post("/v1/completions", json={"prompt": "a"}).status_code in (200, 503)
        assert host.client.get("/healthz").status_code == 200


def test_sigterm_lets_what_runs_finish(tmp_path: Path) -> None:
    with Host(tmp_path, script(tmp_path)) as host:
        with host.streaming("[[say 60]] [[slow 10]]") as lines:
            next(lines)
            host.process.terminate()
            assert list(lines)[-1] == "data: [DONE]"
        assert host.process.wait(30) == 0
        assert not host.socket.exists()


def test_the_socket_is_private_and_not_shared(host: Host) -> None:
    assert stat.S_IMODE(host.socket.stat().st_mode) == 0o600
    command = launch.command("compact", "x", host.socket, host.socket.parent)
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1 and second.stdout == ""
    assert second.stderr == f"wicket: Can't listen at {host.socket}: another engine is listening there.\n"


def test_no_key_reaches_an_engine() -> None:
    kept = launch.environment({"PATH": "/bin", "OPENAI_API_KEY": "x", "WICKET_ADMIN_KEY": "y", "LC_ALL": "C"})
    assert kept == {"PATH": "/bin", "LC_ALL": "C"}


def test_the_sdk_raises_its_own_errors(host: Host) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        host.sdk.chat.completions.create(model="echo", messages=SAY, max_tokens=10**6)
    assert caught.value.code == "context_length_exceeded" and "4096 tokens" in caught.value.message
