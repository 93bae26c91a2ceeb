"""Prepared deployments: checked once, remembered, and never more than the bound."""

from __future__ import annotations

import msgspec
import pytest

from wicket.dialects.openai_chat import CHAT
from wicket.errors import ConfigFault
from wicket.gateway import request
from wicket.gateway.request import Rates, RequestHeads
from wicket.routing.deployment import Deployment
from wicket.wire.origin import Origin


def deployment(name: str, *headers: tuple[str, str]) -> Deployment:
    origin = Origin("http", "127.0.0.1", 9000)
    return Deployment(id=f"mine/{name}", provider="mine", model=name, origin=origin, headers=headers)


def test_a_head_is_made_once_and_ends_where_the_length_goes() -> None:
    heads, one = RequestHeads(Rates()), deployment("a", ("authorization", "Bearer k"))
    made = heads.find(one, CHAT, True)
    assert made is heads.find(one, CHAT, True) and made is not heads.find(one, CHAT, False)
    assert made.head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:9000\r\n")
    assert b"\r\nauthorization: Bearer k\r\naccept: text/event-stream\r\n" in made.head
    assert b"\r\naccept-encoding: identity\r\n" in made.head and made.head.endswith(b"\r\n")


def test_what_is_known_of_a_model_s_end_stands_beside_the_deployment() -> None:
    heads = RequestHeads(Rates())
    plain, old = (
        deployment("a"),
        msgspec.structs.replace(deployment("b"), warning="mine/b is deprecated; use mine/c"),
    )
    assert heads.find(plain, CHAT, False).name_header == b"x-wicket-deployment: mine/a\r\n"
    assert heads.find(old, CHAT, False).name_header == (
        b"x-wicket-deployment: mine/b\r\nx-wicket-warning: mine/b is deprecated; use mine/c\r\n"
    )


def test_a_header_with_a_line_break_never_goes_out() -> None:
    with pytest.raises(ConfigFault):
        RequestHeads(Rates()).find(deployment("a", ("x-team", "a\r\nhost: b")), CHAT, False)


def test_names_that_callers_invent_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "_MAX_CACHED", 10)
    heads = RequestHeads(Rates())
    for number in range(35):
        heads.find(deployment(f"m{number}"), CHAT, False)
        assert len(heads._heads) <= 10
