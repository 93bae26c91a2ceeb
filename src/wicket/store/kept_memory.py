"""Kept things in memory: the slow, obvious twin of the SQLite store. Forgets everything at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from wicket.state.kept import KeptBatch, KeptDue, KeptFile, KeptLine, KeptResponse
from wicket.store.kept_contract import MAX_CHAIN, UNFINISHED, Page

T = TypeVar("T", KeptFile, KeptBatch)


class MemoryKept:
    """See `store.kept_contract.KeptStore`. Safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._responses: dict[tuple[str, str], KeptResponse] = {}
        self._files: dict[str, KeptFile] = {}
        self._batches: dict[str, KeptBatch] = {}
        self._lines: dict[str, dict[int, KeptLine]] = {}
        self._dues: dict[int, KeptDue] = {}

    def keep_response(self, kept: KeptResponse) -> bool:
        """See `KeptStore.keep_response`."""
        with self._lock:
            is_new = (kept.tenant, kept.id) not in self._responses
            self._responses.setdefault((kept.tenant, kept.id), kept)
            return is_new

    def response(self, tenant: str, id: str) -> KeptResponse | None:
        """See `KeptStore.response`."""
        return self._responses.get((tenant, id))

    def chain(self, tenant: str, id: str) -> list[KeptResponse] | None:
        """See `KeptStore.chain`."""
        found: list[KeptResponse] = []
        while id:
            kept = self.response(tenant, id)
            if kept is None or len(found) >= MAX_CHAIN:
                return None
            found.insert(0, kept)
            id = kept.previous
        return found

    def delete_response(self, tenant: str, id: str) -> bool:
        """See `KeptStore.delete_response`."""
        return self._responses.pop((tenant, id), None) is not None

    def expire_responses(self, before_ms: int) -> int:
        """See `KeptStore.expire_responses`."""
        with self._lock:
            old = [key for key, kept in self._responses.items() if kept.created_ms < before_ms]
            for key in old:
                del self._responses[key]
            return len(old)

    def add_file(self, file: KeptFile, quota_bytes: int) -> bool:
        """See `KeptStore.add_file`."""
        with self._lock:
            if self.used_bytes(file.tenant) + file.num_bytes > quota_bytes:
                return False
            self._files[file.id] = file
            return True

    def file(self, tenant: str, id: str) -> KeptFile | None:
        """See `KeptStore.file`."""
        found = self._files.get(id)
        return found if found is not None and found.tenant == tenant else None

    def files(self, tenant: str, page: Page) -> list[KeptFile]:
        """See `KeptStore.files`."""
        own = [each for each in self._files.values() if each.tenant == tenant]
        return _paged(own, page, lambda each: not page.purpose or each.purpose == page.purpose)

    def used_bytes(self, tenant: str) -> int:
        """See `KeptStore.used_bytes`."""
        return sum(each.num_bytes for each in self._files.values() if each.tenant == tenant)

    def delete_file(self, tenant: str, id: str) -> KeptFile | None:
        """See `KeptStore.delete_file`."""
        with self._lock:
            return self._files.pop(id) if self.file(tenant, id) is not None else None

    def expired_files(self, now_ms: int, before_ms: int) -> list[KeptFile]:
        """See `KeptStore.expired_files`."""
        return [
            each
            for each in self._files.values()
            if (each.expires_ms <= now_ms if each.expires_ms else each.created_ms < before_ms)
        ]

    def has_digest(self, digest: str) -> bool:
        """See `KeptStore.has_digest`."""
        return any(each.digest == digest for each in self._files.values())

    def put_batch(self, batch: KeptBatch) -> None:
        """See `KeptStore.put_batch`."""
        self._batches[batch.id] = batch

    def batch(self, tenant: str, id: str) -> KeptBatch | None:
        """See `KeptStore.batch`."""
        found = self._batches.get(id)
        return found if found is not None and found.tenant == tenant else None

    def batches(self, tenant: str, page: Page) -> list[KeptBatch]:
        """See `KeptStore.batches`."""
        return _paged([each for each in self._batches.values() if each.tenant == tenant], page)

    def unfinished(self) -> list[KeptBatch]:
        """See `KeptStore.unfinished`."""
        found = [each for each in self._batches.values() if each.status in UNFINISHED]
        return sorted(found, key=lambda each: (each.created_ms, each.id))

    def begin_lines(self, batch: str, numbers: Sequence[int]) -> None:
        """See `KeptStore.begin_lines`."""
        with self._lock:
            lines = self._lines.setdefault(batch, {})
            for number in numbers:
                before = lines.get(number, KeptLine(number))
                lines[number] = msgspec.structs.replace(before, num_begun=before.num_begun + 1)

    def end_line(self, batch: str, line: KeptLine) -> None:
        """See `KeptStore.end_line`."""
        with self._lock:
            lines = self._lines.setdefault(batch, {})
            before = lines.get(line.number, line)
            lines[line.number] = msgspec.structs.replace(line, num_begun=before.num_begun)

    def lines(self, batch: str) -> dict[int, KeptLine]:
        """See `KeptStore.lines`."""
        return {
            number: msgspec.structs.replace(line, result=b"1" if line.result else b"")
            for number, line in self._lines.get(batch, {}).items()
        }

    def results(self, batch: str, *, is_good: bool) -> Iterator[bytes]:
        """See `KeptStore.results`."""
        found = sorted(self._lines.get(batch, {}).items())
        yield from (line.result for _, line in found if line.result and line.is_good == is_good)

    def forget_lines(self, batch: str) -> None:
        """See `KeptStore.forget_lines`."""
        self._lines.pop(batch, None)

    def add_due(self, due: KeptDue) -> bool:
        """See `KeptStore.add_due`."""
        with self._lock:
            is_new = due.record_id not in self._dues and self.due(due.tenant, due.id) is None
            if is_new:
                self._dues[due.record_id] = due
            return is_new

    def due(self, tenant: str, id: str) -> KeptDue | None:
        """See `KeptStore.due`."""
        return next((one for one in self._dues.values() if (one.tenant, one.id) == (tenant, id)), None)

    def due_of(self, record_id: int) -> KeptDue | None:
        """See `KeptStore.due_of`."""
        return self._dues.get(record_id)

    def dues(self, after: int, limit: int) -> list[KeptDue]:
        """See `KeptStore.dues`."""
        return [one for number, one in sorted(self._dues.items()) if number > after][:limit]

    def end_due(self, record_id: int) -> bool:
        """See `KeptStore.end_due`."""
        return self._dues.pop(record_id, None) is not None

    def close(self) -> None:
        """See `KeptStore.close`."""


def _paged(found: list[T], page: Page, fits: object = None) -> list[T]:
    ordered = sorted(found, key=lambda each: (each.created_ms, each.id), reverse=not page.is_oldest_first)
    if page.after:
        ids = [each.id for each in ordered]
        ordered = ordered[ids.index(page.after) + 1 :] if page.after in ids else []
    if callable(fits):
        ordered = [each for each in ordered if fits(each)]
    return ordered[: max(0, page.limit)]
