"""Active probes, where a provider has `probe_s`: its models are listed while it is spared, at no cost.

Sent by the worker that opened the breaker, when the cooldown is about to end and every `probe_s` before.
A list of models shows that the provider is reachable and knows the credential, not that it answers: so a
good one lets one request try, and a bad one begins another cooldown without a caller having had to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from wicket.errors import Fault
from wicket.gateway.gate import Gate
from wicket.routing.breaker import Breaker
from wicket.routing.deployment import Deployment
from wicket.upstream.fetch import fetch
from wicket.upstream.request_head import head, without_body

LIMIT_MS = 5_000
AHEAD_US = 1_200_000  # the round comes once a second
MAX_BYTES = 4 * 1024 * 1024

Key = tuple[str, int]


class Probes:
    """One worker's. `every_s` is `probe_s` by provider, `deployments` those that are configured, by id."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._tasks: dict[tuple[Key, bool], asyncio.Task[None]] = {}
        self._last_us: dict[tuple[Key, bool], int] = {}
        self.every_s: Mapping[str, float] = {}
        self.deployments: Mapping[str, Sequence[Deployment]] = {}

    def round(self) -> None:
        """Once a second: probe what is due."""
        if not self.every_s:
            return
        now_us = self._gate.now_us()
        cooling = self._gate.health.cooling()
        names = {(key, of_credential) for key, _, of_credential in cooling}
        self._last_us = {name: at for name, at in self._last_us.items() if name in names}
        for key, breaker, of_credential in cooling:
            name = (key, of_credential)
            deployment = self._find(key, of_credential=of_credential)
            if deployment is None or name in self._tasks:
                continue
            since_us = now_us - max(self._last_us.get(name, 0), breaker.opened_us)
            is_due = since_us >= self.every_s[deployment.provider] * 1_000_000
            if is_due or breaker.reopens_us - now_us < AHEAD_US:
                self._start(name, breaker, deployment, now_us)

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _find(self, key: Key, *, of_credential: bool) -> Deployment | None:
        name, credential = key
        wanted = [same for id, same in self.deployments.items() if of_credential or id == name]
        for same in wanted:
            for each in same:
                right = each.provider == name if of_credential else True
                if right and each.credential == credential and each.provider in self.every_s:
                    return each
        return None

    def _start(self, name: tuple[Key, bool], breaker: Breaker, deployment: Deployment, now_us: int) -> None:
        self._last_us[name] = now_us
        breaker.reopens_us = max(breaker.reopens_us, now_us + (LIMIT_MS + 500) * 1_000)  # it decides
        task = asyncio.get_running_loop().create_task(self._probe(name, deployment))
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def _probe(self, name: tuple[Key, bool], deployment: Deployment) -> None:
        key, of_credential = name
        is_well = await self._is_well(deployment, of_credential=of_credential)
        health = self._gate.health
        health.probed(key, self._gate.now_us(), of_credential=of_credential, is_well=is_well)

    async def _is_well(self, deployment: Deployment, *, of_credential: bool) -> bool:
        query = f"?{deployment.query}" if deployment.query else ""
        headers = [*deployment.headers, ("accept", "application/json"), ("user-agent", "wicket")]
        target = f"{deployment.base_path}/models{query}"
        lines = self._gate.tokens.line(deployment.google) if deployment.google is not None else b""
        try:
            answer = await fetch(
                self._gate.pool,
                deployment.origin,
                without_body(head("GET", target, deployment.origin, headers) + lines),
                connect_ms=LIMIT_MS,
                total_ms=LIMIT_MS,
                max_bytes=MAX_BYTES,
            )
        except Fault:
            return False
        if of_credential:
            return 200 <= answer.status < 300
        return answer.status < 500 and answer.status not in (401, 403, 429)  # one without the list lives too
