"""Attempts at what is no text: pictures, sound, moderations.

They differ in three things: an answer may be of any type, which goes on with it; it may be bytes that go out
as they come; and what a provider does not report is not estimated from its size, for a minute of sound is
as large as a book.
"""

from __future__ import annotations

import re
from typing import Any, cast

from wicket.accounts.record import Usage
from wicket.dialects.contract import MediaDialect, Whole
from wicket.errors import UpstreamBroken
from wicket.gateway.attempt import MAX_HELD_BYTES, Attempt, too_large, usage_of
from wicket.gateway.events import Ended, Heard, Opened

OCTETS = b"application/octet-stream"
_TYPE = re.compile(rb"[!-~][ -~]{0,199}")
_NO_BYTES = (b"text/html", b"text/event-stream", b"application/json", b"application/problem+json")


class MediaAttempt(Attempt):
    """One try at an API that is `is_media`."""

    is_flowing = False  # its bytes go out as they come

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.dialect = cast("MediaDialect", self.prepared.dialect)
        if self.call.is_streamed and not self.prepared.gap:
            self.read_frame = self.dialect.event_reader(self.call.api)

    def on_headers(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Note the type; bytes flow, unless they are an error's or a page's."""
        super().on_headers(status, headers)
        if (
            self.splitter is not None
            and self.call.flows
            and bytes(self.call.fields.get("stream", b"")) != b"true"
        ):
            self._fail(
                UpstreamBroken("malformed", "The provider answered with events although asked for bytes.")
            )
        if not 200 <= status < 300 or self.splitter is not None:
            return
        kind = self.headers.get(b"content-type", b"").strip()
        if self.call.api.answers == "json":
            return
        self.content_type = kind if _TYPE.fullmatch(kind) else OCTETS
        if self.call.flows and not kind.lower().startswith(_NO_BYTES):
            self.is_flowing = True
            self.report(Opened(self.number, self.clock()))

    def on_data(self, data: bytes) -> None:
        """Bytes that flow are told like frames."""
        if not self.is_flowing or self.done or not data:
            super().on_data(data)
            return
        self.size += len(data)
        self.held_bytes += len(data)
        self.out.append(data)
        now = self.clock()
        if self.held_bytes > MAX_HELD_BYTES:
            self._fail(too_large())
        elif self.spoke:
            self.report(Heard(self.number, now))
        else:
            self.counts = self.dialect.flow_counts(self.call.api, self.call.fields)
            self._tell(True, False)

    def on_end(self) -> None:
        """The end of what flows is HTTP's: a body that was cut comes as a failure."""
        if not self.is_flowing or self.done:
            super().on_end()
            return
        if not self.size:
            self._fail(UpstreamBroken("malformed", "The provider's answer is empty."))
            return
        self._over()
        self.report(Ended(self.number, self.ended_us))

    def take(self) -> bytes:
        """What waits to be forwarded."""
        if not self.is_flowing:
            return super().take()
        data = b"".join(self.out)
        self.out = []
        self.held_bytes = 0
        return data

    def read_whole(self, data: bytes) -> Whole:
        """A complete answer of whatever type."""
        kind = self.headers.get(b"content-type", b"")
        return self.dialect.media(data, kind, self.call.api, self.call.fields)

    def may_be_whole(self) -> bool:
        """A model that can't stream its transcript gives it whole (OpenAI's whisper-1), and no failure."""
        return self.call.api.answers == "any" and self.call.route.commit != "whole"

    def _usage(self) -> Usage:
        """What was reported, or nothing: bytes tell nothing of it."""
        if self.counts is None:
            return Usage(is_estimated=self.spoke or (self.done and self.fault is None and not self.reason))
        return usage_of(self.counts)
