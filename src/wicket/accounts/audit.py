"""Whether a ledger is right: what it holds against what must follow from it. Pure, one pass, in order.

1. Every balance is the sum of its account's transfers, and all balances sum to zero.
2. Every record with a cost or a charge has exactly its transfers, and every request's transfers their record.
3. Every movement has exactly its transfers.
4. No grant is overdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter

import msgspec

from wicket.accounts.movements import Movement, format_movement_id, movement_transfers
from wicket.accounts.posting import cost_parts, payer_of
from wicket.accounts.record import Record
from wicket.accounts.request_ids import format_id
from wicket.accounts.transfers import COST, CREDIT, GRANT, REVENUE, Balance, Transfer, add_to

MAX_FINDINGS = 1_000
_OF_RECORDS = ("cost", "charge")


class Books(msgspec.Struct, frozen=True):
    """One moment of a ledger. `transfers` come in the order of entry id and place, `records` of their ids.

    `grants` says of each number whose it is. Records below `from_id` may be without transfers, and those
    below `pruned_id` are gone.
    """

    transfers: Iterable[Transfer]
    records: Iterable[Record]
    balances: Mapping[str, Balance]
    movements: Mapping[int, Movement]
    grants: Mapping[int, str]
    from_id: int = 0
    pruned_id: int = 0


def audit(books: Books) -> list[str]:
    """What is wrong, a line each; `MAX_FINDINGS` at most."""
    found: list[str] = []
    for line in _findings(books):
        found.append(line)
        if len(found) == MAX_FINDINGS:
            found.append("… and more")
            break
    return found


def _findings(books: Books) -> Iterator[str]:
    sums: dict[str, Balance] = {}
    corrected: dict[int, int] = {}
    charged: dict[int, int] = {}
    unseen = dict(books.movements)
    taken_back = {movement.record_id for movement in unseen.values()}
    for entry_id, entry, record in _side_by_side(books):
        yield from _odd_rows(entry)
        add_to(sums, entry)
        ours = [transfer for transfer in entry if transfer.kind in _OF_RECORDS]
        others = [transfer for transfer in entry if transfer.kind not in _OF_RECORDS]
        if record is not None and (ours or entry_id >= books.from_id):
            yield from _against_record(record, ours, books.grants)
        elif record is None and ours and entry_id >= books.pruned_id:
            yield f"request {format_id(entry_id)}: there are transfers but no record"
        movement = unseen.pop(entry_id, None)
        if movement is not None:
            yield from _against_movement(movement, others)
            if movement.kind == "correction":
                corrected[movement.record_id] = corrected.get(movement.record_id, 0) + movement.amount_nanos
        elif others:
            yield f"movement {format_movement_id(entry_id)}: there are transfers but no movement"
        if entry_id in taken_back:
            charged[entry_id] = sum(t.amount_nanos for t in ours if t.kind == "charge")
    for movement in unseen.values():
        yield f"movement {format_movement_id(movement.id)}: its transfers are missing"
    for record_id, nanos in corrected.items():
        if nanos > charged.get(record_id, 0):
            yield f"request {format_id(record_id)}: more was taken back than was charged"
    yield from _against_balances(books.balances, sums)


def _side_by_side(books: Books) -> Iterator[tuple[int, list[Transfer], Record | None]]:
    """Entries and records by their ids, both sides in one pass."""
    entries = groupby(books.transfers, key=attrgetter("entry_id"))
    records = iter(books.records)
    entry, record = next(entries, None), next(records, None)
    while entry is not None or record is not None:
        if record is None or (entry is not None and entry[0] < record.id):
            assert entry is not None
            yield entry[0], list(entry[1]), None
            entry = next(entries, None)
        elif entry is None or record.id < entry[0]:
            yield record.id, [], record
            record = next(records, None)
        else:
            yield record.id, list(entry[1]), record
            entry, record = next(entries, None), next(records, None)


def _odd_rows(entry: Iterable[Transfer]) -> Iterator[str]:
    for transfer in entry:
        where = f"transfer {transfer.entry_id}/{transfer.place}"
        if not isinstance(transfer.amount_nanos, int) or transfer.amount_nanos <= 0:
            yield f"{where}: its amount is not a whole number above zero"
        if transfer.debit == transfer.credit:
            yield f"{where}: {transfer.debit} pays itself"


def _against_record(record: Record, entry: list[Transfer], grants: Mapping[int, str]) -> Iterator[str]:
    name = f"request {format_id(record.id)}"
    costs = [
        (transfer.debit, transfer.credit, transfer.amount_nanos, transfer.price_row)
        for transfer in entry
        if transfer.kind == "cost"
    ]
    due = [
        (COST, account, nanos, price_row)
        for account, nanos, price_row in (cost_parts(record) if record.cost_nanos else [])
    ]
    if costs != due:
        yield f"{name}: its transfers of cost are {_told(costs)} and should be {_told(due)}"
    charges = [transfer for transfer in entry if transfer.kind == "charge"]
    total = sum(transfer.amount_nanos for transfer in charges)
    if total != record.charge_nanos:
        yield f"{name}: {total} was charged and should be {record.charge_nanos}"
    if any(transfer.credit != REVENUE for transfer in charges):
        yield f"{name}: its charge went elsewhere than to {REVENUE}"
    payers = {_payer(transfer.debit, grants) for transfer in charges}
    if len(payers) > 1 or (record.payer and payers - {payer_of(record)}):
        yield f"{name}: its charge was taken from {', '.join(sorted(payers))}"


def _payer(account: str, grants: Mapping[int, str]) -> str:
    """The credit behind a grant, or the account itself."""
    number = account.removeprefix(GRANT)
    if number == account:
        return account
    return f"{CREDIT}{grants.get(int(number), '?')}" if number.isdecimal() else account


def _against_movement(movement: Movement, entry: list[Transfer]) -> Iterator[str]:
    name = f"movement {format_movement_id(movement.id)}"
    if movement.kind == "correction":
        back = [transfer for transfer in entry if transfer.kind == "correction"]
        again = [transfer for transfer in entry if transfer.kind != "correction"]
        returned = {transfer.credit: transfer.amount_nanos for transfer in back}
        is_right = (
            sum(transfer.amount_nanos for transfer in back) == movement.amount_nanos
            and all(transfer.debit == REVENUE for transfer in back)
            and all(t.kind == "expiry" and returned.get(t.debit) == t.amount_nanos for t in again)
        )
    else:
        is_right = entry == movement_transfers(movement)
    if not is_right:
        yield f"{name}: its transfers are not those of a {movement.kind} of {movement.amount_nanos}"


def _against_balances(kept: Mapping[str, Balance], sums: Mapping[str, Balance]) -> Iterator[str]:
    for account in sorted({*kept, *sums}):
        has, should = kept.get(account, Balance()), sums.get(account, Balance())
        if has != should:
            yield (
                f"account {account}: its balance says {has.debits_nanos} out and {has.credits_nanos} in,"
                f" its transfers {should.debits_nanos} and {should.credits_nanos}"
            )
        if account.startswith(GRANT) and should.nanos < 0:
            yield f"account {account}: a grant is overdrawn by {-should.nanos}"
    total = sum(balance.nanos for balance in kept.values())
    if total:
        yield f"all accounts sum to {total} and not to zero"


def _told(rows: list[tuple[str, str, int, str]]) -> str:
    return (
        ", ".join(f"{nanos} to {account} at {row or 'no price'}" for _, account, nanos, row in rows) or "none"
    )
