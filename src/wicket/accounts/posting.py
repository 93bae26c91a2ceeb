"""From a record to its transfers: what each attempt cost, and what the caller is charged for the request.

`record_transfers` says it for one record; `post` does the same for a batch, in as few steps as it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence

import msgspec

from wicket.accounts.record import Attempt, Record
from wicket.accounts.split import Grant, split_charge
from wicket.accounts.transfers import COST, CREDIT, PROVIDER, REVENUE, Transfer
from wicket.errors import StoreFault

UNKNOWN = "unknown"  # the provider of a cost that no deployment stands for
_FIRST = len(CREDIT)


class Posting(msgspec.Struct):
    """A batch's transfers as rows, and what they take from accounts and bring to them, in nano-USD.

    `costs` are (entry id, place, credit, nano-USD, price row), `charges` (entry id, place, debit, nano-USD).
    `left` is what remains of each grant that paid, by its number.
    """

    costs: list[tuple[int, int, str, int, str]] = []
    charges: list[tuple[int, int, str, int]] = []
    debits: dict[str, int] = {}
    credits: dict[str, int] = {}
    left: dict[int, int] = {}

    def sums(self) -> list[tuple[str, int, int]]:
        """(account, debits, credits) of every account that something moved on."""
        debits, credits = self.debits, self.credits
        return [(name, debits.get(name, 0), credits.get(name, 0)) for name in {**debits, **credits}]


def payer_of(record: Record) -> str:
    """The account that a charge is taken from: the one its caller had, else what its key owes."""
    if record.payer:
        return record.payer
    return f"receivable:key:{record.key_id}" if record.key_id else "receivable:operator"


def credit_scopes(batch: Iterable[Record]) -> set[str]:
    """The scopes whose prepaid credit pays for any of these."""
    return {
        record.payer[_FIRST:] for record in batch if record.charge_nanos and record.payer.startswith(CREDIT)
    }


def cost_parts(record: Record) -> list[tuple[str, int, str]]:
    """(account, nano-USD, price row) of each attempt that cost something; they come to the record's cost."""
    parts = [
        (provider_account(attempt.deployment), attempt.cost_nanos, _price_row(attempt, record))
        for attempt in record.attempts
        if attempt.cost_nanos
    ]
    if sum(nanos for _, nanos, _ in parts) == record.cost_nanos:
        return parts
    return [(provider_account(record.deployment), record.cost_nanos, record.price_row)]


def record_transfers(record: Record, grants: Iterable[Grant]) -> list[Transfer]:
    """All of a record's transfers. `grants` are those of the payer's scope, with what is left of them.

    Raises `StoreFault("record_refused")` for negative amounts.
    """
    _check(record)
    found: list[Transfer] = []
    for account, nanos, price_row in cost_parts(record) if record.cost_nanos else []:
        found.append(Transfer(record.id, len(found), "cost", COST, account, nanos, price_row))
    if record.charge_nanos:
        for account, nanos in _charge_parts(record, grants):
            found.append(Transfer(record.id, len(found), "charge", account, REVENUE, nanos))
    return found


def post(batch: Sequence[Record], grants: Mapping[str, Sequence[Grant]]) -> Posting:
    """The same for a batch, each record after the other. `grants` are the open ones by their scope.

    Raises `StoreFault("record_refused")` for negative amounts.
    """
    done = Posting()
    open_grants = {scope: list(found) for scope, found in grants.items()}
    charges, debits = done.charges, done.debits
    total_cost = total_charge = 0
    for record in batch:
        cost, charge, place = record.cost_nanos, record.charge_nanos, 0
        if cost < 0 or charge < 0:
            _check(record)
        if cost:
            place = _post_cost(record, done)
            total_cost += cost
        if charge:
            total_charge += charge
            payer = record.payer or payer_of(record)
            if open_grants and payer[_FIRST:] in open_grants:
                _post_split(record, place, done, open_grants)
            else:
                charges.append((record.id, place, payer, charge))
                debits[payer] = debits.get(payer, 0) + charge
    if total_cost:
        debits[COST] = total_cost
    if total_charge:
        done.credits[REVENUE] = total_charge
    return done


def provider_account(deployment: str) -> str:
    """Whom a deployment's cost is owed to: `provider:` and the first part of its id."""
    account = _accounts.get(deployment)
    if account is None:
        account = f"{PROVIDER}{deployment.partition('/')[0] or UNKNOWN}"
        if len(_accounts) < _MAX_ACCOUNTS:
            _accounts[deployment] = account
    return account


_accounts: dict[str, str] = {}  # by deployment; operators' names, so there are few
_MAX_ACCOUNTS = 10_000


def _post_cost(record: Record, done: Posting) -> int:
    """Book what a record cost; how many rows that made."""
    attempts = record.attempts
    if len(attempts) == 1 and attempts[0].cost_nanos == record.cost_nanos:
        attempt = attempts[0]
        account = provider_account(attempt.deployment)
        price_row = attempt.price_row or _price_row(attempt, record)
        done.costs.append((record.id, 0, account, attempt.cost_nanos, price_row))
        done.credits[account] = done.credits.get(account, 0) + attempt.cost_nanos
        return 1
    place = 0
    for account, nanos, price_row in cost_parts(record):
        done.costs.append((record.id, place, account, nanos, price_row))
        done.credits[account] = done.credits.get(account, 0) + nanos
        place += 1
    return place


def _post_split(record: Record, place: int, done: Posting, grants: MutableMapping[str, list[Grant]]) -> None:
    scope = record.payer[_FIRST:]
    of_scope = grants[scope]
    parts = _charge_parts(record, of_scope)
    for place_of_part, (account, nanos) in enumerate(parts, place):
        done.charges.append((record.id, place_of_part, account, nanos))
        done.debits[account] = done.debits.get(account, 0) + nanos
    paid = dict(parts)
    for number, grant in enumerate(of_scope):
        if grant.account in paid:
            left = done.left[grant.number] = grant.left_nanos - paid[grant.account]
            of_scope[number] = msgspec.structs.replace(grant, left_nanos=left)


def _charge_parts(record: Record, grants: Iterable[Grant]) -> list[tuple[str, int]]:
    payer = payer_of(record)
    if not payer.startswith(CREDIT):
        return [(payer, record.charge_nanos)]
    return split_charge(payer[_FIRST:], record.charge_nanos, grants, record.id >> 21)


def _price_row(attempt: Attempt, record: Record) -> str:
    return attempt.price_row or (record.price_row if attempt.deployment == record.deployment else "")


def _check(record: Record) -> None:
    if min(record.cost_nanos, record.charge_nanos, *(a.cost_nanos for a in record.attempts), 0) < 0:
        raise StoreFault("record_refused", "A value fits no column: an amount of money is below zero.")
