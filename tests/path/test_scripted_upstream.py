"""The scripted upstream as a client meets it: over sockets, through our own pool."""

import asyncio
import base64
import hashlib
import json
import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wicket.dialects.contract import module
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import Finish
from wicket.dialects.translation import spoken
from wicket.errors import ProviderFault, UpstreamBroken
from wicket.upstream.fetch import Response, fetch
from wicket.upstream.pool import KeepAlivePool
from wicket.upstream.request_head import complete, head, without_body
from wicket.upstream.scripted import ScriptedUpstream
from wicket.upstream.scripted_errors import ERRORS
from wicket.upstream.scripted_help import explanation
from wicket.upstream.scripted_script import Greeting, Price, Rule, Script, When
from wicket.wire.json import encode
from wicket.wire.origin import Origin

LIMIT_MS = 10_000


class Client:
    def __init__(self, pool: KeepAlivePool, port: int) -> None:
        self.pool, self.origin = pool, Origin("http", "127.0.0.1", port)

    async def send(self, request: bytes, total_ms: int = LIMIT_MS) -> Response:
        return await fetch(
            self.pool, self.origin, request, connect_ms=LIMIT_MS, total_ms=total_ms, max_bytes=1 << 24
        )

    async def post(self, fields: dict[str, Any], path: str = "/v1/chat/completions") -> Response:
        made = head("POST", path, self.origin, [("authorization", "Bearer sk-secret"), ("x-a", "b")])
        return await self.send(complete(made, encode(fields)))

    async def get(self, path: str) -> Any:
        response = await self.send(without_body(head("GET", path, self.origin, [])))
        return json.loads(response.body)

    async def code(self, fields: dict[str, Any]) -> str:
        with pytest.raises(ProviderFault) as caught:
            await self.post(fields)
        return caught.value.code


def against(script: Script, test: Callable[[Client, ScriptedUpstream], Any]) -> None:
    async def work() -> None:
        async with ScriptedUpstream(script) as up:
            pool = KeepAlivePool()
            try:
                await test(Client(pool, up.port), up)
            finally:
                await pool.close()

    asyncio.run(asyncio.wait_for(work(), 30))


def chat(model: str = "m", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "What is it?"}], **more}


def frames(response: Response) -> list[Any]:
    events = [event for event in response.body.decode().split("\n\n") if event]
    assert all(event.startswith("data: ") for event in events)
    return [event[6:] if event == "data: [DONE]" else json.loads(event[6:]) for event in events]


def content(events: list[Any], field: str = "content") -> str:
    choices = [event["choices"][0] for event in events if event != "[DONE]" and event.get("choices")]
    return "".join(choice["delta"].get(field) or "" for choice in choices)


def test_a_good_provider() -> None:
    async def test(client: Client, up: ScriptedUpstream) -> None:
        whole = json.loads((await client.post(chat())).body)
        assert whole["choices"][0]["message"]["content"] == "Paris is the capital of France."
        assert whole["usage"]["prompt_tokens"] == 3 and whole["usage"]["completion_tokens"] == 6
        events = frames(await client.post(chat(stream=True, stream_options={"include_usage": True})))
        assert content(events) == "Paris is the capital of France." and events[-1] == "[DONE]"
        assert events[-2]["usage"] == whole["usage"] and events[-3]["choices"][0]["finish_reason"] == "stop"
        assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        short = json.loads((await client.post(chat(max_tokens=2, n=2))).body)
        assert [c["message"]["content"] for c in short["choices"]] == ["Paris is", "Paris is"]
        assert short["choices"][1]["finish_reason"] == "length" and short["usage"]["completion_tokens"] == 4
        text = json.loads((await client.post({"model": "m", "prompt": "a b"}, "/v1/completions")).body)
        assert text["choices"][0]["text"].startswith("Paris") and text["object"] == "text_completion"
        assert [row["id"] for row in (await client.get("/v1/models"))["data"]] == ["scripted"]

    against(Script(), test)


def test_embeddings_depend_on_the_text() -> None:
    async def test(client: Client, up: ScriptedUpstream) -> None:
        ask = {"model": "e", "input": ["a", "b", "a"]}
        rows = json.loads((await client.post(ask, "/v1/embeddings")).body)["data"]
        assert rows[0]["embedding"] == rows[2]["embedding"] != rows[1]["embedding"]
        assert sum(x * x for x in rows[0]["embedding"]) == pytest.approx(1)
        packed = await client.post({**ask, "encoding_format": "base64"}, "/v1/embeddings")
        first = base64.b64decode(json.loads(packed.body)["data"][0]["embedding"])
        assert struct.unpack("<8f", first) == pytest.approx(rows[0]["embedding"])

    against(Script(), test)


