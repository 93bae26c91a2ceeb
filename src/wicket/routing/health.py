"""How every deployment has been doing, as far as one worker knows: `plan.Health`. Pure, times are handed in.

    attempt   sent → spoke → over        changes the vitals of its deployment and, on trouble, breakers
    breakers  one per deployment and credential, one per credential (401, 403, an empty account)
    turns     told to the other workers at once, digests once a second; theirs come in by `hear` and `adopt`

Only the order of candidates follows from all this: nobody is refused because a breaker is open.
Memory is bounded: callers can name any model of a provider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from wicket.routing.blame import Blame
from wicket.routing.breaker import LEAST_PROBED_US, PROBE_US, Breaker
from wicket.routing.deployment import Deployment
from wicket.routing.vitals import Digest, Turn, Vitals

MAX_DEPLOYMENTS = 1_024
MAX_DIGESTS = 256
LIMITED = "rate_limit_exceeded"
GOOD_LATELY_US = 60_000_000

Key = tuple[str, int]


class HealthTable:
    """See the top. `tell` hears of each turn of a breaker; `seed` scatters the cooldowns."""

    def __init__(self, seed: int = 0, tell: Callable[[Turn], None] = lambda turn: None) -> None:
        self._vitals: dict[Key, Vitals] = {}
        self.is_stirred = False  # something may not be calm: only then successes are looked at
        self.barred: dict[Key, Breaker] = {}  # credentials in trouble
        self._chance = Random(seed).random  # noqa: S311 - it scatters waits, it keeps no secret
        self._tell = tell
        self.probed_providers: frozenset[str] = frozenset()  # those that are actively probed
        self.has_room_at: Callable[[Deployment], bool] = lambda deployment: True

    # plan.Health

    def reopens_us(self, deployment: Deployment) -> int:
        """See `plan.Health`."""
        found = self._vitals.get((deployment.id, deployment.credential))
        until = 0 if found is None else found.breaker.reopens_us
        if self.barred:
            barred = self.barred.get((deployment.provider, deployment.credential))
            if barred is not None:
                until = max(until, barred.reopens_us)
        return until

    def num_running(self, deployment: Deployment) -> int:
        """See `plan.Health`; the other workers' as they last said."""
        found = self._vitals.get((deployment.id, deployment.credential))
        return 0 if found is None else found.num_running + found.num_elsewhere

    def has_room(self, deployment: Deployment) -> bool:
        """See `plan.Health`."""
        return self.has_room_at(deployment)

    def first_token_us(self, deployment: Deployment, now_us: int) -> int:
        """See `plan.Health`."""
        found = self._vitals.get((deployment.id, deployment.credential))
        return 0 if found is None else found.mean_us(now_us)

    def late_us(self, deployment: Deployment, share: float, is_streamed: bool) -> int:
        """See `plan.Health`; whole answers are counted by themselves."""
        found = self._vitals.get((deployment.id, deployment.credential))
        if found is None:
            return 0
        return found.late_us(share, is_streamed=is_streamed)

    def tokens_per_s(self, deployment: Deployment) -> float:
        """See `plan.Health`."""
        found = self._vitals.get((deployment.id, deployment.credential))
        return 0.0 if found is None else found.tokens_per_s()

    def headroom(self, deployment: Deployment, now_us: int) -> float:
        """See `plan.Health`."""
        found = self._vitals.get((deployment.id, deployment.credential))
        return 1.0 if found is None else found.headroom(now_us)

    # what attempts leave

    def find(self, deployment: Deployment) -> Vitals:
        """The vitals of a deployment, made at its first attempt."""
        key = (deployment.id, deployment.credential)
        found = self._vitals.get(key)
        if found is None:
            found = self._add(key)
        return found

    def sent(self, vitals: Vitals, deployment: Deployment, now_us: int) -> bool:
        """An attempt goes out while something is open: whether it is the probe of a breaker."""
        is_probe = vitals.breaker.try_probe(now_us)
        if is_probe:
            self._turned(vitals.name, vitals.credential, vitals.breaker, now_us)
        barred = self.barred.get((deployment.provider, deployment.credential))
        if barred is not None and barred.try_probe(now_us):
            is_probe = True
            self._turned(deployment.provider, deployment.credential, barred, now_us, of_credential=True)
        return is_probe

    def did_well(self, vitals: Vitals, deployment: Deployment, sent_us: int, now_us: int) -> None:
        """An attempt ended well, while something was not calm."""
        if not vitals.breaker.is_calm and vitals.breaker.succeed(sent_us):
            self._turned(vitals.name, vitals.credential, vitals.breaker, now_us)
        self._credential_works(deployment, sent_us, now_us)

    def spoke(self, vitals: Vitals, deployment: Deployment, sent_us: int, now_us: int) -> None:
        """A probe's first token is here."""
        if vitals.breaker.is_probing and vitals.breaker.speak():
            self._turned(vitals.name, vitals.credential, vitals.breaker, now_us)
        self._credential_works(deployment, sent_us, now_us)

    def went_wrong(
        self, deployment: Deployment, blame: Blame, code: str, times: tuple[int, bool], wait_us: int | None
    ) -> None:
        """An attempt failed. `times`: now, and whether it was a probe; `wait_us`: its Retry-After, if any."""
        now_us, is_probe = times
        vitals = self.find(deployment)
        breaker = vitals.breaker
        vitals.touched_us = now_us
        self.is_stirred = self.is_stirred or blame != Blame.NOTHING
        turned = False
        if blame == Blame.NOTHING:
            self.no_verdict(deployment, now_us, is_probe=is_probe)
        elif blame == Blame.FAILURE:
            at_once_us = wait_us or 0
            turned = breaker.fail(code, now_us, self._chance(), is_probe=is_probe, at_once_us=at_once_us)
        elif blame == Blame.LIMIT:
            turned = breaker.limit(code, now_us, self._chance(), wait_us)
        else:
            self._refused(deployment, breaker, blame, code, now_us)
        if turned:
            if deployment.provider in self.probed_providers:  # a probe is to decide, and comes once a second
                breaker.reopens_us = max(breaker.reopens_us, now_us + LEAST_PROBED_US)
            self._turned(vitals.name, vitals.credential, breaker, now_us)
        if blame in (Blame.FAILURE, Blame.LIMIT) and is_probe:
            self._release_credential(deployment, now_us)

    def no_verdict(self, deployment: Deployment, now_us: int, *, is_probe: bool) -> None:
        """An attempt ended without saying anything of its deployment; if it was a probe another may go."""
        if not is_probe:
            return
        vitals = self.find(deployment)
        if vitals.breaker.release(now_us):
            self._turned(vitals.name, vitals.credential, vitals.breaker, now_us)
        self._release_credential(deployment, now_us)

    # active probes

    def cooling(self) -> list[tuple[Key, Breaker, bool]]:
        """What this worker opened for a failure or a refused credential: (key, breaker, of a credential).

        Not what was limited: that a list of models is given says nothing of limits.
        """
        found = [(key, each.breaker, False) for key, each in self._vitals.items()]
        found += [(key, each, True) for key, each in self.barred.items()]
        return [one for one in found if one[1].is_ours and one[1].state == "open" and one[1].code != LIMITED]

    def probed(self, key: Key, now_us: int, *, of_credential: bool, is_well: bool) -> None:
        """An active probe came back."""
        vitals = self._vitals.get(key)
        breaker = self.barred.get(key) if of_credential else vitals.breaker if vitals else None
        if breaker is None or breaker.state != "open":
            return
        breaker.probed(now_us, self._chance(), is_well=is_well)
        self._turned(*key, breaker, now_us, of_credential=of_credential)

    # between workers

    def hear(self, turn: Turn, now_us: int) -> None:
        """Another worker's breaker turned."""
        self.is_stirred = True
        key = (turn.name, turn.credential)
        if turn.of_credential:
            breaker = self.barred.setdefault(key, Breaker())
        else:
            breaker = (self._vitals.get(key) or self._add(key)).breaker
        if turn.state == "closed":
            breaker.close()
            if turn.of_credential:
                self.barred.pop(key, None)
            return
        if breaker.state == "half_open" and turn.state == "half_open":
            return  # both sent a probe in the same moment
        breaker.open(turn.code, turn.left_us, now_us)
        breaker.is_ours = False
        breaker.level = turn.level
        breaker.is_probing = turn.state == "half_open"

    def adopt(self, digests: Iterable[Digest], now_us: int) -> None:
        """What the other workers said in the last second; who is not named runs nothing there."""
        for vitals in self._vitals.values():
            vitals.num_elsewhere = 0
        for digest in digests:
            key = (digest.name, digest.credential)
            (self._vitals.get(key) or self._add(key)).adopt(digest, now_us)

    def digests(self, now_us: int) -> list[Digest]:
        """What this worker measured since it was last asked, and what runs; the busiest first."""
        self.is_stirred = bool(self.barred) or any(not each.breaker.is_calm for each in self._vitals.values())
        found = [each for each in self._vitals.values() if each.num_running or each.fresh or not each.is_told]
        if len(found) > MAX_DIGESTS:
            found = sorted(found, key=lambda each: -each.num_running)[:MAX_DIGESTS]
        told = [each.digest(now_us) for each in found]
        for each in found:
            each.is_told = True
        return told

    def forget(self, providers: Iterable[str]) -> None:
        """These providers were configured anew: what went wrong before is not their fault."""
        for name in providers:
            for key in [key for key in self._vitals if key[0].startswith(f"{name}/")]:
                self._vitals[key].breaker.close()
            for key in [key for key in self.barred if key[0] == name]:
                del self.barred[key]

    # inside

    def _refused(
        self, deployment: Deployment, breaker: Breaker, blame: Blame, code: str, now_us: int
    ) -> None:
        """401, an empty account: the credential. 403 is the credential's only if it opens nothing else:
        a caller can name a model that it may not use."""
        key = (deployment.provider, deployment.credential)
        if blame == Blame.FORBIDDEN and self._was_good_lately(key, now_us):
            if breaker.bar(code, now_us):
                self._turned(deployment.id, deployment.credential, breaker, now_us)
            return
        breaker.release(now_us)
        barred = self.barred.setdefault(key, Breaker())
        if barred.bar(code, now_us):
            self._turned(*key, barred, now_us, of_credential=True)

    def _credential_works(self, deployment: Deployment, sent_us: int, now_us: int) -> None:
        if not self.barred:
            return
        key = (deployment.provider, deployment.credential)
        barred = self.barred.get(key)
        if barred is not None and barred.succeed(sent_us):
            del self.barred[key]
            self._turned(*key, barred, now_us, of_credential=True)

    def _was_good_lately(self, credential: Key, now_us: int) -> bool:
        provider, number = f"{credential[0]}/", credential[1]
        return any(
            key[1] == number and each.good_us > now_us - GOOD_LATELY_US and key[0].startswith(provider)
            for key, each in self._vitals.items()
        )

    def _release_credential(self, deployment: Deployment, now_us: int) -> None:
        key = (deployment.provider, deployment.credential)
        barred = self.barred.get(key)
        if barred is not None and barred.release(now_us):
            self._turned(*key, barred, now_us, of_credential=True)

    def _turned(
        self, name: str, credential: int, breaker: Breaker, now_us: int, *, of_credential: bool = False
    ) -> None:
        left_us = PROBE_US if breaker.is_probing else max(0, breaker.reopens_us - now_us)
        turn = Turn(name, credential, breaker.state, left_us, breaker.level, breaker.code, of_credential)
        self._tell(turn)

    def _add(self, key: Key) -> Vitals:
        if len(self._vitals) >= MAX_DEPLOYMENTS:
            self._make_room()
        found = self._vitals[key] = Vitals(*key, self)
        return found

    def _make_room(self) -> None:
        """Let a quarter go: closed ones first, then those not asked for longest; never one that runs."""
        idle = [key for key, each in self._vitals.items() if not each.num_running]
        idle.sort(key=lambda key: (self._vitals[key].breaker.reopens_us > 0, self._vitals[key].touched_us))
        for key in idle[: MAX_DEPLOYMENTS // 4]:
            del self._vitals[key]
