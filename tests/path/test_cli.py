"""The command line against a real server (supervisor, worker, database) with a small provider behind it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from wicket.accounts.request_ids import format_id

WICKET = [sys.executable, "-m", "wicket.cli"]
LIMIT_S = 30.0
CONFIG = """
[server]
port = 0
[providers.mine]
base_url = "{url}"
api_key = "not-a-real-key"
models = ["big"]
prices.big = {{ input = 0.5, output = 1.5 }}
"""


class Provider:
    """An OpenAI-compatible provider that repeats what it is told. `asked` keeps the bodies."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.app = Starlette(routes=[Route("/v1/chat/completions", self.answer, methods=["POST"])])

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        text = body["messages"][-1]["content"]
        if text == "too long":
            error = {
                "message": "This model's maximum context length is 8 tokens, but 9 were given.",
                "type": "invalid_request_error",
                "param": "messages",
                "code": "context_length_exceeded",
            }
            return JSONResponse({"error": error}, 400)
        return StreamingResponse(self.frames(body["model"], text), media_type="text/event-stream")

    async def frames(self, model: str, text: str) -> Any:
        for word in re.findall(r"\S+\s*", f"echo: {text}"):
            yield frame(model, choices=[{"index": 0, "delta": {"content": word}, "finish_reason": None}])
        if text == "wait":
            await asyncio.Event().wait()  # until the caller leaves
        yield frame(model, choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
        used = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
        yield frame(model, choices=[], usage=used)
        yield b"data: [DONE]\n\n"


def frame(model: str, **fields: Any) -> bytes:
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model, **fields}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


@contextmanager
def providing(provider: Provider) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(provider.app, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class Place:
    """A data folder, and the commands run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: text for name, text in os.environ.items() if not name.startswith("WICKET_")}
        kept = {name: text for name, text in kept.items() if not name.endswith("_API_KEY")}
        self.environ = {**kept, "WICKET_HOME": str(folder / "home"), "TERM": "xterm", "COLUMNS": "100"}

    def run(self, *words: str, given: str = "", code: int = 0, **environ: str) -> str:
        """A command's standard output; its exit code must be `code`. `self.said` is its standard error."""
        done = subprocess.run(
            [*WICKET, *words],
            input=given,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**self.environ, **environ},
            timeout=LIMIT_S,
            check=False,
        )
        self.said = done.stderr
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stdout

    def json(self, *words: str, given: str = "") -> Any:
        return json.loads(self.run(*words, "--json", given=given))


@pytest.fixture(scope="module")
def provider() -> Provider:
    return Provider()