def test_the_log_tells_all_but_secrets() -> None:
    async def test(client: Client, up: ScriptedUpstream) -> None:
        await client.post(chat("large"))
        log = await client.get("/__log")
        assert len(log) == 1 and b"sk-secret" not in encode(log)
        assert ["x-a", "b"] in log[0]["headers"] and json.loads(log[0]["body"]) == chat("large")
        assert log[0]["key_sha256"] == hashlib.sha256(b"sk-secret").hexdigest()
        assert log[0]["cost_usd"] == pytest.approx((3 * 2 + 1 * 10) / 1e6)
        assert not log[0]["client_gone"] and log[0]["ended_ms"] >= log[0]["at_ms"]

    prices = {"large": Price(input=2, output=10)}
    against(Script(prices=prices, answers={"What is it?": "gold"}), test)


def test_the_script_is_replaced_at_run_time() -> None:
    async def test(client: Client, up: ScriptedUpstream) -> None:
        for data, status in ((b'{"rules": [{"status": 418}]}', 200), (b"rules = 5", 400)):
            answer = await client.send(complete(head("POST", "/__script", client.origin, []), data))
            assert answer.status == status
            assert (await client.post(chat())).status == 418
        assert up.log[0].rule == 0

    against(Script(), test)


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_named_errors(name: str) -> None:
    async def test(client: Client, up: ScriptedUpstream) -> None:
        response = await client.post(chat())
        status, body = ERRORS[name]
        assert response.status == status and response.header(b"retry-after") == b"2"
        assert response.body == (body if isinstance(body, bytes) else encode(body))

    against(Script(rules=[Rule(error=name, headers={"Retry-After": "2"})]), test)


def test_broken_transports() -> None:
    rules = {
        "cut": Rule(cut_after=2),
        "rst": Rule(cut_after=2, rst=True),
        "reset": Rule(reset=True),
        "close": Rule(close=True),
        "long": Rule(content_length_off=5),
    }

    async def test(client: Client, up: ScriptedUpstream) -> None:
        assert await client.code(chat("cut", stream=True)) == "cut"
        assert await client.code(chat("rst", stream=True)) == "cut"
        assert await client.code(chat("reset")) == "reset"
        assert await client.code(chat("close")) == "reset"
        assert await client.code(chat("long")) == "cut"

    against(Script(rules=[by_model(name, rule) for name, rule in rules.items()]), test)


def by_model(name: str, rule: Rule) -> Rule:
    fields = {field: getattr(rule, field) for field in rule.__struct_fields__}
    return Rule(**{**fields, "when": When(model=name)})


def test_broken_streams() -> None:
    rules = {
        "malformed": Rule(malformed_frame=3),
        "no-done": Rule(done=False, usage=False),
        "error": Rule(error_frame_after=2),
        "huge": Rule(huge_frame=1 << 20),
        "plain": Rule(role_first=False, hang_up=True),
    }
    usage = {"stream": True, "stream_options": {"include_usage": True}}

    async def test(client: Client, up: ScriptedUpstream) -> None:
        malformed = (await client.post(chat("malformed", **usage))).body.split(b"\n\n")
        with pytest.raises(json.JSONDecodeError):
            json.loads(malformed[2][6:])
        assert json.loads(malformed[1][6:]) and json.loads(malformed[3][6:])
        no_done = frames(await client.post(chat("no-done", **usage)))
        assert no_done[-1]["choices"][0]["finish_reason"] == "stop"
        error = frames(await client.post(chat("error", **usage)))
        assert content(error) == "Paris is" and error[-1] == ERRORS["server_error"][1]
        assert len(content(frames(await client.post(chat("huge", **usage))))) > 1 << 20
        plain = await client.post(chat("plain", **usage))
        assert "role" not in frames(plain)[0]["choices"][0]["delta"]
        assert plain.header(b"connection") == b"close"

    against(Script(rules=[by_model(name, rule) for name, rule in rules.items()]), test)


