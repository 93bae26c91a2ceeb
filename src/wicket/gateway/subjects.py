"""Between two dialects what is no conversation: embeddings and rankings, which come whole.

As `crossing` does for conversations: a caller's request is read into the subject's own values, written for
one deployment, and that one's answer is read and written for the caller.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from wicket.config.check import known_dialects
from wicket.dialects.contract import Api, Body, Whole
from wicket.dialects.translation import Side, side_of
from wicket.errors import CallerFault
from wicket.gateway.attempt import Attempt
from wicket.gateway.crossing import MAX_MODEL, asked_of, guarded
from wicket.routing.deployment import Deployment
from wicket.wire.fields import Fields


class SubjectCrossing(msgspec.Struct, frozen=True):
    """The provider's side, the caller's side, and the caller's API."""

    spoken: Side
    heard: Side
    api: Api

    def read(self, fields: Fields) -> Any:
        """The caller's request as the subject's values. Raises `CallerFault` naming the field."""
        assert self.heard.read_request is not None
        return guarded(self.heard.read_request, fields, self.api)

    def body(self, fields: Fields, deployment: Deployment) -> Body:
        """What a deployment gets. Raises `CallerFault` for what it has no word for."""
        assert self.spoken.write_request is not None
        ask = self.read(fields)
        removed = [name for name in deployment.remove if name in ask.extras]
        ask.extras = {name: raw for name, raw in ask.extras.items() if name not in removed}
        body: Body = guarded(self.spoken.write_request, ask, deployment)
        return Body(body.data, body.dropped + tuple(removed))


def subject_crossing(api: Api, deployment: Deployment) -> SubjectCrossing:
    """The way between a caller's API and a deployment of another dialect. Raises `CallerFault` for none."""
    spoken, heard = side_of(deployment.dialect, api.subject), side_of(api.dialect, api.subject)
    if spoken is None or spoken.write_request is None or heard is None:
        message = f"{deployment.provider} can't be asked for {api.name}: {who_can(api)} can."
        raise CallerFault("unsupported_by_provider", message, param="model")
    return SubjectCrossing(spoken, heard, api)


@cache
def who_can(api: Api) -> str:
    """The providers that an API's requests can reach, by their dialects."""
    names = [name for name in known_dialects() if name == api.dialect or _answers(name, api.subject)]
    return f"providers with the dialect {' or '.join(names)}"


def _answers(name: str, subject: str) -> bool:
    side = side_of(name, subject) if subject else None
    return side is not None and side.write_request is not None


class SubjectAttempt(Attempt):
    """One try at a deployment that speaks otherwise: its answer is the caller's once it is read."""

    def read_whole(self, data: bytes) -> Whole:
        """A complete answer. Raises the fault that it is or tells of."""
        subject = self.prepared.subject
        assert subject is not None and subject.spoken.read_answer and subject.heard.write_answer
        ask = subject.read(self.call.fields)
        answer = guarded(subject.spoken.read_answer, data, ask)
        self.body = guarded(subject.heard.write_answer, answer, ask, asked_of(self.call))
        return Whole(answer.model[:MAX_MODEL], answer.counts)
