"""Callers of one dialect before providers of another, on real connections."""

import asyncio
import json
from types import ModuleType
from typing import Any

import pytest

from tests.unit.gateway.crossings import ASKED, KEEP_ALIVE, OTHER, house, other
from wicket.accounts.example import Example
from wicket.dialects.contract import Api, Frame
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import Completion
from wicket.dialects.openai_chat import CHAT, COMPLETIONS, EMBEDDINGS, read_completion, stream_reader
from wicket.dialects.openai_chat.apis import GENERATIONS, MODERATIONS
from wicket.errors import Fault
from wicket.gateway.cascade import made_ready
from wicket.gateway.checks import Checks, Verdict
from wicket.minis.answers import AnswerShape
from wicket.minis.terms import CascadeTerms
from wicket.upstream.scripted_script import Rule

__all__ = ["other"]

WAYS = [(CHAT, "other"), (OTHER, "openai_chat")]
TOOLS = [
    {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}
]
RULES = {
    "text": Rule(),
    "pieces": Rule(split_every=3),
    "no role": Rule(role_first=False),
    "thought": Rule(reasoning="Let me think of it.", text="Rome."),
    "calls": Rule(
        tool_calls=[{"name": "find", "arguments": '{"a": 1}'}, {"name": "find", "arguments": "{}"}]
    ),
    "refusal": Rule(refusal="I will not say it."),
    "length": Rule(text="one two", finish_reason="length"),
    "filter": Rule(text="one", finish_reason="content_filter"),
    "no usage": Rule(usage=False),
}


def meaning(completion: Completion) -> Any:
    parts = [
        {name: value for name, value in vars_of(part).items() if name not in ("raw", "path", "origin")}
        for part in completion.parts
    ]
    counts = completion.counts
    return (
        parts,
        completion.finish,
        completion.model,
        (counts.input_tokens, counts.output_tokens) if counts else None,
    )


def vars_of(part: Any) -> dict[str, Any]:
    return {"kind": type(part).__name__, **{name: getattr(part, name) for name in part.__struct_fields__}}


def gathered(payloads: list[bytes]) -> Completion:
    reader, whole = stream_reader(), Gathered()
    for payload in payloads:
        for delta in reader.feed(payload):
            whole.add(delta)
    for delta in reader.finish():
        whole.add(delta)
    return whole.completion()


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize(("api", "dialect"), WAYS, ids=["to other", "from other"])
def test_a_whole_answer_means_what_passes_as_it_came(
    other: ModuleType, rule: Rule, api: Api, dialect: str
) -> None:
    async def go() -> None:
        async with house([rule], [dialect]) as crossed, house([rule], [api.dialect]) as passed:
            one, two = await crossed.ask(api, tools=TOOLS), await passed.ask(api, tools=TOOLS)
            assert one.status == two.status == 200
            assert meaning(read_completion(one.body)) == meaning(read_completion(two.body))
            assert one.header["x-wicket-deployment"] == "p0/m"
            assert crossed.records[0].usage == passed.records[0].usage or not rule.usage
            assert crossed.records[0].cost_nanos == passed.records[0].cost_nanos or not rule.usage
            assert crossed.records[0].outcome == "ok" and crossed.records[0].served_model

    asyncio.run(go())


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize(("api", "dialect"), WAYS, ids=["to other", "from other"])
def test_a_stream_means_what_passes_as_it_came(other: ModuleType, rule: Rule, api: Api, dialect: str) -> None:
    more = {"stream": True, "stream_options": {"include_usage": True}, "tools": TOOLS}

    async def go() -> None:
        async with house([rule], [dialect]) as crossed, house([rule], [api.dialect]) as passed:
            one, two = await crossed.ask(api, **more), await passed.ask(api, **more)
            assert one.status == 200 and crossed.records[0].outcome == "ok"
            assert one.chunks[0]["choices"][0]["delta"]["role"] == "assistant"
            assert one.chunks[-1]["choices"] == [] and one.chunks[-1]["usage"]["cost"] > 0
            assert one.chunks[-1]["usage"].get("is_estimated", False) is not rule.usage
            if rule.usage:
                assert meaning(gathered(one.payloads)) == meaning(gathered(two.payloads))
                assert crossed.records[0].usage == passed.records[0].usage
            assert crossed.records[0].first_token_us > 0

    asyncio.run(go())