def test_other_contents() -> None:
    calls = [{"name": "f", "arguments": '{"a": 1}'}]
    rules = {
        "calls": Rule(tool_calls=calls, reasoning="let me think"),
        "refusal": Rule(refusal="I can't do that.", finish_reason="content_filter"),
        "gzip": Rule(gzip=True),
        "short": Rule(content_length_off=-5),
    }

    async def test(client: Client, up: ScriptedUpstream) -> None:
        message = json.loads((await client.post(chat("calls"))).body)["choices"][0]["message"]
        assert message["tool_calls"][0]["function"] == calls[0]
        assert (message["content"], message["reasoning_content"]) == (None, "let me think")
        events = frames(await client.post(chat("calls", stream=True)))
        assert content(events, "reasoning_content") == "let me think"
        deltas = [d for e in events[:-1] for d in e["choices"][0]["delta"].get("tool_calls", [])]
        assert "".join(d["function"]["arguments"] for d in deltas) == '{"a": 1}'
        refusal = json.loads((await client.post(chat("refusal"))).body)["choices"][0]
        assert refusal["message"]["refusal"] == "I can't do that."
        assert refusal["finish_reason"] == "content_filter"
        assert json.loads((await client.post(chat("gzip"))).body)["choices"]
        with pytest.raises(json.JSONDecodeError):
            json.loads((await client.post(chat("short"))).body)

    against(Script(rules=[by_model(name, rule) for name, rule in rules.items()]), test)


@pytest.mark.parametrize("rule", [Rule(split_every=1), Rule(split_seed=7)])
def test_answers_in_pieces_are_the_same_answers(rule: Rule) -> None:
    async def test(client: Client, up: ScriptedUpstream) -> None:
        split = await client.post(chat(stream=True))
        up.set_script(Script())
        up.log.clear()
        assert split.body == (await client.post(chat(stream=True))).body

    against(Script(rules=[rule]), test)


@pytest.mark.parametrize("rule", [Rule(silent=True), Rule(stall_after=1), Rule(gap_ms=60_000.0)])
def test_a_client_that_leaves_is_noticed(rule: Rule) -> None:
    async def test(client: Client, up: ScriptedUpstream) -> None:
        asking = asyncio.ensure_future(client.post(chat(stream=True)))
        await up.until(lambda log: len(log) == 1)
        asking.cancel()
        await up.until(lambda log: log[0].client_gone)
        assert up.log[0].ended_ms is not None

    against(Script(rules=[rule]), test)


def test_slow_reading_and_waits_answer_in_the_end() -> None:
    async def test(client: Client, up: ScriptedUpstream) -> None:
        events = frames(await client.post(chat(stream=True)))
        assert content(events) == "Paris is the capital of France."

    against(Script(rules=[Rule(read_bytes_s=2_000, first_token_ms=20, gap_ms=2)]), test)


def test_the_command(tmp_path: Path) -> None:
    """A process of its own: it says where it listens, reads its files, ends on SIGTERM."""
    (tmp_path / "answers.jsonl").write_text('{"prompt": "What is it?", "answer": "gold"}\n')
    (tmp_path / "script.toml").write_text('answers_file = "answers.jsonl"\nmodels = ["large"]\n')

    async def work() -> None:
        command = (
            sys.executable,
            "-m",
            "wicket.upstream.scripted",
            "--script",
            str(tmp_path / "script.toml"),
        )
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        pool = KeepAlivePool()
        client = Client(pool, int(url.split(":")[2].split("/")[0]))
        answer = json.loads((await client.post(chat("large"))).body)
        assert answer["choices"][0]["message"]["content"] == "gold"
        await pool.close()
        process.terminate()
        assert await process.wait() == 0

    asyncio.run(asyncio.wait_for(work(), 30))


def test_the_command_says_what_is_wrong(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def work(*args: str) -> int:
        command = (sys.executable, "-m", "wicket.upstream.scripted", *args)
        return await (await asyncio.create_subprocess_exec(*command)).wait()

    assert asyncio.run(work("--script", str(tmp_path / "missing.toml"))) == 1
    assert "missing.toml" in capfd.readouterr().err
    assert asyncio.run(work("--cert", "x")) == 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [("close", "reset"), ("cut", "reset"), ("reset", "reset"), ("plain", "ok")],
)
def test_a_connection_may_go_wrong_before_there_is_a_request(fault: Any, code: str) -> None:
    async def test(client: Client, up: ScriptedUpstream) -> None:
        if code == "ok":
            assert (await client.post({"model": "m"})).status == 400
        else:
            assert await client.code({"model": "m"}) == code
        assert (await client.post({"model": "m"})).status == 200, "the next one is served"
        assert len(up.log) == 1

    against(Script(greetings=[Greeting(fault=fault, to_nth=1)]), test)


