"""A mini in the engine's host: real processes over a real socket, with a scripted engine and a tiny Llama."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.path.hosted import IS_LINUX, Host
from tests.unit.engines import checkpoints
from tests.unit.engines.mini_runs import TEXT_SHAPE, card, write_run
from wicket.engines import launch, openvino_llama
from wicket.engines.checkpoints.opening import tokenizer
from wicket.engines.contract import Done, Event, Generate, Piece, Sampling
from wicket.minis.confidence import confidence, evidence
from wicket.minis.familiarity import familiarity

SPEC = "mini:slots@r1"
FOUR = '{"people":"4"}'
SURE, UNSURE = '{"people": "4"} [[doubt 250]]', '{"people": "4"} [[doubt 1500]]'
linux = pytest.mark.skipif(not IS_LINUX, reason="reads /proc")


def serving(folder: Path, spec: str = SPEC, **options: Any) -> Host:
    return Host(folder, spec, options=launch.EngineOptions(**({"label": "slots"} | options)))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("mini")
    write_run(folder / "home", card(systems=("", "Slots.")), context_tokens=512)
    with serving(folder) as found:
        found.until("/readyz", 200)
        yield found


def ask(host: Host, content: Any, floor: str | None = "0.9", **fields: Any) -> httpx.Response:
    body = {"model": "slots", "messages": [{"role": "user", "content": content}], **fields}
    headers = {} if floor is None else {"x-wicket-floor": floor}
    return host.client.post("/v1/chat/completions", json=body, headers=headers)


def content(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["choices"][0]["message"]["content"]
    return found


def why(answer: httpx.Response, confidence: str = "0") -> str:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (
        422,
        "not_confident",
        "invalid_request_error",
    ), answer.text
    assert answer.headers["x-wicket-confidence"] == confidence and "retry-after" not in answer.headers
    message: str = error["message"]
    return message


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("plain")
    write_run(folder / "home", card(max_output_tokens=40))
    with serving(folder) as found:
        found.until("/readyz", 200)
        yield found


def test_an_answer_above_the_floor(plain: Host) -> None:
    answer = ask(plain, SURE, temperature=1.5, seed=3)
    found = answer.json()
    assert content(answer) == FOUR and answer.headers["x-wicket-confidence"] == "0.9526"
    assert (found["model"], found["choices"][0]["finish_reason"]) == ("slots", "stop")
    assert found["usage"]["completion_tokens"] == len('{"people": "4"}')
    assert answer.headers["x-wicket-dropped"] == "temperature"


def test_an_answer_below_the_floor(plain: Host) -> None:
    message = why(ask(plain, UNSURE), "0.1192")
    assert "floor: 0.1192 is below 0.9000" in message
    assert content(ask(plain, UNSURE, "0.1")) == FOUR
    assert "no requests now" in why(ask(plain, SURE, "2.0"))


def test_a_direct_call_gets_the_answer_and_how_sure_it_is(plain: Host) -> None:
    answer = ask(plain, UNSURE, None)
    assert content(answer) == FOUR and answer.headers["x-wicket-confidence"] == "0.1192"
    broken = ask(plain, "no JSON [[doubt 1]]", None)
    assert content(broken) == "no JSON" and broken.headers["x-wicket-confidence"] == "0"
    found = plain.sdk.chat.completions.with_raw_response.create(
        model="slots", messages=[{"role": "user", "content": SURE}]
    )
    assert found.headers["x-wicket-confidence"] == "0.9526"
    assert found.parse().choices[0].message.content == FOUR


def test_a_stream_says_the_same(plain: Host) -> None:
    whole = ask(plain, SURE)
    with plain.sdk.chat.completions.with_streaming_response.create(
        model="slots",
        messages=[{"role": "user", "content": SURE}],
        stream=True,
        stream_options={"include_usage": True},
        extra_headers={"x-wicket-floor": "0.9"},
    ) as answer:
        assert answer.headers["x-wicket-confidence"] == whole.headers["x-wicket-confidence"]
        assert answer.headers["content-type"].startswith("text/event-stream")
        chunks = list(answer.parse())
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert deltas[0].role == "assistant" and "".join(delta.content or "" for delta in deltas) == FOUR
    assert chunks[-2].choices[0].finish_reason == "stop" and {chunk.model for chunk in chunks} == {"slots"}
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.model_dump(exclude_none=True) == whole.json()["usage"]
    without = ask(plain, SURE, stream=True)
    assert without.text.endswith("data: [DONE]\n\n") and '"usage"' not in without.text
    assert "is below" in why(ask(plain, UNSURE, stream=True), "0.1192")  # a status, no broken stream


def test_several_system_prompts_are_told_apart(host: Host) -> None:
    def shown(*messages: dict[str, Any]) -> str:
        answer = host.client.post("/v1/chat/completions", json={"messages": list(messages)})
        return content(answer)

    user = {"role": "user", "content": "a table"}
    assert shown(user) == "#0\na table"
    assert shown({"role": "developer", "content": "Slots."}, user) == "#1\na table"


def by_user(content: Any, number: int = 1) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}] * number


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"messages": [{"role": "system", "content": "Else."}, *by_user("x")]}, "system prompt"),
        ({"messages": by_user("x", 2)}, "one message"),
        ({"messages": by_user([{"type": "input_audio"}])}, "form: messages[0].content[0]"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "form: tools"),
        ({"n": 2}, "form: n"),
        ({"logprobs": True, "top_logprobs": 2}, "form: logprobs"),
    ],
)
def test_forms_it_can_not_take(host: Host, fields: dict[str, Any], word: str) -> None:
    assert word in why(ask(host, "x", **fields))
    direct = ask(host, "x", None, **fields)
    assert direct.status_code in (400, 422) and direct.json()["error"]["message"]


@pytest.mark.parametrize("floor", [None, "0.9"])
def test_malformed_requests_stay_the_callers_mistake(host: Host, floor: str | None) -> None:
    headers = {} if floor is None else {"x-wicket-floor": floor}
    for body in (b"{", b"[]", b'{"messages":[]}', b'{"messages":7}'):
        answer = host.client.post("/v1/chat/completions", content=body, headers=headers)
        assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"
    assert ask(host, "x", floor, model="gpt-4o").status_code == 404
    bad = ask(host, "x", "soon")
    assert (bad.status_code, bad.json()["error"]["param"]) == (400, "x-wicket-floor")


def test_a_long_request_goes_up(plain: Host) -> None:
    assert "long: 6" in why(ask(plain, "x" * 600 + " [[doubt 1]]"))
    assert why(ask(plain, "x" * 600, None)).startswith("The mini does not answer")
    assert "long: 50000 characters" in why(ask(plain, "x" * 50_000))
    for floor, status in (("0.9", 422), (None, 413)):  # a connection each: the body is not read to its end
        headers = {} if floor is None else {"x-wicket-floor": floor}
        with plain.connect() as client:
            answer = client.post("/v1/chat/completions", content=b" " * (9 << 20), headers=headers)
        assert answer.status_code == status


def test_an_answer_that_is_cut_goes_up(plain: Host) -> None:
    assert "cut: no end within 40 tokens" in why(ask(plain, "[[say 90]] [[doubt 1]]"))
    assert "cut: no end within 5 tokens" in why(ask(plain, SURE, max_tokens=5))
    cut = ask(plain, SURE, None, max_tokens=5)
    assert cut.json()["choices"][0]["finish_reason"] == "length" and content(cut) == '{"peo'
    assert cut.headers["x-wicket-confidence"] == "0"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("{not JSON", "not_json"),
        ('{"guests":"4"}', "unknown_key"),
        ('{"people":4}', "wrong_type"),
        ('{"people":"4"', "not_json"),
    ],
)
def test_a_broken_answer_goes_up(plain: Host, said: str, word: str) -> None:
    assert word in why(ask(plain, f"{said} [[doubt 1]]", "0"))


def test_the_callers_schema_is_kept(plain: Host) -> None:
    def form(kind: str) -> dict[str, Any]:
        schema = {"type": "object", "properties": {"people": {"type": kind}}, "required": ["people"]}
        return {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}

    assert content(ask(plain, SURE, response_format=form("string"))) == FOUR
    assert "another shape" in why(ask(plain, SURE, response_format=form("integer")))
    assert content(ask(plain, SURE, response_format={"type": "json_object"})) == FOUR
    direct = ask(plain, SURE, None, response_format=form("integer"))
    assert content(direct) == FOUR and direct.headers["x-wicket-confidence"] == "0"


def test_the_card(plain: Host) -> None:
    found = plain.client.get("/v1/models/slots").json()
    assert (found["id"], found["licence"], found["tool_calls"]) == ("slots", "Apache-2.0", "none")
    assert (found["default_temperature"], found["default_max_tokens"]) == (0, 40)
    mini = found["mini"]
    assert (mini["task"], mini["run"], mini["base"]) == ("slots", "r1", "smollm2-135m")
    assert mini["lineage"] == {"examples": 1000} and mini["evaluation"] == {"exact": 0.79}
    assert any("tools" in line for line in mini["cannot"])


def test_a_full_queue_is_passed_by_at_once(tmp_path: Path) -> None:
    write_run(tmp_path / "home", card(max_output_tokens=10**6), context_tokens=2 * 10**6)
    with serving(tmp_path, max_batch=1, queue=0, kv_tokens=2 * 10**6) as host:
        host.until("/readyz", 200)

        def occupy() -> None:
            """Take the one place, asking again while others have it, and leave before the answer."""
            body = {"messages": by_user("[[say 900000]] [[slow 2]]")}
            limits = httpx.Timeout(60, read=1.5)
            with host.connect() as client, contextlib.suppress(httpx.ReadTimeout):
                while client.post("/v1/chat/completions", json=body, timeout=limits).status_code == 429:
                    pass

        thread = threading.Thread(target=occupy)
        thread.start()
        while (answer := ask(host, SURE)).status_code == 200:
            pass
        assert "engine: engine_queue_full" in why(answer)
        direct = ask(host, SURE, None)
        assert direct.status_code == 429 and int(direct.headers["retry-after"]) >= 1
        thread.join()
        assert content(ask(host, SURE)) == FOUR  # the client is gone, and its place is free


@linux
def test_kill_minus_nine_of_the_core_during_an_answer(tmp_path: Path) -> None:
    write_run(tmp_path / "home", card(answers=TEXT_SHAPE, max_output_tokens=4000), context_tokens=8000)
    with serving(tmp_path) as host:
        host.until("/readyz", 200)
        answers: list[httpx.Response] = []
        thread = threading.Thread(target=lambda: answers.append(ask(host, "[[say 3000]] [[slow 20]]")))
        thread.start()
        core = host.children()["wicket.engines.core"]
        busy = Path(f"/proc/{core}/stat")
        before = busy.read_text().split()[13]
        while busy.read_text().split()[13] == before and thread.is_alive():
            host.client.get("/healthz")
        os.kill(core, signal.SIGKILL)
        thread.join()
        assert "engine: engine_crashed" in why(answers[0])
        # While the next core is not up, nothing waits for it.
        for answer in iter(lambda: ask(host, "hello [[doubt 1]]"), None):
            if answer.status_code == 200:
                break
            assert "engine: engine_loading" in why(answer) or "engine_crashed" in answer.text
        assert content(answer) == "hello"


def test_a_loading_mini_is_passed_by(tmp_path: Path) -> None:
    write_run(tmp_path / "home", card(), load_ms=60_000)
    with serving(tmp_path) as host:
        assert "engine: engine_loading" in why(ask(host, SURE))


def test_a_missing_mini(tmp_path: Path) -> None:
    with serving(tmp_path, "mini:slots") as host:
        found = host.until("/readyz", 503)
        while found.json()["status"] == "loading":
            found = host.client.get("/readyz")
        assert "`wicket mini train slots`" in found.json()["error"]["message"]
        assert "engine: model_missing" in why(ask(host, SURE))
        direct = ask(host, SURE, None)
        assert direct.status_code == 503 and "has no mini yet" in direct.json()["error"]["message"]
        write_run(tmp_path / "home", card())  # a training that ends is noticed
        host.until("/readyz", 200)
        assert content(ask(host, SURE)) == FOUR


def test_a_damaged_card_is_told_and_mended(tmp_path: Path) -> None:
    path = write_run(tmp_path / "home", card()) / "mini.json"
    path.write_text('{"task": "slots", "run"')
    with serving(tmp_path) as host:
        assert "engine:" in why(ask(host, SURE))
        direct = ask(host, SURE, None)
        assert (direct.status_code, direct.json()["error"]["code"]) == (503, "bad_checkpoint")
        assert "mini.json" in direct.json()["error"]["message"]
        write_run(tmp_path / "home", card())
        host.until("/readyz", 200)
        assert content(ask(host, SURE)) == FOUR


def test_a_model_that_is_no_mini_is_judged_by_what_was_measured_of_it(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "home", card())
    with Host(tmp_path, str(folder / "model.script.json")) as host:
        host.until("/readyz", 200)
        assert "0.0000 is below 0.9000" in why(ask(host, SURE, model="model"))
        assert host.chat("hi", temperature=0).headers.get("x-wicket-confidence") is None


STORY = "They lived happily ever after. The end."


def test_a_real_checkpoint_is_as_sure_as_its_log_probabilities(tmp_path: Path) -> None:
    made = card(answers=TEXT_SHAPE, max_output_tokens=400)
    folder = write_run(tmp_path / "home", made)
    model = checkpoints.write_stories(folder / "model")
    (model / "chat_template.jinja").write_text("{{ messages[0].content }}")
    engine = openvino_llama.load(model, kv_tokens=1024, max_batch=4, threads=1, cache_dir=None, scheme="f32")
    prompt = tokenizer(model).encode(STORY, special=False)
    engine.submit(Generate(1, prompt, 400, Sampling(0.0), logprobs=0))
    events: list[Event] = []
    while not engine.is_idle():
        events += engine.step()
    engine.close()
    done = events[-1]
    assert isinstance(done, Done) and done.end is not None and done.finish_reason == "stop"
    pieces = [event for event in events if isinstance(event, Piece)]
    logprobs = [entry.logprob for piece in pieces for entry in piece.logprobs]
    assert len(logprobs) == done.output_tokens - 1
    seen = evidence([*logprobs, done.end.logprob], familiarity(made.familiarity, STORY))
    expected = confidence(made.calibration, seen)
    with serving(tmp_path, scheme="f32") as host:
        host.until("/readyz", 200)
        answer = ask(host, STORY, "0.01")
        assert content(answer) == "".join(piece.text for piece in pieces).strip()
        assert abs(float(answer.headers["x-wicket-confidence"]) - expected) < 0.001
        assert answer.json()["usage"]["completion_tokens"] == done.output_tokens
        assert "is below" in why(ask(host, STORY, "0.9999"), answer.headers["x-wicket-confidence"])
