"""Limits and budgets in the store in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from wicket.accounts.keys import VirtualKey
from wicket.accounts.meters import Meter
from wicket.accounts.record import Record
from wicket.accounts.scopes import DEFAULT_ORGANISATION
from wicket.accounts.usage_rows import record_ms
from wicket.store.limits_contract import ScopeName, Spent, meter_id


class MemoryLimits:
    """See `store.limits_contract.LimitStore`; a part of `MemoryStore`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[int, Record] = {}
        self._keys: list[VirtualKey] = []
        self._teams: dict[str, int] = {}
        self._meters: list[Meter] = []
        self._num_meters = 0

    def meters(self) -> list[Meter]:
        """See `LimitStore.meters`."""
        return list(self._meters)

    def put_meter(self, meter: Meter, now_ms: int) -> Meter:
        """See `LimitStore.put_meter`."""
        with self._lock:
            for place, one in enumerate(self._meters):
                if _kind(one) == _kind(meter):
                    if one.zone == meter.zone:
                        self._meters[place] = msgspec.structs.replace(meter, id=one.id)
                        return self._meters[place]
                    del self._meters[place]
                    break
            self._num_meters += 1
            kept = msgspec.structs.replace(meter, id=meter_id(meter.unit, self._num_meters))
            self._meters.append(kept)
        return kept

    def remove_meter(self, id: str) -> Meter | None:
        """See `LimitStore.remove_meter`."""
        with self._lock:
            found = next((one for one in self._meters if one.id == id), None)
            if found is not None:
                self._meters.remove(found)
        return found

    def scope_names(self) -> list[ScopeName]:
        """See `LimitStore.scope_names`."""
        keys = [ScopeName(f"key:{key.id}", key.public_id, key.name) for key in self._keys]
        teams = [ScopeName(f"team:{number}", f"team_{number}", name) for name, number in self._teams.items()]
        ours = ScopeName(f"organisation:{DEFAULT_ORGANISATION}", "org_1", "default")
        return [*keys, *teams, ours]

    def spent(self, since_ms: int) -> list[Spent]:
        """See `LimitStore.spent`."""
        sums: dict[tuple[int, str, str], list[int]] = {}
        with self._lock:
            for record in self._records.values():
                if record_ms(record.id) < since_ms or record.api == "chat.check":
                    continue
                model = record.model if record.deployment else ""
                row = sums.setdefault((record.key_id, model, record.deployment), [0, 0, 0])
                row[0] += 1
                row[1] += record.usage.input_tokens + record.usage.output_tokens
                row[2] += record.charge_nanos
        return [Spent(*key, *row) for key, row in sums.items()]


def _kind(meter: Meter) -> Sequence[object]:
    return (meter.scope, meter.model, meter.unit, meter.window, meter.is_soft)
