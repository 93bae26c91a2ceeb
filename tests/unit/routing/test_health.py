"""The table: what an attempt leaves, what other workers are told and tell, and that memory is bounded."""

from typing import Any

import pytest

from wicket.routing import health as module
from wicket.routing.blame import Blame
from wicket.routing.breaker import FAILURE_US, LEAST_PROBED_US, MAX_FAILURES
from wicket.routing.deployment import Deployment
from wicket.routing.health import HealthTable
from wicket.routing.plan import Facts, last_resorts_last
from wicket.routing.vitals import Digest, Turn
from wicket.wire.origin import Origin

S = 1_000_000
NOW = 1_000 * S


def deployment(id: str = "p/m", credential: int = 0) -> Deployment:
    provider, _, model = id.partition("/")
    origin = Origin("http", "up", 80)
    return Deployment(id=id, provider=provider, model=model, origin=origin, credential=credential)


ONE, OTHER = deployment(), deployment("q/m")


def fail(table: HealthTable, one: Deployment, blame: Blame, code: str = "reset", **more: Any) -> None:
    times = (more.get("now", NOW), more.get("is_probe", False))
    table.went_wrong(one, blame, code, times, more.get("wait_us"))


def answer(table: HealthTable, one: Deployment, now_us: int = NOW, wait_us: int = 100) -> None:
    vitals = table.find(one)
    vitals.fresh.append((now_us, wait_us, 0, 0))
    vitals.look()
    table.did_well(vitals, one, now_us, now_us)


def test_nothing_is_known_of_what_was_never_asked() -> None:
    table = HealthTable()
    assert (table.reopens_us(ONE), table.num_running(ONE), table.first_token_us(ONE, NOW)) == (0, 0, 0)
    assert (table.late_us(ONE, 0.9, True), table.tokens_per_s(ONE), table.headroom(ONE, NOW)) == (0, 0.0, 1.0)
    assert table.has_room(ONE) and not table._vitals


def test_failures_open_the_deployment_and_nobody_is_lost_from_the_plan() -> None:
    told: list[Turn] = []
    table = HealthTable(7, told.append)
    for _ in range(MAX_FAILURES):
        fail(table, ONE, Blame.FAILURE)
    assert table.reopens_us(ONE) > NOW and not table.reopens_us(OTHER)
    assert [turn.state for turn in told] == ["open"] and told[0].code == "reset"
    facts = Facts(NOW, health=table)
    assert last_resorts_last([ONE, OTHER], facts) == [OTHER, ONE]
    assert last_resorts_last([ONE], facts) == [ONE]
    untouched = [OTHER, deployment("r/m")]
    assert last_resorts_last(untouched, facts) is untouched


def test_a_probe_is_one_and_what_it_says_is_told() -> None:
    told: list[Turn] = []
    table = HealthTable(7, told.append)
    for _ in range(MAX_FAILURES):
        fail(table, ONE, Blame.FAILURE)
    vitals, later = table.find(ONE), table.reopens_us(ONE)
    assert not table.sent(vitals, ONE, later - 1)
    assert table.sent(vitals, ONE, later) and not table.sent(vitals, ONE, later)
    assert table.reopens_us(ONE) > later
    table.no_verdict(ONE, later + 5, is_probe=True)
    assert table.sent(vitals, ONE, later + 5)
    table.did_well(vitals, ONE, later + 5, later + 9)
    assert table.reopens_us(ONE) == 0
    assert [turn.state for turn in told] == ["open", "half_open", "open", "half_open", "closed"]


def test_a_refused_credential_spares_all_its_models_and_no_other_credential() -> None:
    told: list[Turn] = []
    table = HealthTable(0, told.append)
    fail(table, ONE, Blame.CREDENTIAL, "provider_auth_failed")
    same, second = deployment("p/another"), deployment("p/m", 1)
    assert table.reopens_us(ONE) == table.reopens_us(same) == NOW + 30 * S
    assert table.reopens_us(second) == 0 and told[0].of_credential and told[0].name == "p"
    later = NOW + 30 * S
    assert table.sent(table.find(same), same, later)
    assert table.reopens_us(ONE) > later
    table.did_well(table.find(same), same, later, later + 1)
    assert table.reopens_us(ONE) == 0 and not table.barred


def test_a_model_that_a_caller_may_not_use_does_not_spare_a_credential_that_works() -> None:
    table = HealthTable()
    answer(table, ONE)
    secret = deployment("p/secret")
    fail(table, secret, Blame.FORBIDDEN, "provider_auth_failed")
    assert table.reopens_us(secret) > NOW and table.reopens_us(ONE) == 0
    idle = HealthTable()
    fail(idle, secret, Blame.FORBIDDEN, "provider_auth_failed")
    assert idle.reopens_us(ONE) > NOW


