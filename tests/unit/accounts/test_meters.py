"""Windows of the calendar, single stocks, and the book's decisions one by one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.lease_book import EXPIRY_MS, OVERDRAFT_NANOS, RECALL_MS, LeaseBook, Words
from wicket.accounts.lease_words import DENIED, GRANTED, LAST, RECALLED, Note
from wicket.accounts.meters import DAY, MINUTE, MONTH, NANOS, REQUESTS, TOTAL, Meter, counts_for, credit_meter
from wicket.accounts.stock import Moment, Stock
from wicket.accounts.windows import window_at
from wicket.errors import CallerFault

HOUR_MS = 3_600_000
ZONES = ("UTC", "Europe/Madrid", "America/Havana", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kathmandu")
CREDIT = credit_meter("team:1")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29T12:00", 23), ("2026-10-25T12:00", 25), ("2026-07-01T12:00", 24)]
)
def test_a_day_is_as_long_as_daylight_saving_makes_it(day: str, hours: int) -> None:
    begin, end = window_at(DAY, "Europe/Madrid", at(day))
    assert end - begin == hours * HOUR_MS


@given(kind=st.sampled_from([DAY, MONTH]), zone=st.sampled_from(ZONES), ms=st.integers(0, 4_000_000_000_000))
def test_windows_hold_their_moment_and_touch(kind: str, zone: str, ms: int) -> None:
    begin, end = window_at(kind, zone, ms)
    assert begin <= ms < end
    assert window_at(kind, zone, begin) == (begin, end)
    assert window_at(kind, zone, end)[0] == end
    assert window_at(kind, zone, end - 1) == (begin, end)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "UTC\0", "x" * 300])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(CallerFault, match="no time zone"):
        window_at(DAY, zone, 0)


def test_a_day_begins_anew_and_a_clock_that_goes_back_does_not() -> None:
    now = Moment(0, at("2026-07-01T23:59"))
    stock = Stock(Meter("limit:1", "key:1", REQUESTS, 10, DAY), now)
    stock.count(7, now.unix_ms, now)
    assert stock.free(now) == 3
    after = Moment(0, now.unix_ms + 2 * 60_000)
    assert stock.free(after) == 10
    stock.count(1, now.unix_ms, after)  # it began yesterday
    assert stock.free(after) == 10
    stock.count(1, after.unix_ms, after)
    assert stock.free(now) == 9  # a clock set back stays in the later day


def test_models_are_matched_with_their_suffixes() -> None:
    meter = Meter("limit:1", "key:1", REQUESTS, 1, MINUTE, model="gpt-4o")
    assert counts_for(meter, "gpt-4o", "") and counts_for(meter, "gpt-4o:floor", "openai/gpt-4o")
    assert not counts_for(meter, "gpt-4o-mini", "openai/gpt-4o")
    assert counts_for(
        Meter("limit:1", "key:1", REQUESTS, 1, model="openai/gpt-4o"), "gpt-4o", "openai/gpt-4o"
    )


class Book:
    """A book with two workers and a clock."""

    def __init__(self, meter: Meter, balance: int = 0) -> None:
        self.now = Moment(1_000, at("2026-07-01T00:00"))
        self.book = LeaseBook()
        self.id = meter.id
        self.book.put(meter, self.now)
        self.book.set_balance(meter.id, balance, self.now)
        for holder in (1, 2):
            self.book.join(holder)

    def hear(self, holder: int, **note: int | bool) -> list[tuple[int, int, int]]:
        return self.short(self.book.hear(holder, Note(self.id, **note), self.now))  # type: ignore[arg-type]

    def after(self, ms: int) -> list[tuple[int, int, int]]:
        self.now = Moment(self.now.mono_ms + ms, self.now.unix_ms + ms)
        return self.short(self.book.tick(self.now))

    @staticmethod
    def short(words: Words) -> list[tuple[int, int, int]]:
        return [(holder, word.kind, word.amount) for holder, word in words]


def test_what_lies_unused_elsewhere_is_recalled_before_anything_is_denied() -> None:
    book = Book(CREDIT, balance=100)
    assert book.hear(1, need=60, want=40) == [(1, GRANTED, 70)]
    assert book.hear(2, need=50) == [(1, RECALLED, 0)]
    assert book.hear(1, back=10, is_answer=True) == [(2, DENIED, 0)]
    assert book.hear(2, need=45) == [(1, RECALLED, 0)]
    assert book.hear(1, back=20, is_answer=True) == [(2, GRANTED, 45)]


def test_who_does_not_answer_a_recall_is_passed_over() -> None:
    book = Book(CREDIT, balance=100)
    book.hear(1, need=60)
    assert book.hear(2, need=50) == [(1, RECALLED, 0)]
    assert book.after(RECALL_MS - 1) == []
    assert book.after(1) == [(2, DENIED, 0)]


def test_the_rest_of_a_credit_is_granted_and_then_it_is_overdrawn_by_a_cent_at_most() -> None:
    book = Book(CREDIT, balance=100)
    assert book.hear(1, need=500, least=90) == [(1, LAST, 100)]
    book.book.settle(1, book.id, 99, book.now)
    book.book.set_balance(book.id, 1, book.now)
    book.hear(1, back=1)
    least = OVERDRAFT_NANOS + 1
    assert book.hear(1, need=2 * least, least=least + 1) == [(1, DENIED, 0)]
    assert book.hear(1, need=2 * least, least=least) == [(1, LAST, least)]
    assert book.hear(2, need=1) == [(1, RECALLED, 0)]
    assert book.hear(1, is_answer=True) == [(2, DENIED, 0)]


def test_a_budget_is_never_overdrawn() -> None:
    book = Book(Meter("budget:1", "team:1", NANOS, 100, TOTAL))
    assert book.hear(1, need=500, least=101) == [(1, DENIED, 0)]


def test_a_dead_workers_lease_returns_when_it_expires() -> None:
    book = Book(CREDIT, balance=100)
    book.hear(1, need=100)
    assert book.book.lose(1, book.now) == []
    assert book.after(EXPIRY_MS - 1) == [] and book.hear(2, need=100) == [(2, DENIED, 0)]
    book.after(1)
    assert book.hear(2, need=100) == [(2, GRANTED, 100)]


def test_a_smaller_amount_counts_what_is_out() -> None:
    meter = Meter("limit:1", "key:1", "concurrent", 10)
    book = Book(meter)
    book.hear(1, need=8)
    book.book.put(Meter("limit:1", "key:1", "concurrent", 5), book.now)
    stock = book.book.stock("limit:1")
    assert stock is not None and stock.free(book.now) == -3