@pytest.fixture(scope="module")
def place(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A running server."""
    place = Place(tmp_path_factory.mktemp("cli"))
    config = place.folder / "served.toml"
    with providing(provider) as url:
        config.write_text(CONFIG.format(url=url))
        with (place.folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [*WICKET, "serve", "--config", str(config)],
                stdout=log,
                stderr=log,
                cwd=place.folder,
                env=place.environ,
            )
            try:
                wait_for(place.folder / "home" / "server.json", server)
                yield place
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait(LIMIT_S)


def wait_for(file: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not file.exists():
        assert server.poll() is None, "the server has ended"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_answer_is_all_there_is_on_standard_output(place: Place, provider: Provider) -> None:
    assert place.run("ask", "say", "it") == "echo: say it\n"
    assert place.said == ""
    assert provider.asked[-1]["messages"] == [{"role": "user", "content": "say it"}]


def test_standard_input_goes_behind_the_question(place: Place, provider: Provider) -> None:
    place.run("ask", "--system", "be brief", "write the notes", given="+ a line\n")
    assert provider.asked[-1]["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "write the notes\n\n+ a line"},
    ]


def test_the_answer_as_json_has_its_cost(place: Place) -> None:
    answer = place.json("ask", "--model", "mine/big", "say it")
    assert answer["answer"] == "echo: say it"
    assert (answer["deployment"], answer["finish_reason"]) == ("mine/big", "stop")
    assert (answer["input_tokens"], answer["output_tokens"], answer["cost_usd"]) == (7, 4, 9.5e-6)
    record = recorded(place, answer["request_id"])
    assert (record["deployment"], record["cost_usd"], record["outcome"]) == ("mine/big", 9.5e-6, "ok")


def recorded(place: Place, request_id: str) -> dict[str, Any]:
    """A record, which is there a moment after its answer."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        for record in place.json("logs", "--limit", "1000"):
            if record["id"] == request_id:
                shown: dict[str, Any] = place.json("requests", "show", request_id)
                assert shown == record
                return shown
        assert time.monotonic() < deadline


def test_a_schema_is_sent_along(place: Place, provider: Provider) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    (place.folder / "schema.json").write_text(json.dumps(schema))
    place.run("ask", "--schema", "schema.json", "--seed", "3", "--temperature", "0", "a?")
    sent = provider.asked[-1]
    assert sent["response_format"]["json_schema"]["schema"] == schema
    assert (sent["seed"], sent["temperature"]) == (3, 0)


def test_a_text_that_is_too_long_is_one_helpful_line(place: Place) -> None:
    assert place.run("ask", "too long", code=1) == ""
    assert place.said.startswith("wicket: ")
    assert place.said.count("\n") == 1
    assert "9 were given" in place.said and "--model" in place.said
    assert place.run("ask", "too long", "--json", code=1) == ""


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["ask", "--model", "mine-big", "a"], "mine/big"),
        (["ask", "--api-key", "$KEY", "a"], "did not expand"),
        (["ask"], "Nothing is asked"),
        (["ask", "--url", "http://127.0.0.1:1", "a"], "wicket serve"),
        (["requests", "show", format_id(1)], "no request"),
        (["keys", "revoke", "key_none"], "no key"),
        (["backup", "/proc/none/copy.db"], "copy.db"),
    ],
)
def test_what_fails_is_one_line_and_exit_1(place: Place, words: list[str], hint: str) -> None:
    assert place.run(*words, code=1) == ""
    assert place.said.count("\n") == 1
    assert hint in place.said


def test_a_key_lives_from_its_creation_to_its_revocation(place: Place) -> None:
    made = place.json("keys", "create", "--name", "robot", "--team", "red", "--models", "mine/big")
    assert place.run("ask", "hi", "--api-key", made["key"]) == "echo: hi\n"
    answer = json.loads(place.run("ask", "hi", "--json", "--api-key", made["key"]))
    recorded(place, answer["request_id"])
    assert place.json("logs", "--key", "robot", "--limit", "1")[0]["id"] == answer["request_id"]
    rows = place.json("usage", "--by", "key")["rows"]
    assert made["id"] in [row["key"] for row in rows]
    place.run("keys", "revoke", made["id"])
    place.run("ask", "hi", "--api-key", made["key"], code=1)
    assert "revoked" in place.said
    listed = {key["id"]: key for key in place.json("keys", "list")}
    assert listed[made["id"]]["revoked_at"]
    place.run("usage", "--api-key", made["key"], code=1)


