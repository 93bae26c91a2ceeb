"""The store's contract: the same cases on every store, and a model-based comparison of the two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from wicket.accounts.keys import VirtualKey, create_key
from wicket.accounts.meters import DAY, MINUTE, NANOS, REQUESTS, Meter
from wicket.accounts.record import Attempt, OtherUsage, Record, Usage
from wicket.accounts.savings import SavingsRow, savings_report
from wicket.accounts.usage_rows import DAY_MS, GROUPS
from wicket.errors import StoreFault
from wicket.store.contract import RecordFilter, Store
from wicket.store.limits_contract import Spent
from wicket.store.memory import MemoryStore
from wicket.store.sqlite import SqliteStore

NOON = 20_000 * DAY_MS + DAY_MS // 2


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "a store?.db")
    yield made
    made.close()


def record(ms: int = NOON, sequence: int = 0, **changes: object) -> Record:
    usage = Usage(input_tokens=10, output_tokens=5, cached_tokens=3)
    plain = Record(
        id=(ms << 21) + sequence,
        started_ms=ms,
        key_id=1,
        api="chat.completions",
        model="small",
        deployment="mine/small",
        served_model="small-0301",
        status=200,
        outcome="ok",
        is_stream=True,
        usage=usage,
        cost_nanos=700,
        charge_nanos=770,
        first_token_us=900,
        total_us=4_000,
        attempts=[Attempt("mine/small", 200, "", 40, 900, 3_990, 700, usage)],
        price_row="mine/small@2026-01-01",
    )
    return msgspec.structs.replace(plain, **changes)


AWKWARD = [
    record(),
    record(sequence=1, attempts=[]),
    record(sequence=2, attempts=[Attempt("a/b", 500, "upstream_5xx", 3, -1, 8), Attempt("mine/small", 200)]),
    record(sequence=3, dropped=["logit_bias", 'odd"\n☃']),
    record(sequence=4, deployment="", status=404, outcome="unknown_model", usage=Usage(), attempts=[]),
    record(sequence=5, usage=Usage(1, 2, 0, 1, 2, True), key_id=0),
    record(sequence=6, model="'; DROP TABLE records; --", cost_nanos=1 << 62, attempts=[]),
    record(sequence=7, attempts=[Attempt("mine/small", 200, "", 40, 900, -1, 699, Usage(10, 5, 3))]),
    record(
        sequence=8,
        attempts=[Attempt("mine/small", 200, "hedge_lost", 40, 900, -1, 700, Usage(10, 5, 3), kind="hedge")],
    ),
    record(sequence=9, task="slots", large_cost_nanos=700),
    record(sequence=10, task="'; DROP TABLE records; --", large_cost_nanos=-1, attempts=[], dropped=["n"]),
]


@pytest.mark.parametrize("kept", AWKWARD, ids=lambda kept: str(kept.id & 15))
def test_a_record_comes_back_as_it_was(store: Store, kept: Record) -> None:
    assert store.insert_records([kept]) == (1, 0)
    assert store.record(kept.id) == kept
    assert store.record(kept.id + 1) is None


def test_records_of_every_kind_go_in_as_one_batch(store: Store) -> None:
    mixed = [kept for kept in AWKWARD if kept.cost_nanos < 1 << 62]  # the sum of all must fit as well
    assert store.insert_records([*mixed, mixed[2], mixed[0]]) == (len(mixed), 2)
    assert store.records(RecordFilter(is_newest_first=False)) == mixed
    assert store.insert_records([record(sequence=11), *mixed]) == (1, len(mixed))
    (total,) = store.usage()
    assert total.requests == len(mixed) + 1


def test_a_known_id_changes_nothing_and_counts_nothing(store: Store) -> None:
    first, second = record(), record(sequence=1)
    assert store.insert_records([first]) == (1, 0)
    assert store.insert_records([first, second, second]) == (1, 2)
    assert store.insert_records([msgspec.structs.replace(first, cost_nanos=1)]) == (0, 1)
    assert store.record(first.id) == first
    (total,) = store.usage()
    assert (total.requests, total.input_tokens, total.cost_nanos, total.charge_nanos) == (2, 20, 1_400, 1_540)


def test_no_records_is_a_batch_too(store: Store) -> None:
    assert store.insert_records([]) == (0, 0)
    assert store.usage() == []
    assert store.usage(["day"]) == []


def test_a_record_that_fits_no_column_refuses_the_batch_whole(store: Store) -> None:
    absurd = record(sequence=1, usage=Usage(input_tokens=1 << 63))
    with pytest.raises(StoreFault) as caught:
        store.insert_records([record(), absurd])
    assert caught.value.code == "record_refused"
    assert store.records(RecordFilter()) == []
    assert store.usage() == []
    assert store.insert_records([record()]) == (1, 0)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RecordFilter(), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (RecordFilter(limit=2), [10, 9]),
        (RecordFilter(limit=-1), []),
        (RecordFilter(is_newest_first=False, limit=2), [0, 1]),
        (RecordFilter(after_id=(NOON << 21) + 8), [10, 9]),
        (RecordFilter(before_id=(NOON << 21) + 2), [1, 0]),
        (RecordFilter(key_id=0), [5]),
        (RecordFilter(outcome="unknown_model"), [4]),
        (RecordFilter(outcome="failed"), [4]),
        (RecordFilter(status_class=4), [4]),
        (RecordFilter(model="'; DROP TABLE records; --"), [6]),
        (RecordFilter(deployment="mine/small", limit=1), [10]),
        (RecordFilter(api="embeddings"), []),
        (RecordFilter(since_ms=NOON + 1), []),
        (RecordFilter(until_ms=NOON), []),
        (RecordFilter(since_ms=NOON, until_ms=NOON + 1, limit=1), [10]),
        (RecordFilter(since_ms=1 << 60), []),
    ],
)
def test_records_are_found(store: Store, wanted: RecordFilter, found: list[int]) -> None:
    store.insert_records(AWKWARD)
    assert [kept.id & 15 for kept in store.records(wanted)] == found


def test_usage_is_grouped_by_any_names(store: Store) -> None:
    key = store.add_key(create_key("ada", 1, team="red")[0])
    other = record(NOON + DAY_MS, key_id=key.id, outcome="gap_timeout", usage=Usage(7, 1, is_estimated=True))
    nobody = record(NOON, 1, key_id=0, model="made up", deployment="", outcome="unknown_model", attempts=[])
    store.insert_records([record(key_id=key.id), other, nobody])
    by_day = store.usage(["day"])
    assert [(row.day, row.requests, row.failed, row.estimated) for row in by_day] == [
        ("2024-10-04", 2, 1, 0),
        ("2024-10-05", 1, 1, 1),
    ]
    by_key = store.usage(["key", "team"])
    assert [(row.key, row.key_name, row.team, row.requests) for row in by_key] == [
        ("admin", "admin", "", 1),
        (key.public_id, "ada", "red", 2),
    ]
    assert [row.model for row in store.usage(["model"])] == ["", "small"]
    assert [(row.requests, row.input_tokens) for row in store.usage(key_id=key.id)] == [(2, 17)]
    with pytest.raises(ValueError, match="nothing to group by"):
        store.usage(["digest"])


def test_usage_of_a_span_is_exact_at_its_edges(store: Store) -> None:
    start = 20_000 * DAY_MS
    times = [
        start - 1,
        start,
        start + 5,
        start + DAY_MS - 1,
        start + DAY_MS,
        start + 2 * DAY_MS,
        start + 3 * DAY_MS,
    ]
    store.insert_records([record(ms, cost_nanos=1 << place) for place, ms in enumerate(times)])
    edges = [
        0,
        start - 1,
        start,
        start + 1,
        start + 5,
        start + 6,
        start + DAY_MS,
        start + DAY_MS + 1,
        times[-1],
    ]
    for since in edges:
        for until in edges:
            wanted = sum(1 << n for n, ms in enumerate(times) if since <= ms and (not until or ms < until))
            rows = store.usage(since_ms=since, until_ms=until)
            assert sum(row.cost_nanos for row in rows) == wanted, (since, until)


def test_keys_live_until_revoked_or_expired(store: Store) -> None:
    ada = store.add_key(create_key("ada", 1_000, models=("small", "large"))[0])
    bob = store.add_key(create_key("bob", 1_000, team="red", expires_ms=5_000)[0])
    assert store.list_keys() == [ada, bob]
    assert ada.id != bob.id
    assert store.find_key(bob.public_id) == bob
    assert store.find_key("key_nobody") is None
    assert store.live_callers(4_999) == [ada.caller(), bob.caller()]
    assert store.live_callers(5_000) == [ada.caller()]
    revoked = store.revoke_key(ada.public_id, 2_000)
    assert isinstance(revoked, VirtualKey) and revoked.revoked_ms == 2_000
    assert store.revoke_key(ada.public_id, 3_000) == revoked
    assert store.revoke_key("key_nobody", 3_000) is None
    assert store.live_callers(3_000) == [bob.caller()]


def test_a_key_is_added_once(store: Store) -> None:
    key = create_key("ada", 1_000)[0]
    store.add_key(key)
    with pytest.raises(StoreFault):
        store.add_key(key)
    assert len(store.list_keys()) == 1


def test_pruned_records_leave_their_sums_and_never_count_again(store: Store) -> None:
    old, new = record(NOON), record(NOON + 2 * DAY_MS)
    store.insert_records([old, new])
    assert store.prune(NOON + DAY_MS) == 1
    assert store.prune(NOON) == 0
    assert store.record(old.id) is None
    assert store.record(new.id) == new
    assert store.insert_records([old, new]) == (0, 2)
    assert [row.requests for row in store.usage()] == [2]


UNUSUAL = OtherUsage(1, 2, 0, 3, 4, 5, 6, 7, 8, 9, "flex")


def test_unusual_usage_is_kept_and_summed_from_days_and_from_edges(store: Store) -> None:
    usage = Usage(10, 5, other=UNUSUAL)
    first = record(sequence=1, usage=usage, attempts=[Attempt("mine/small", 200, "", 40, 900, 9, 700, usage)])
    store.insert_records([first, record(sequence=2), record(NOON - DAY_MS, usage=usage, estimate_nanos=12)])
    assert store.record(first.id) == first
    assert store.records(RecordFilter(limit=1, until_ms=NOON))[0].estimate_nanos == 12
    for since_ms in (0, NOON - DAY_MS):  # all days, then a day's edge first
        (total,) = store.usage((), since_ms)
        assert (total.requests, total.cache_write_1h_tokens, total.audio_tokens, total.image_tokens) == (
            3,
            2,
            10,
            18,
        )
        assert (total.images, total.audio_ms, total.characters, total.searches) == (12, 14, 16, 18)


def test_what_the_largest_would_have_cost_is_summed_by_anything(store: Store) -> None:
    known = {"large_cost_nanos": 5_000}
    store.insert_records(
        [
            record(sequence=1, **known),
            record(sequence=2),
            record(sequence=3, task="t", **known),
            record(sequence=4, task="t", api="chat.check", cost_nanos=50),
            record(sequence=5, key_id=0, **known),
        ]
    )
    (total,) = store.usage()
    assert (total.large_only_nanos, total.large_unknown, total.cost_nanos) == (15_700, 1, 2_850)
    assert [(row.task, row.large_only_nanos) for row in store.usage(("task",))] == [
        ("", 10_700),
        ("t", 5_000),
    ]
    by_both = store.usage(("task", "api"), NOON, NOON + 1)
    assert [(row.api, row.task, row.requests) for row in by_both] == [
        ("chat.check", "t", 1),
        ("chat.completions", "", 3),
        ("chat.completions", "t", 1),
    ]
    assert [(row.organisation, row.requests) for row in store.usage(("organisation",))] == [
        ("", 1),
        ("default", 4),
    ]


def test_what_has_no_price_is_counted_by_model_and_kind(store: Store) -> None:
    searched = Usage(10, 5, other=OtherUsage(searches=2, unpriced=("searches", "google_maps")))
    key = store.add_key(msgspec.structs.replace(create_key("k", NOON)[0], team="red"))
    batch = [
        record(sequence=1, usage=searched, attempts=[], key_id=9),
        record(sequence=2, usage=searched, attempts=[], key_id=key.id),
        record(sequence=3, price_row="", attempts=[], key_id=9),  # of a model that has no price
        record(sequence=4),
        record(sequence=5, usage=Usage(1, 1, other=OtherUsage(searches=1)), attempts=[]),
        record(sequence=6, deployment="", price_row="", usage=Usage(), attempts=[]),  # nobody answered
        record(NOON + DAY_MS, sequence=7, usage=searched, attempts=[]),
    ]
    store.insert_records(batch)
    rows = [
        ("", "small", "google_maps", 1),
        ("", "small", "searches", 1),
        ("", "small", "tokens", 1),
        ("red", "small", "google_maps", 1),
        ("red", "small", "searches", 1),
    ]
    assert [msgspec.structs.astuple(row) for row in store.unpriced(NOON, NOON + 1)] == rows
    mine = store.unpriced(NOON, NOON + 1, key.id)
    assert [(row.kind, row.requests) for row in mine] == [("google_maps", 1), ("searches", 1)]
    assert store.unpriced(NOON + 1, NOON + DAY_MS) == []
    assert sum(row.requests for row in store.unpriced()) == 7
    assert OtherUsage.__struct_fields__.index("unpriced") == 12  # where the database looks


def test_savings_are_sums_of_the_records(store: Store) -> None:
    mini = {"task": "t", "deployment": "mini/t", "cost_nanos": 0, "large_cost_nanos": 500}
    store.insert_records(
        [
            record(sequence=1, **mini),
            record(sequence=2, **mini | {"large_cost_nanos": -1}),
            record(sequence=3, task="t", cost_nanos=700, large_cost_nanos=600),  # 100 for a failed attempt
            record(sequence=4, task="t", api="chat.check", cost_nanos=50),
            record(sequence=5, task="t", deployment="", outcome="cut", cost_nanos=30),
            record(sequence=6, task="u", cost_nanos=9, large_cost_nanos=9),
            record(sequence=7, cost_nanos=1_000),
            record(NOON - 1, task="t", cost_nanos=1_000, large_cost_nanos=5_000),
        ]
    )
    assert store.savings(NOON) == [
        SavingsRow(
            "t",
            requests=4,
            mini_requests=2,
            checks=1,
            unknown=2,
            spent_nanos=780,
            large_only_nanos=500 + 0 + 600 + 30,
            check_nanos=50,
        ),
        SavingsRow("u", 1, 0, 0, 0, 9, 9, 0),
    ]
    assert [row.requests for row in store.savings(0, NOON)] == [1]
    assert store.savings(NOON + 1) == []
    report = savings_report(store.savings(NOON))
    assert report["requests"] == 5 and report["mini_share"] == 0.4
    assert report["spent_nanos"] == 789 and report["large_only_nanos"] == 1_139
    assert store.savings(NOON, 0, [1]) == store.savings(NOON) and store.savings(NOON, 0, []) == []
    store.insert_records([record(sequence=9, task="u", key_id=7, cost_nanos=2, large_cost_nanos=5)])
    assert store.savings(NOON, 0, [7, 8]) == [SavingsRow("u", 1, 0, 0, 0, 2, 5, 0)]
    assert store.savings(NOON, 0, [1, 7])[1].spent_nanos == 11
    assert report["tasks"][0]["saved_nanos"] == 350 and report["tasks"][0]["is_estimated"]


TIMES = st.sampled_from([NOON - 1, NOON, NOON + DAY_MS // 2, NOON + DAY_MS, NOON + 3 * DAY_MS])
RECORDS = st.builds(
    lambda ms, sequence, key_id, names, usage, costs: record(
        ms,
        sequence,
        key_id=key_id,
        model=names[0],
        deployment=names[1],
        outcome=names[2],
        status=200 if names[2] == "ok" else 502,
        usage=usage,
        api=names[3],
        task=names[4],
        cost_nanos=costs[0],
        large_cost_nanos=costs[1],
    ),
    TIMES,
    st.integers(0, 3),
    st.integers(0, 2),
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["", "p/a", "mini/t"]),
        st.sampled_from(["ok", "gone"]),
        st.sampled_from(["chat.completions", "chat.check"]),
        st.sampled_from(["", "t", "u"]),
    ),
    st.builds(Usage, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), is_estimated=st.booleans()),
    st.tuples(st.integers(0, 1 << 40), st.integers(-1, 1 << 40)),
)


class Twins(RuleBasedStateMachine):
    """The same calls on both stores give the same answers."""

    folder: Path
    number = 0

    def __init__(self) -> None:
        super().__init__()
        Twins.number += 1
        self.memory = MemoryStore()
        self.sqlite = SqliteStore(self.folder / f"{Twins.number}.db")

    def teardown(self) -> None:
        self.sqlite.close()

    @rule(batch=st.lists(RECORDS, max_size=6))
    def insert(self, batch: list[Record]) -> None:
        assert self.sqlite.insert_records(batch) == self.memory.insert_records(batch)

    @rule(before_ms=TIMES)
    def prune(self, before_ms: int) -> None:
        assert self.sqlite.prune(before_ms) == self.memory.prune(before_ms)

    @rule(team=st.sampled_from(["", "red"]))
    def add_key(self, team: str) -> None:
        key = create_key("k", 1, team=team)[0]
        assert self.sqlite.add_key(key) == self.memory.add_key(key)

    @rule()
    def reopen(self) -> None:
        path = self.sqlite.path
        self.sqlite.close()
        self.sqlite = SqliteStore(path)

    @rule(groups=st.lists(st.sampled_from(GROUPS)), since=TIMES | st.just(0), until=TIMES | st.just(0))
    def usage(self, groups: list[str], since: int, until: int) -> None:
        assert self.sqlite.usage(groups, since, until) == self.memory.usage(groups, since, until)

    @rule(since=TIMES | st.just(0), until=TIMES | st.just(0))
    def savings(self, since: int, until: int) -> None:
        assert self.sqlite.savings(since, until) == self.memory.savings(since, until)

    @rule(
        wanted=st.builds(
            RecordFilter,
            since_ms=TIMES | st.just(0),
            until_ms=TIMES | st.just(0),
            key_id=st.none() | st.integers(0, 2),
            model=st.sampled_from(["", "a"]),
            outcome=st.sampled_from(["", "failed", "gone"]),
            status_class=st.sampled_from([0, 2, 5]),
            limit=st.integers(0, 5),
            is_newest_first=st.booleans(),
        )
    )
    def records(self, wanted: RecordFilter) -> None:
        assert self.sqlite.records(wanted) == self.memory.records(wanted)

    @invariant()
    def the_whole_agrees(self) -> None:
        assert self.sqlite.usage(GROUPS) == self.memory.usage(GROUPS)
        assert self.sqlite.list_keys() == self.memory.list_keys()


def test_memory_and_sqlite_are_twins(tmp_path: Path) -> None:
    Twins.folder = tmp_path
    run_state_machine_as_test(
        Twins, settings=settings(max_examples=30, stateful_step_count=12, deadline=None, database=None)
    )


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.from_type(Attempt), usage=st.from_type(Usage))
def test_any_attempt_survives_a_row(kept: Attempt, usage: Usage) -> None:
    from wicket.store.rows import NUM_PLAIN, record_row, row_record

    for attempts in ([kept], [kept, kept]):
        whole = record(attempts=attempts, usage=usage)
        row = record_row(whole)
        assert row_record(row if len(row) > NUM_PLAIN else (*row, None, None)) == whole


LIMIT = Meter("", "team:1", REQUESTS, 60, MINUTE)
BUDGET = Meter("", "key:1", NANOS, 5_000_000_000, DAY, zone="Europe/Madrid")


def test_limits_and_budgets_are_kept_changed_and_removed(store: Store) -> None:
    limit, budget = store.put_meter(LIMIT, NOON), store.put_meter(BUDGET, NOON)
    assert (limit.id, budget.id) == ("limit:1", "budget:2")
    assert store.meters() == [limit, budget]
    more = store.put_meter(msgspec.structs.replace(LIMIT, amount=90), NOON)
    assert more == msgspec.structs.replace(limit, amount=90)
    soft = store.put_meter(msgspec.structs.replace(BUDGET, is_soft=True), NOON)
    assert store.meters() == [more, budget, soft]
    assert store.remove_meter("limit:2") is None, "the id of a budget"
    assert store.remove_meter("nonsense") is None and store.remove_meter("limit:" + "9" * 40) is None
    assert store.remove_meter(budget.id) == budget and store.remove_meter(budget.id) is None
    assert store.put_meter(BUDGET, NOON).id not in (budget.id, soft.id), "ids are never given out again"


def test_another_zone_makes_another_budget(store: Store) -> None:
    first = store.put_meter(BUDGET, NOON)
    second = store.put_meter(msgspec.structs.replace(BUDGET, zone="UTC"), NOON)
    assert second.id != first.id and store.meters() == [second]


def test_what_was_spent_is_summed_by_key_model_and_deployment(store: Store) -> None:
    store.insert_records(
        [
            record(),
            record(sequence=1),
            record(sequence=2, key_id=2, model="large", deployment="mine/large", charge_nanos=9),
            record(sequence=3, api="chat.check", charge_nanos=0),
            record(ms=NOON - 2 * DAY_MS),
            record(sequence=4, deployment="", outcome="no_deployment", usage=Usage(), charge_nanos=0),
        ]
    )
    expected = [
        Spent(1, "", "", 1, 0, 0),
        Spent(1, "small", "mine/small", 2, 30, 1_540),
        Spent(2, "large", "mine/large", 1, 15, 9),
    ]
    assert sorted(store.spent(NOON - 1)) == expected == sorted(store.spent(NOON - DAY_MS // 2))
    assert sum(one.requests for one in store.spent(0)) == 5


def test_scopes_have_names(store: Store) -> None:
    team, organisation = store.ensure_team("red", NOON)
    row, _ = create_key("ada", NOON, team="red")
    kept = store.add_key(msgspec.structs.replace(row, team_id=team, organisation_id=organisation))
    names = {one.scope: (one.name, one.public_id) for one in store.scope_names()}
    assert names[f"key:{kept.id}"] == ("ada", kept.public_id)
    assert names[f"team:{team}"][0] == "red" and f"organisation:{organisation}" in names