def test_a_probe_of_a_credential_that_fails_otherwise_is_no_verdict_on_it() -> None:
    table = HealthTable()
    fail(table, ONE, Blame.CREDENTIAL, "provider_auth_failed")
    later = NOW + 30 * S
    assert table.sent(table.find(ONE), ONE, later)
    fail(table, ONE, Blame.FAILURE, now=later + 1, is_probe=True)
    assert table.barred[("p", 0)].state == "open" and table.barred[("p", 0)].reopens_us == later + 1


def test_what_another_worker_saw_holds_here_and_is_not_told_again() -> None:
    told: list[Turn] = []
    table = HealthTable(0, told.append)
    table.hear(Turn("p/m", 0, "open", 5 * S, 2, "reset"), NOW)
    assert table.reopens_us(ONE) == NOW + 5 * S and not table.cooling()
    table.hear(Turn("p/m", 0, "half_open", 15 * S, 2, "reset"), NOW)
    assert table.reopens_us(ONE) == NOW + 15 * S and not table.sent(table.find(ONE), ONE, NOW + 10 * S)
    table.hear(Turn("p/m", 0, "closed"), NOW)
    assert table.reopens_us(ONE) == 0
    table.hear(Turn("p", 0, "open", 30 * S, 1, "provider_auth_failed", True), NOW)
    assert table.reopens_us(ONE) == NOW + 30 * S
    table.hear(Turn("p", 0, "closed", of_credential=True), NOW)
    assert table.reopens_us(ONE) == 0 and not told


def test_digests_hold_what_changed_and_what_runs() -> None:
    table = HealthTable()
    vitals = table.find(ONE)
    vitals.num_running = 2
    vitals.fresh.append((NOW, 250_000, 50, 500_000))
    [digest] = table.digests(NOW)
    assert (digest.name, digest.num_running, digest.first_token_us) == ("p/m", 2, 250_000)
    assert digest.tokens_per_s == 100.0
    vitals.num_running = 0
    assert table.digests(NOW) == []


def test_running_elsewhere_counts_until_the_next_round_and_own_times_count_more() -> None:
    table = HealthTable()
    table.adopt([Digest("p/m", 0, num_running=3, first_token_us=700_000, tokens_per_s=9.0)], NOW)
    assert table.num_running(ONE) == 3 and table.first_token_us(ONE, NOW) == 700_000
    assert table.tokens_per_s(ONE) == 9.0
    table.find(ONE).fresh.append((NOW, 900_000, 0, 0))
    assert table.first_token_us(ONE, NOW) == 900_000
    table.adopt([Digest("p/m", 0, first_token_us=1_000, headroom=0.25, headroom_left_us=9 * S)], NOW)
    assert table.num_running(ONE) == 0 and table.first_token_us(ONE, NOW) == 900_000
    assert table.headroom(ONE, NOW) == 0.25 and table.headroom(ONE, NOW + 9 * S) == 1.0


def test_late_is_told_apart_for_streams_and_whole_answers() -> None:
    table = HealthTable()
    vitals = table.find(ONE)
    for number in range(1, 41):
        vitals.fresh.append((NOW, number * 1_000, 0, 0))
        vitals.fresh.append((NOW, -number * 100_000, 0, 0))
        vitals.look()
    assert 35_000 <= table.late_us(ONE, 0.9, True) <= 38_000
    assert 3_500_000 <= table.late_us(ONE, 0.9, False) <= 3_800_000


def test_another_configuration_is_another_chance() -> None:
    table = HealthTable()
    fail(table, ONE, Blame.LIMIT, "rate_limit_exceeded", wait_us=60 * S)
    fail(table, OTHER, Blame.CREDENTIAL, "provider_auth_failed")
    table.forget(["p"])
    assert table.reopens_us(ONE) == 0 and table.reopens_us(OTHER) > NOW
    table.forget(["q"])
    assert table.reopens_us(OTHER) == 0


def test_names_that_callers_invent_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DEPLOYMENTS", 40)
    table = HealthTable()
    busy = table.find(ONE)
    busy.num_running = 1
    answer(table, OTHER, NOW + 10**9)
    for number in range(500):
        for _ in range(MAX_FAILURES):
            fail(table, deployment(f"p/{number}"), Blame.FAILURE, now=NOW + number)
        assert len(table._vitals) <= 40
    assert table.find(ONE) is busy and table.reopens_us(deployment("p/499")) > NOW


def test_where_probes_are_sent_no_caller_comes_before_the_first() -> None:
    for probed in (frozenset[str](), frozenset({ONE.provider})):
        table = HealthTable()
        table.probed_providers = probed
        for _ in range(MAX_FAILURES):
            fail(table, ONE, Blame.FAILURE)
        left_us = table.reopens_us(ONE) - NOW
        assert left_us == LEAST_PROBED_US if probed else 0 < left_us <= FAILURE_US
