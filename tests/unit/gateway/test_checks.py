"""Checks on real connections: a real gate and pool, two scripted upstreams, one of which plays the mini."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from wicket.accounts.callers import Caller
from wicket.accounts.example import Example
from wicket.accounts.record import Record
from wicket.dialects.openai_chat import CHAT
from wicket.errors import Fault
from wicket.gateway.admit import admit
from wicket.gateway.call import Arrival
from wicket.gateway.cascade import made_ready
from wicket.gateway.checks import MAX_IN_FLIGHT, Checks, Verdict
from wicket.gateway.drive import Drive
from wicket.gateway.gate import Gate
from wicket.minis.answers import AnswerShape
from wicket.minis.terms import CascadeTerms
from wicket.routing.deployment import Deployment, Route
from wicket.upstream.pool import KeepAlivePool
from wicket.upstream.scripted import ScriptedUpstream
from wicket.upstream.scripted_script import Rule, Script
from wicket.wire.origin import Origin

SHAPE = AnswerShape("json", {"city": ["string"]}, (), 40)
ASKED = {"model": "x", "messages": [{"role": "user", "content": "rome"}], "temperature": 0}


def says(text: str, **more: Any) -> Rule:
    message = {"role": "assistant", "content": text}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}
    headers = {"content-type": "application/json", "x-wicket-confidence": "0.98"}
    return Rule(body=json.dumps(body), headers=headers, **more)


USAGE = {"prompt_tokens": 20, "completion_tokens": 6}


class Caught:
    """A caller's side that keeps what it got."""

    def __init__(self) -> None:
        self.got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def whole(self, status: int, headers: bytes, body: bytes) -> None:
        self.got.set_result(body)

    def begin(self, headers: bytes) -> None: ...

    def write(self, data: bytes) -> None: ...

    def finish(self) -> None: ...

    def refuse(self, fault: Fault, headers: bytes) -> None:
        self.got.set_exception(fault)

    def fail_in_band(self, fault: Fault) -> None: ...


class OneRoute:
    def __init__(self, route: Route) -> None:
        self.route = route

    def resolve(self, name: str, /) -> Route:
        return self.route

    resolve_all = resolve

    def providers_called(self, name: str, /) -> Sequence[str] | None:
        return None

    def header_task(self, value: bytes, /) -> str:
        return ""


