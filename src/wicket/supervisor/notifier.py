"""Tells the operator's webhook what happens to money: low balances, budgets that come to their end.

Events wait in the database until they are delivered, so a crash loses none; one may be sent twice.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from wicket.accounts.cost import NANOS_PER_USD
from wicket.accounts.webhooks import (
    DEADLINE_MS,
    EVENT_HEADER,
    SIGNATURE_HEADER,
    event,
    low_balance,
    pause_ms,
    signature,
    turned,
)
from wicket.config.schema import Webhook
from wicket.errors import Fault
from wicket.store.ledger_contract import Ledger, Notice
from wicket.supervisor.verb import iso, now_ms
from wicket.upstream.fetch import fetch_once
from wicket.upstream.pool import KeepAlivePool
from wicket.upstream.proxies import proxy_for
from wicket.upstream.request_head import complete, head
from wicket.wire.json import encode
from wicket.wire.origin import Origin

LOOK_S = 1.0
LIMIT_MS = 10_000
MAX_ANSWER_BYTES = 65_536

_log = logging.getLogger("wicket.supervisor")


class Notifier:
    """One per supervisor. Without a webhook nothing is kept.

    `ledger` may raise while the database is being opened; `webhook` is asked each time.
    """

    def __init__(self, ledger: Callable[[], Ledger], webhook: Callable[[], Webhook | None]) -> None:
        self._ledger = ledger
        self._webhook = webhook
        self._touched: set[str] | None = None  # None: all
        self._seen: Webhook | None = None

    async def notify(self, kind: str, facts: dict[str, Any], *, once: str = "") -> bool:
        """Keep an event and send it soon. `once`: a text of one's own under which it is told once only.

        False if it had been told, or if there is nobody to tell.
        """
        if self._webhook() is None:
            return False
        return await asyncio.to_thread(self._ledger().add_notice, _notice(kind, facts, once))

    async def watch(self) -> None:
        """For ever: look at the balances that changed, send what is due."""
        pool = KeepAlivePool()
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                webhook = self._webhook()
                if webhook is None:
                    continue
                try:
                    await self._look(webhook)
                    await self._send_due(webhook, pool)
                except Fault as fault:
                    _log.warning("the webhook waits: %s", fault.message)
        finally:
            await pool.close()

    async def _look(self, webhook: Webhook) -> None:
        """Keep an event for each balance that fell below its threshold."""
        if webhook != self._seen:
            self._seen, self._touched = webhook, None
        touched, self._touched = self._touched, set()
        if touched is not None and not touched:
            return
        ledger = self._ledger()
        try:
            credits = await asyncio.to_thread(ledger.credits, touched)
            names = await asyncio.to_thread(ledger.scope_names)
            for credit in credits:
                below = credit.below_nanos
                if below is None and webhook.below_usd is not None:
                    below = round(webhook.below_usd * NANOS_PER_USD)
                is_low = turned(credit.balance_nanos, below, credit.is_low)
                if is_low is None:
                    continue
                notice = None
                if is_low and below is not None:
                    kind = credit.scope.partition(":")[0]
                    facts = low_balance(kind, names.get(credit.scope, ""), credit.balance_nanos, below)
                    notice = _notice("credit.low", facts)
                await asyncio.to_thread(ledger.set_low, credit.scope, is_low, notice)
        except Fault:
            self._touched = None
            raise

    async def _send_due(self, webhook: Webhook, pool: KeepAlivePool) -> None:
        ledger = self._ledger()
        for notice in await asyncio.to_thread(ledger.due_notices, now_ms()):
            outcome = await _send(webhook, notice, pool)
            ended = now_ms()
            if outcome and ended - notice.at_ms < DEADLINE_MS:
                _log.warning("the webhook did not take %s: %s", notice.event_id, outcome)
                next_ms = ended + pause_ms(notice.tries + 1)
                await asyncio.to_thread(ledger.notice_tried, notice.event_id, next_ms)
                break  # the others would most likely fare no better; their turn comes
            if outcome:
                _log.error("the webhook never took %s, it is given up: %s", notice.event_id, outcome)
            await asyncio.to_thread(
                ledger.notice_tried, notice.event_id, ended, ended, outcome or "delivered"
            )

    def look_at(self, scopes: Iterable[str]) -> None:
        """Something about these credits may be different now."""
        if self._touched is not None:
            self._touched |= set(scopes)


async def _send(webhook: Webhook, notice: Notice, pool: KeepAlivePool) -> str:
    """Send one event; "" if it was taken, else why not. Redirects are not followed."""
    parts = urlsplit(webhook.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    origin = Origin(parts.scheme, host, port, proxy=proxy_for(parts.scheme, host, port, os.environ))
    body = notice.body.encode()
    headers = [
        ("content-type", "application/json"),
        ("user-agent", "wicket"),
        (EVENT_HEADER, notice.event_id),
        (SIGNATURE_HEADER, signature(webhook.secret, int(time.time()), body)),
    ]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        request = complete(head("POST", target, origin, headers), body)
        answer = await fetch_once(
            pool, origin, request, connect_ms=LIMIT_MS, total_ms=LIMIT_MS, max_bytes=MAX_ANSWER_BYTES
        )
    except Fault as fault:
        return fault.message
    return "" if 200 <= answer.status < 300 else f"it answered with status {answer.status}"


def _notice(kind: str, facts: dict[str, Any], once: str = "") -> Notice:
    at_ms = now_ms()
    id = once or f"evt_{secrets.token_hex(12)}"
    return Notice(id, at_ms, encode(event(id, kind, iso(at_ms) or "", facts)).decode(), next_ms=at_ms)