def test_usage_reaches_only_those_who_asked(other: ModuleType) -> None:
    async def go() -> None:
        async with house([Rule()], ["other"]) as made:
            reply = await made.ask(CHAT, stream=True)
            assert all(chunk["choices"] for chunk in reply.chunks)
            assert made.sent()["stream_options"] == {"include_usage": True}
            assert made.records[0].usage.output_tokens == 6 and not made.records[0].usage.is_estimated

    asyncio.run(go())


def test_what_is_left_out_is_told_and_recorded(other: ModuleType) -> None:
    content = [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]
    messages = [{"role": "user", "content": content, "odd,\r\nname": 1}]

    async def go() -> None:
        async with house([Rule()], ["other"]) as made:
            reply = await made.ask(CHAT, messages=messages)
            dropped = ["messages[0].odd???name", "messages[0].content[0].cache_control"]
            assert reply.header["x-wicket-dropped"] == ",".join(dropped)
            assert made.records[0].dropped == dropped
            assert made.sent()["messages"] == [{"role": "user", "content": "a"}]

    asyncio.run(go())


@pytest.mark.parametrize("error", ["rate_limit", "server_error", "no_credit", "context_length"])
def test_an_error_is_told_in_the_same_words(other: ModuleType, error: str) -> None:
    async def go() -> None:
        async with (
            house([Rule(error=error)], ["other"]) as crossed,
            house([Rule(error=error)], ["openai_chat"]) as it,
        ):
            one, two = await crossed.ask(CHAT), await it.ask(CHAT)
            assert one.fault is not None and two.fault is not None
            assert (one.fault.code, one.status) == (two.fault.code, two.status)
            assert one.status >= 400

    asyncio.run(go())


BROKEN = {
    "in band": (Rule(error_frame_after=2), "provider_error"),
    "cut": (Rule(cut_after=2), "cut"),
    "malformed": (Rule(malformed_frame=3), "malformed"),
    "unknown finish": (Rule(finish_reason="tired"), "failed_finish"),
}


@pytest.mark.parametrize(("rule", "code"), BROKEN.values(), ids=BROKEN)
def test_a_stream_that_breaks_is_no_success(other: ModuleType, rule: Rule, code: str) -> None:
    async def go() -> None:
        async with house([rule], ["other"]) as made:
            reply = await made.ask(CHAT, stream=True)
            assert reply.fault is not None and reply.fault.code == code
            assert b"[DONE]" not in reply.body and made.records[0].outcome == code
            assert made.records[0].charge_nanos == 0

    asyncio.run(go())


def test_a_broken_stream_is_held_back_and_the_other_family_answers(other: ModuleType) -> None:
    async def go() -> None:
        async with house([Rule(cut_after=2), Rule()], ["other", "openai_chat"], commit="whole") as made:
            reply = await made.ask(CHAT, stream=True)
            assert reply.fault is None and gathered(reply.payloads).finish == "stop"
            assert made.records[0].deployment == "p1/m"
            assert [attempt.reason for attempt in made.records[0].attempts][-2:] == ["cut", ""]

    asyncio.run(go())


@pytest.mark.parametrize("stream", [False, True])
def test_between_two_families_the_next_one_answers(other: ModuleType, stream: bool) -> None:
    async def go() -> None:
        async with house([Rule(error="no_credit"), Rule()], ["openai_chat", "other"]) as made:
            reply = await made.ask(CHAT, stream=stream)
            assert reply.status == 200 and made.records[0].deployment == "p1/m"

    asyncio.run(go())


