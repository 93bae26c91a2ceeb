"""From a route and its deployments to the walk's limits, and the budget for hedges."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.accounts.callers import Caller
from wicket.dialects.openai_chat import CHAT
from wicket.dialects.openai_chat.apis import GENERATIONS
from wicket.gateway.call import Call
from wicket.gateway.hedges import MAX_SAVED, HedgeBudget
from wicket.gateway.rules import RuleBook, rules_of
from wicket.routing.deployment import Deployment, Hedge, Route, Timeouts
from wicket.wire.origin import Origin


def deployment(id: str, **fields: Any) -> Deployment:
    provider, _, model = id.partition("/")
    return Deployment(id=id, provider=provider, model=model, origin=Origin("http", "127.0.0.1", 80), **fields)


def route(*deployments: Deployment, **fields: Any) -> Route:
    return Route(name="r", deployments=deployments, **fields)


TWO = (deployment("a/m", credential=0), deployment("a/m", credential=1), deployment("b/m", prefill=True))


def call(where: Route) -> Call:
    caller = Caller(key_id=0, name="n", digest=b"")
    return Call(1, CHAT, caller, {}, 0, "r", where, True, True, started_us=1_000, unix_ms=0)


class Known:
    """Health as a few facts."""

    def __init__(self, late_us: int = 0, reopens: dict[str, int] | None = None) -> None:
        self.asked: list[Any] = []
        self._late_us, self._reopens = late_us, reopens or {}

    def late_us(self, one: Deployment, share: float, is_streamed: bool) -> int:
        self.asked.append((one.id, share, is_streamed))
        return self._late_us

    def reopens_us(self, one: Deployment) -> int:
        return self._reopens.get(one.id, 0)


def find(where: Route, health: Any = None) -> Any:
    return RuleBook().find(call(where), where.deployments, health)


def test_credentials_of_a_deployment_are_one_group() -> None:
    assert rules_of(route(*TWO), TWO, True).groups == (0, 0, 1)
    assert rules_of(route(TWO[0], TWO[2]), (TWO[0], TWO[2]), True).groups == ()
    assert rules_of(route(TWO[0]), TWO[:1], True).groups == ()


def test_only_streams_of_routes_that_say_so_are_continued_by_who_can() -> None:
    able = route(*TWO, continues=True)
    assert rules_of(able, TWO, True).continues == (False, False, True)
    assert rules_of(able, TWO, False).continues == ()
    assert rules_of(route(*TWO), TWO, True).continues == ()
    assert rules_of(able, TWO[:2], True).continues == ()
    known = (TWO[0], deployment("c/m", features=("tools", "prefill")))
    assert rules_of(able, known, True).continues == (False, True)


def test_late_is_what_was_learned_of_the_first_or_a_fixed_time() -> None:
    known = Known(late_us=700_000)
    assert find(route(*TWO, hedge=Hedge(after=0.9)), known).hedge_us == 700_000
    assert known.asked == [("a/m", 0.9, True)]
    assert find(route(*TWO, hedge=Hedge(after_us=5)), known).hedge_us == 5
    assert find(route(*TWO, hedge=Hedge()), Known()).hedge_us == 0, "not enough is known"
    assert find(route(*TWO, hedge=Hedge())).hedge_us == 0
    assert find(route(*TWO), known).hedge_us == 0


def test_a_mini_is_not_raced() -> None:
    mini = deployment("mini/t", task="t", engine="mini:t")
    assert find(route(mini, *TWO, hedge=Hedge(after_us=5))).hedge_us == 0
    local = deployment("compact/m", engine="compact")
    assert find(route(local, *TWO, hedge=Hedge(after_us=5), floor=0.5)).hedge_us == 0
    assert find(route(local, *TWO, hedge=Hedge(after_us=5))).hedge_us == 5


def test_who_is_in_cooldown_is_said() -> None:
    assert find(route(*TWO), Known(reopens={"b/m": 2_000})).cooling == (False, False, True)
    assert find(route(*TWO), Known(reopens={"b/m": 900})).cooling == (), "it is over"
    assert find(route(TWO[2]), Known(reopens={"b/m": 2_000})).cooling == ()


def test_rules_are_made_once_per_order() -> None:
    book, where = RuleBook(), route(*TWO)
    asked = call(where)
    back = tuple(reversed(TWO))
    assert book.find(asked, where.deployments) is book.find(asked, where.deployments)
    assert book.find(asked, back) is book.find(asked, tuple(reversed(TWO)))
    assert book.find(asked, back).groups == (0, 1, 1)


def test_a_budget_is_a_share_of_the_requests_and_saves_little() -> None:
    budget, where = HedgeBudget(), route(*TWO, hedge=Hedge(max_share_ppm=250_000))
    spent = 0
    for begun in range(1, 41):
        budget.earn(where)
        if budget.may(where):
            budget.spend(where)
            spent += 1
        assert spent <= begun * 0.25
    assert spent == 10
    for _ in range(10_000):
        budget.earn(where)
    spent = 0
    while budget.may(where):
        budget.spend(where)
        spent += 1
    assert spent == MAX_SAVED
    other = msgspec.structs.replace(where, name="other")
    assert not budget.may(other)


def test_an_api_s_patience_is_the_least_that_it_is_given() -> None:
    where = route(*TWO)
    assert rules_of(where, TWO, True).first_token_us == 10_000_000
    patient = rules_of(where, TWO, True, 300)
    assert (patient.first_token_us, patient.gap_us) == (300_000_000, 300_000_000)
    brief = route(*TWO, timeouts=Timeouts(first_token_ms=500, gap_ms=400))
    set_by_hand = rules_of(brief, TWO, True, 300)
    assert (set_by_hand.first_token_us, set_by_hand.gap_us) == (500_000, 400_000)
    assert patient.total_us == rules_of(where, TWO, True).total_us
    book = RuleBook()
    chat = book.find(call(where), TWO)
    picture = book.find(msgspec.structs.replace(call(where), api=GENERATIONS), TWO)
    assert chat.first_token_us < picture.first_token_us == 300_000_000