def test_limits_and_budgets_are_set_listed_and_removed(place: Place) -> None:
    key = place.json("keys", "create", "--name", "bounded", "--team", "blue")
    made = place.json("limits", "set", "--key", "bounded", "--rpd", "1", "--concurrent", "4")["data"]
    assert [(row["unit"], row["amount"], row["window_s"]) for row in made] == [
        ("requests", 1, 86_400),
        ("concurrent", 4, 0),
    ]
    assert len(place.json("limits", "list", "--key", "bounded")) == 2
    assert place.run("ask", "hi", "--api-key", key["key"]) == "echo: hi\n"
    assert place.run("ask", "hi", "--api-key", key["key"], code=1) == ""
    assert "This key's limit of 1 requests per day" in place.said
    assert "1 requests per day" in place.run("limits", "list")
    budget = place.json("budgets", "set", "--team", "blue", "--usd", "0.25", "--per", "month", "--soft")
    assert (budget["usd"], budget["period"], budget["is_hard"]) == ("0.25", "month", False)
    assert "0.25 USD per month, warns only" in place.run("budgets", "list", "--team", "blue")
    for row in made:
        place.run("limits", "remove", row["id"])
    place.run("budgets", "remove", budget["id"])
    assert place.json("limits", "list") == [] == place.json("budgets", "list")
    assert place.run("ask", "hi", "--api-key", key["key"]) == "echo: hi\n"
    place.run("limits", "set", "--key", "nobody", "--rpm", "1", code=1)
    assert "no key 'nobody'" in place.said
    place.run("budgets", "set", "--team", "blue", "--usd", "-3", "--per", "day", code=1)
    place.run("limits", "set", "--team", "blue", code=2)


def test_usage_adds_up(place: Place) -> None:
    recorded(place, place.json("ask", "count me")["request_id"])
    report = place.json("usage", "--by", "model,day", "--since", "1h")
    for name in ("requests", "input_tokens", "output_tokens"):
        assert report[name] == sum(row[name] for row in report["rows"]) > 0
    assert report["cost_usd"] == pytest.approx(sum(row["cost_usd"] for row in report["rows"]))
    assert "total" in place.run("usage", "--by", "model")