def test_who_can_not_be_told_a_request_is_passed_over(other: ModuleType) -> None:
    async def go() -> None:
        async with house([Rule(), Rule()], ["other", "openai_chat"]) as made:
            reply = await made.ask(CHAT, n=2)
            assert reply.status == 200 and made.sent(1)["n"] == 2
            first, second = made.records[0].attempts
            assert (first.reason, first.status, first.cost_nanos) == ("unsupported_by_provider", 0, 0)
            assert second.reason == "" and made.upstreams[0].log == []

    asyncio.run(go())


@pytest.mark.parametrize(
    ("rules", "dialects"),
    [([Rule()], ["other"]), ([Rule(), Rule()], ["other", "other"])],
)
def test_where_nobody_can_be_told_the_field_is_named(
    other: ModuleType, rules: list[Rule], dialects: list[str]
) -> None:
    async def go() -> None:
        async with house(rules, dialects) as made:
            reply = await made.ask(CHAT, n=2)
            assert reply.fault is not None
            assert (reply.status, reply.fault.code, reply.fault.param) == (
                400,
                "unsupported_by_provider",
                "n",
            )
            assert made.records[0].outcome == "unsupported_by_provider"

    asyncio.run(go())


def test_a_failed_provider_is_told_rather_than_one_that_could_not_be_asked(other: ModuleType) -> None:
    async def go() -> None:
        async with house([Rule(error="no_credit"), Rule()], ["openai_chat", "other"]) as made:
            reply = await made.ask(CHAT, n=2)
            assert reply.fault is not None and reply.fault.code == "provider_quota_exhausted"

    asyncio.run(go())


@pytest.mark.parametrize("api", [COMPLETIONS, GENERATIONS, MODERATIONS])
def test_what_has_no_translation_is_refused_by_name(other: ModuleType, api: Api) -> None:
    async def go() -> None:
        async with house([Rule()], ["other"]) as made:
            reply = await made.ask(api, input="a", prompt="a")
            assert reply.fault is not None and reply.status == 400 and reply.fault.param == "model"
            assert api.name in reply.fault.message and "openai_chat" in reply.fault.message

    asyncio.run(go())


def test_embeddings_cross(other: ModuleType) -> None:
    async def go() -> None:
        async with house([Rule()], ["other"]) as made:
            reply = await made.ask(EMBEDDINGS, input=["a", "b"])
            assert reply.status == 200 and len(json.loads(reply.body)["data"]) == 2

    asyncio.run(go())


def test_a_request_that_can_not_be_read_names_its_field(other: ModuleType) -> None:
    async def go() -> None:
        async with house([Rule()], ["other"]) as made:
            reply = await made.ask(CHAT, messages=[{"role": "user", "content": 5}])
            assert reply.fault is not None and (reply.status, reply.fault.param) == (
                400,
                "messages[0].content",
            )

    asyncio.run(go())


def test_a_caller_who_leaves_pays_for_what_came(other: ModuleType) -> None:
    async def go() -> None:
        async with house([Rule(stall_after=3)], ["other"]) as made:
            drive, reply = made.start(
                CHAT, {"model": "x", "stream": True, "messages": [{"role": "user", "content": "a"}]}
            )
            await asyncio.wait_for(reply.heard.wait(), 30)
            drive.client_gone()
            [record] = made.records
            assert record.outcome == "client_gone" and record.usage.is_estimated and record.charge_nanos > 0

    asyncio.run(go())