def test_a_silent_connection_says_nothing_and_flapping_ones_come_back() -> None:
    async def test(client: Client, up: ScriptedUpstream) -> None:
        with pytest.raises(ProviderFault) as caught:
            await client.send(without_body(head("GET", "/v1/models", client.origin, [])), total_ms=200)
        assert caught.value.code == "total_timeout"
        up.set_script(Script(greetings=[Greeting(fault="close", period_s=0.2, to_s=0.1)]))
        statuses = []
        while statuses[-1:] != [200]:
            try:
                statuses.append((await client.post({"model": "m"})).status)
            except ProviderFault as fault:
                statuses.append(fault.code)
        assert set(statuses) <= {"reset", 200}

    against(Script(greetings=[Greeting(fault="silent")]), test)


def test_a_request_is_read_slowly_only_where_its_rule_says_so() -> None:
    async def test(client: Client, up: ScriptedUpstream) -> None:
        loop = asyncio.get_running_loop()
        big = [{"role": "user", "content": "x" * 30_000}]
        times = []
        for model in ("slow", "fast"):
            begun = loop.time()
            await client.post({"model": model, "messages": big})
            times.append(loop.time() - begun)
        assert times[0] >= 0.25, "30,000 bytes at 100,000 a second"
        assert [seen.fields["messages"] for seen in up.log] == [big, big]

    against(Script(rules=[Rule(When(model="slow"), read_bytes_s=100_000)]), test)


NATIVE = {
    "/model/claude/converse": "bedrock_converse",
    "/v2/chat": "cohere",
    "/api/chat": "ollama",
    "/v1/messages": "anthropic_messages",
    "/v1beta/models/g:generateContent": "gemini",
}


@pytest.mark.parametrize("path", NATIVE)
def test_other_dialects_are_spoken_by_their_paths(path: str) -> None:
    """Read with our own dialects, which were written apart from it."""
    side = spoken(NATIVE[path])
    assert side is not None
    asked = {**chat("large"), "stream": False}
    streamed, target = {**asked, "stream": True}, path
    if "converse" in path or "generate" in path:
        target = path.replace("/converse", "/converse-stream").replace(":g", ":streamG") + "?alt=sse"
    rules = [
        Rule(When(contains="throttle"), error="rate_limit"),
        Rule(When(contains="nonsense"), malformed_frame=4),
        Rule(reasoning="Hm.", tool_calls=[{"name": "f", "arguments": '{"a": 1}'}], text="So."),
    ]

    async def test(client: Client, up: ScriptedUpstream) -> None:
        whole = side.read_completion((await client.post(asked, path)).body)
        response = await client.post(streamed, target)
        assert response.header(b"content-type").startswith(side.STREAM_TYPE)
        gathered, reader = Gathered(), side.stream_reader()
        for payload in side.splitter().feed(response.body):
            for delta in reader.feed(_data(payload)):
                gathered.add(delta)
        for found in (whole, gathered.completion()):
            assert [type(part).__name__ for part in found.parts] == ["Thinking", "Text", "ToolCall"]
            assert found.finish is Finish.TOOL_CALLS and found.counts is not None
            assert found.counts.output_tokens == 1 + 1 + 2 and gathered.text == "So."
        refused = await client.post(chat("throttle"), path)
        fault = module(NATIVE[path]).judge(refused.status, dict(refused.headers), refused.body)
        assert fault.status == 429 and "Too many requests." in fault.message
        nonsense = (await client.post({**streamed, "model": "nonsense"}, target)).body
        reader, payloads = side.stream_reader(), side.splitter().feed(nonsense)
        with pytest.raises(UpstreamBroken):
            [reader.feed(_data(payload)) for payload in payloads]

    against(Script(rules=rules), test)


def _data(payload: bytes) -> bytes:
    """The data of an event; any other frame as it is."""
    lines = payload.split(b"\n") if payload.startswith((b"event:", b"data:")) else []
    return next((line[6:].strip() for line in lines if line.startswith(b"data: ")), payload)


def test_ollama_streams_unless_it_is_told_not_to() -> None:
    async def test(client: Client, up: ScriptedUpstream) -> None:
        lines = [json.loads(line) for line in (await client.post(chat(), "/api/chat")).body.splitlines()]
        assert [line["done"] for line in lines] == [False] * 6 + [True]
        assert [row["name"] for row in (await client.get("/api/tags"))["models"]] == ["scripted"]

    against(Script(), test)


def test_help_names_every_field_of_a_script() -> None:
    words = set(re.findall(r"\w+", explanation()))
    fields = [field for kind in (When, Rule, Greeting, Script) for field in kind.__struct_fields__]
    assert set(fields) <= words