def test_new_requests_are_followed(place: Place) -> None:
    follower = subprocess.Popen(
        [*WICKET, "logs", "--follow", "--jsonl", "--limit", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=place.folder,
        env=place.environ,
    )
    assert follower.stdout is not None
    place.run("ask", "before")
    follower.stdout.readline()  # it follows now
    wanted = place.json("ask", "after")["request_id"]
    while json.loads(follower.stdout.readline())["id"] != wanted:
        pass
    follower.send_signal(signal.SIGINT)
    _, said = follower.communicate(timeout=LIMIT_S)
    assert (follower.returncode, said) == (130, "")


def test_a_reader_that_leaves_ends_it_quietly(place: Place) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m wicket.cli models --all --json | head -n 1'],
        capture_output=True,
        text=True,
        cwd=place.folder,
        env=place.environ,
        timeout=LIMIT_S,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[\n", "")


def test_status_models_and_backup_of_a_running_server(place: Place) -> None:
    assert place.json("status")["workers"]
    assert "workers" in place.run("status")
    assert place.json("models")[0]["id"] == "mine/big"
    assert "mine/big" in place.run("models")
    assert place.json("models", "show", "mine/big")["owned_by"] == "mine"
    made = place.json("backup", "copy.db")
    assert made["bytes"] == (place.folder / "copy.db").stat().st_size
    place.run("backup", "copy.db", code=1)
    assert "exists" in place.said


def test_no_colour_reaches_a_pipe(place: Place) -> None:
    for words in (["logs"], ["keys", "list"], ["usage"], ["models"]):
        assert "\x1b" not in place.run(*words)


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, place: Place, words: list[str], environ: Mapping[str, str]) -> None:
        self.seen = ""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(place.folder)
            os.execve(sys.executable, [*WICKET, *words], {**place.environ, **environ})

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def wait(self, wanted: str) -> str:
        """What appears up to `wanted`; the next call begins behind it."""
        deadline = time.monotonic() + LIMIT_S
        while wanted not in self.seen:
            ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{wanted!r} did not come: {self.seen!r}"
            self.seen += self._read()
        before, _, self.seen = self.seen.partition(wanted)
        return before

    def end(self, key: str) -> int:
        """Press `key` until it has ended by itself; its exit code.

        Once is enough for a person: only a key that comes within microseconds of the prompt can fall between
        the interpreter's look at its signals and its waiting for a key.
        """
        deadline = time.monotonic() + LIMIT_S
        self.type(key)
        while True:
            ready, _, _ = select.select([self._fd], [], [], 0.5)
            part = self._read() if ready else ""
            if ready and not part:
                break
            self.seen += part
            if not ready and time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
            elif not ready:
                self.type(key)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> str:
        try:
            return os.read(self._fd, 65_536).decode("utf-8", "replace")
        except OSError:  # Linux says so when the other side has closed
            return ""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_a_conversation_at_a_terminal(place: Place, provider: Provider) -> None:
    terminal = Terminal(place, ["chat", "--system", "be kind"], {"NO_COLOR": "1"})
    terminal.wait("/help shows what can be typed.")
    terminal.wait("> ")
    terminal.type("hello\n")
    terminal.wait("echo: hello")
    figures = terminal.wait("> ")
    assert re.search(r"\[big, 7 \+ 4 tokens, .*first after \d+ ms, \$0\.0000095\]", figures)
    terminal.type("two \\\nlines\n")
    terminal.wait("[big")
    terminal.wait("> ")
    assert [said["content"] for said in provider.asked[-1]["messages"]] == [
        *("be kind", "hello", "echo: hello", "two \nlines")
    ]
    terminal.type('"""\na\nb\n"""\n')
    terminal.wait("[big")
    assert provider.asked[-1]["messages"][-1]["content"] == "a\nb"
    terminal.type("too long\n")
    terminal.wait("/clear begins anew")
    terminal.type("/model none\n")
    terminal.wait("does not exist")
    terminal.type("/model mine/big\n")
    terminal.wait("answers from here on")
    terminal.type("/save talk.json\n")
    terminal.wait("Written to talk.json")
    saved = json.loads((place.folder / "talk.json").read_text())
    assert [said["role"] for said in saved["messages"]] == ["user", "assistant"] * 3
    terminal.type("/clear\n")
    terminal.wait("Forgotten")
    terminal.type("anew\n")
    terminal.wait("[big")
    assert len(provider.asked[-1]["messages"]) == 2
    terminal.type("wait\n")
    terminal.wait("echo: wait")
    terminal.type("\x03")
    terminal.wait("(stopped)")
    assert terminal.end("/exit\n") == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_ctrl_c_at_the_prompt_leaves_with_130_and_ctrl_d_with_0(place: Place) -> None:
    terminal = Terminal(place, ["chat"], {})
    terminal.wait("> ")
    assert terminal.end("\x03") == 130
    assert "Traceback" not in terminal.seen
    terminal = Terminal(place, ["chat"], {})
    terminal.wait("> ")
    assert terminal.end("\x04") == 0


def test_a_conversation_may_come_from_a_pipe(place: Place) -> None:
    shown = place.run("chat", given="one\n/system be brief\ntwo\n")
    assert "echo: one" in shown and "echo: two" in shown
    assert "> " not in shown


def test_without_a_server_another_model_is_not_started(tmp_path: Path) -> None:
    alone = Place(tmp_path)
    alone.run("ask", "--model", "openai/gpt-4o", "hi", code=1)
    assert "No server runs here" in alone.said
    assert alone.said.count("\n") == 1


def test_without_a_server_limits_are_kept_in_the_database(tmp_path: Path) -> None:
    alone = Place(tmp_path)
    alone.json("keys", "create", "--name", "ada", "--team", "red")
    budget = alone.json(
        "budgets", "set", "--team", "red", "--usd", "5", "--per", "day", "--zone", "Asia/Tokyo"
    )
    alone.json("limits", "set", "--key", "ada", "--rpm", "60")
    (limit,) = alone.json("limits", "list")
    assert (limit["scope"], limit["name"], limit["amount"], limit["used"]) == ("key", "ada", 60, None)
    assert budget["resets_at"].endswith("T15:00:00.000Z") and budget["spent_usd"] == 0
    alone.run("limits", "remove", limit["id"])
    assert alone.json("limits", "list") == []