class House:
    """A gate whose checks are told to lists."""

    def __init__(self, route: Route) -> None:
        self.records: list[Record] = []
        self.verdicts: list[Verdict] = []
        self.kept: list[Example | str] = []
        self.pool = KeepAlivePool()
        self.gate = Gate(self.pool, 1, self.records.append, self.kept.append)
        self.gate.configure(OneRoute(route), 100)
        self.checks = self.gate.checks = Checks(self.gate, self.report)
        self.news = asyncio.Event()
        self.terms(1.0)

    def report(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        self.news.set()

    def terms(self, share: float) -> None:
        self.gate.cascades = made_ready({"x": CascadeTerms(0.9, share, SHAPE, "r1")})

    async def ask(self, **fields: Any) -> int:
        body = json.dumps({**ASKED, **fields}).encode()
        number = self.gate.ids.next(1_000)
        caller = Caller(key_id=7, name="a", digest=b"")
        routes = self.gate.check_room()
        reply = Caught()
        Drive(
            self.gate,
            admit(Arrival(CHAT, {}, body, number, self.gate.now_us(), 1_000), caller, routes),
            reply,
        ).start()
        await reply.got
        return number

    async def until(self, number: int) -> list[Verdict]:
        while len(self.verdicts) < number:
            self.news.clear()
            await self.news.wait()
        return self.verdicts


@asynccontextmanager
async def house(mini: Rule, large: Rule, collect: str = "") -> AsyncIterator[tuple[House, ScriptedUpstream]]:
    async with ScriptedUpstream() as small, ScriptedUpstream() as big:
        small.set_script(Script(rules=[mini]))
        big.set_script(Script(rules=[large]))
        made = House(
            Route(
                name="x",
                deployments=(
                    _at(small, "mini", task="t"),
                    _at(big, "p", prices=(3_000_000, 0, None, None, 0)),
                ),
                policy="cascade",
                task="t",
                markup_ppm=500_000,
                collect=collect,
            )
        )
        try:
            yield made, big
        finally:
            for drive in list(made.gate.active):
                drive.client_gone()
            await made.pool.close()


def _at(upstream: ScriptedUpstream, provider: str, **more: Any) -> Deployment:
    url = urlsplit(upstream.base_url)
    origin = Origin("http", url.hostname or "", url.port or 0)
    return Deployment(id=f"{provider}/t", provider=provider, model="t", origin=origin, **more)


Test = Callable[[House, ScriptedUpstream], Awaitable[None]]


def run(mini: Rule, large: Rule, test: Test, collect: str = "") -> None:
    async def go() -> None:
        async with house(mini, large, collect) as (made, big):
            await asyncio.wait_for(test(made, big), 30)

    asyncio.run(go())


def test_an_answer_that_says_the_same_agrees_and_nothing_is_kept() -> None:
    async def test(made: House, big: ScriptedUpstream) -> None:
        number = await made.ask()
        assert await made.until(1) == [Verdict("x", "r1", number, True, 0.98, 60_000)]
        asked, check = made.records
        assert asked.deployment == "mini/t" and asked.api == "chat.completions" and asked.cost_nanos == 0
        assert (check.api, check.key_id, check.model, check.task) == ("chat.check", 7, "x", "t")
        assert check.id != asked.id and (check.cost_nanos, check.charge_nanos) == (60_000, 0)
        assert made.kept == [] and made.checks.in_flight == 0 and not made.gate.active

    run(says('{"city": "rome"}'), says('{ "city":"rome" }'), test)


@pytest.mark.parametrize("collect", ["t", ""])
def test_the_large_models_answer_is_an_example_where_the_request_is_one(collect: str) -> None:
    async def test(made: House, big: ScriptedUpstream) -> None:
        number = await made.ask()
        [verdict] = await made.until(1)
        assert verdict.agreed is False
        if not collect:
            assert made.kept == []
            return
        minis, example = made.kept
        assert isinstance(minis, Example) and isinstance(example, Example)
        assert minis.id == number and minis.deployment == "mini/t"
        assert example.id == made.records[1].id != number and example.key_id == 7 and example.task == "t"
        assert json.loads(example.request) == ASKED and example.confidence == -1
        said = json.loads(example.answer)
        assert (said["role"], said["content"]) == ("assistant", '{"city": "paris"}')
        assert (example.model, example.deployment) == ("x", "p/t")

    run(says('{"city": "rome"}'), says('{"city": "paris"}'), test, collect)


def test_a_large_model_that_fails_says_nothing() -> None:
    async def test(made: House, big: ScriptedUpstream) -> None:
        await made.ask()
        [verdict] = await made.until(1)
        assert verdict.agreed is None and made.kept == []
        assert made.records[1].outcome == "provider_quota_exhausted"

    run(says('{"city": "rome"}'), Rule(error="no_credit"), test)


def test_an_answer_without_text_disagrees() -> None:
    async def test(made: House, big: ScriptedUpstream) -> None:
        await made.ask()
        [verdict] = await made.until(1)
        assert verdict.agreed is False and made.kept == []

    body = {"choices": [{"message": {"role": "assistant", "tool_calls": []}, "finish_reason": "stop"}]}
    large = Rule(body=json.dumps(body), headers={"content-type": "application/json"})
    run(says('{"city": "rome"}'), large, test)


def test_checks_are_spaced_evenly_and_those_without_room_are_counted() -> None:
    async def test(made: House, big: ScriptedUpstream) -> None:
        made.terms(0.5)
        for _ in range(2 * MAX_IN_FLIGHT):
            await made.ask()
        assert made.checks.in_flight == MAX_IN_FLIGHT and made.checks.num_dropped == 0
        for _ in range(6):
            await made.ask()
        assert made.checks.in_flight == MAX_IN_FLIGHT and made.checks.num_dropped == 3
        made.gate.is_draining = True
        await made.ask()
        await made.ask()
        assert made.checks.num_dropped == 4

    run(says('{"city": "rome"}'), Rule(silent=True), test)


def test_no_share_no_checks() -> None:
    async def test(made: House, big: ScriptedUpstream) -> None:
        made.terms(0.0)
        for _ in range(10):
            await made.ask()
        assert len(made.records) == 10 and big.log == [] and made.checks.num_dropped == 0

    run(says('{"city": "rome"}'), says('{"city": "rome"}'), test)
