from __future__ import annotations

from typing import Any

import msgspec
import pytest

from wicket.errors import CallerFault
from wicket.gateway.pinned import PinnedRoutes, is_home_of, pin_of
from wicket.routing.deployment import Deployment, Route
from wicket.state.seal import Seal
from wicket.wire.origin import Origin

SEAL = Seal(bytes(32))


def deployment(provider: str, key: str, dialect: str = "openai_responses") -> Deployment:
    return Deployment(
        id=f"{provider}/m", provider=provider, model="m", dialect=dialect,
        origin=Origin("https", "x", 443), headers=(("authorization", f"Bearer {key}"),),
    )  # fmt: skip


class Asked(msgspec.Struct):
    """As much of a call as is looked at."""

    route: Any
    model: str = "m"


def test_only_the_keeper_with_its_credential_is_left() -> None:
    one, two, other = deployment("a", "1"), deployment("a", "2"), deployment("b", "1")
    chat = deployment("a", "1", "openai_chat")
    route = Route(name="m", deployments=(other, chat, two, one), policy="weighted", continues=True)
    pin = pin_of(one, "resp_1", SEAL)
    assert [is_home_of(each, pin, SEAL) for each in (one, two, other)] == [True, False, False]
    routes = PinnedRoutes()
    call: Any = Asked(route)
    cut = routes.pinned(call, pin, SEAL).route
    assert cut.deployments == (one,) and cut.policy == "ordered" and not cut.continues and cut.hedge is None
    assert routes.pinned(call, pin, SEAL).route is cut  # so that what is prepared for it is found
    assert routes.pinned(call, pin_of(two, "resp_1", SEAL), SEAL).route.deployments == (two,)


def test_nobody_left_is_said() -> None:
    call: Any = Asked(Route(name="m", deployments=(deployment("b", "1"),)))
    with pytest.raises(CallerFault) as caught:
        PinnedRoutes().pinned(call, pin_of(deployment("a", "1"), "resp_1", SEAL), SEAL)
    assert caught.value.code == "previous_response_elsewhere" and "kept at a" in caught.value.message