def test_who_waits_long_hears_the_keep_alive_of_its_own_dialect(
    other: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("walk_due", "walk_time"):
        monkeypatch.setattr(f"wicket.gateway.{module}.BEGIN_AFTER_US", 1)

    async def go() -> None:
        async with house([Rule(first_token_ms=400)], ["openai_chat"], commit="whole") as made:
            reply = await made.ask(OTHER, stream=True)
            assert reply.body.startswith(KEEP_ALIVE)

    asyncio.run(go())


def test_a_mistake_in_a_dialect_is_a_fault_of_the_request(
    other: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(data: bytes) -> Completion:
        raise KeyError("secret words")

    other.read_completion = broken  # type: ignore[attr-defined]

    async def go() -> None:
        async with house([Rule()], ["other"]) as made:
            reply = await made.ask(CHAT)
            assert reply.fault is not None and reply.fault.code == "internal_error"
            assert "KeyError" in caplog.text and "secret words" not in caplog.text

    asyncio.run(go())


def test_a_callers_listed_headers_go_to_its_own_dialect_only(other: ModuleType) -> None:
    from wicket.dialects.contract import Body
    from wicket.gateway.request import Rates, RequestHeads, request_bytes

    async def go() -> None:
        async with house([Rule()], ["other"]) as made:
            route = made.gate.check_room().resolve("x")
            heads = RequestHeads(Rates())
            drive, reply = made.start(
                OTHER, {"model": "x", "messages": [{}]}, forwarded=((b"other-beta", b"b1"),)
            )
            for api, is_there in ((OTHER, True), (CHAT, False)):
                prepared = heads.find(route.deployments[0], api, False)
                sent = request_bytes(prepared, drive.call, Body(b"{}"))
                assert (b"other-beta: b1\r\n" in sent) is is_there
            await reply.over.wait()

    asyncio.run(go())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("api", "dialect"), [*WAYS, (OTHER, "other")])
def test_an_example_is_kept_in_openais_form(other: ModuleType, api: Api, dialect: str, stream: bool) -> None:
    asked = {"temperature": 0, "max_tokens": 9, "tools": TOOLS}

    async def go() -> None:
        async with house([Rule()], [dialect], collect="t") as made:
            await made.ask(api, stream=stream, **asked)
            [example] = made.kept
            assert isinstance(example, Example)
            message = json.loads(example.answer)
            assert message == {"role": "assistant", "content": "Paris is the capital of France."}
            request = json.loads(example.request)
            assert {**request, "stream": stream} == {**ASKED, **asked, "stream": stream}

    asyncio.run(go())


@pytest.mark.parametrize("large", ["other", "openai_chat"])
@pytest.mark.parametrize("api", [CHAT, OTHER])
@pytest.mark.parametrize("stream", [False, True])
def test_a_minis_answer_is_checked_for_callers_and_providers_of_any_dialect(
    other: ModuleType, api: Api, large: str, stream: bool
) -> None:
    shape = AnswerShape("json", {"city": ["string"]}, (), 40)

    async def go() -> None:
        rules = [Rule(text='{"city": "rome"}'), Rule(text='{ "city":"rome" }')]
        async with house(rules, ["openai_chat", large], policy="cascade", task="t") as made:
            verdicts: list[Verdict] = []
            is_told = asyncio.Event()

            def report(verdict: Verdict) -> None:
                verdicts.append(verdict)
                is_told.set()

            made.gate.cascades = made_ready({"x": CascadeTerms(0.9, 1.0, shape, "r1")})
            made.gate.checks = Checks(made.gate, report)
            await made.ask(api, stream=stream)
            await asyncio.wait_for(is_told.wait(), 30)
            assert verdicts[0].agreed is True
            assert [record.deployment for record in made.records] == ["p0/m", "p1/m"]

    asyncio.run(go())


def test_between_equals_frames_and_end_mark_pass_as_they_came(other: ModuleType) -> None:
    read = other.frame

    def frame(data: bytes) -> Frame:
        found: Frame = Frame(is_done=True, goes_out=True) if data == b"[DONE]" else read(data)
        return found

    other.frame = frame  # type: ignore[attr-defined]
    del other.last_frames  # type: ignore[attr-defined]

    async def go() -> None:
        async with house([Rule(usage=False)], ["other"]) as made:
            reply = await made.ask(OTHER, stream=True)
            assert reply.payloads[-1] == b"[DONE]" and reply.payloads.count(b"[DONE]") == 1
            assert made.records[0].outcome == "ok" and reply.body.endswith(b"\n\n")

    asyncio.run(go())


def test_deltas_put_together_need_a_finish_reason() -> None:
    with pytest.raises(Fault):
        Gathered().completion()
    assert json.dumps(Gathered().text) == '""'
