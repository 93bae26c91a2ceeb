"""Every dialect file: pure, total over any bytes, and the same however often it is asked."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wicket.dialects
from wicket.dialects.contract import Api, Dialect, Frame, module
from wicket.errors import Fault, ProviderRefusal
from wicket.routing.deployment import Deployment
from wicket.wire.fields import peek
from wicket.wire.origin import Origin

FOLDER = Path(wicket.dialects.__file__).parent
FOUND = {path.stem for path in FOLDER.glob("*") if path.stem.isidentifier() and path.stem[0] != "_"}
NAMES = [name for name in sorted(FOUND) if hasattr(module(name), "APIS")]
DEPLOYMENT = Deployment(
    id="p/m", provider="p", model="m", origin=Origin("https", "up.example", 443), headers=(("x-k", "secret"),)
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
)
WORDS = ["choices", "delta", "usage", "error", "message", "finish_reason", "content", "model", "code"]
WORDS += ["candidates", "parts", "finishReason", "promptFeedback", "usageMetadata", "details"]
WORDS += ["type", "prompt_tokens", "completion_tokens", "data", "text", "tool_calls", "x_groq", "detail"]
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
ANYTHING = st.binary(max_size=200) | JSON.map(msgspec.json.encode)


@pytest.fixture(params=NAMES)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return module(request.param)


def test_there_are_dialects() -> None:
    assert {"openai_chat", "gemini"} <= set(NAMES)


def apis(dialect: Dialect) -> list[Api]:
    return list(dialect.APIS)


def test_it_names_its_apis_once(dialect: Dialect) -> None:
    names = [api.name for api in apis(dialect)]
    assert names and len(set(names)) == len(names)
    assert all(api.path.startswith("/") for api in apis(dialect))


@pytest.mark.parametrize("name", NAMES)
def test_its_apis_say_whose_they_are(name: str) -> None:
    assert {api.dialect for api in apis(module(name))} == {name}
    assert all(set(api.arrays) <= set(api.needs) for api in apis(module(name)))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=300, deadline=None)
@given(data=ANYTHING)
def test_no_bytes_make_it_raise_anything_but_a_fault(name: str, data: bytes) -> None:
    dialect = module(name)
    for api in apis(dialect):
        assert is_sound(attempt(lambda api=api: dialect.whole(data, api)))  # type: ignore[misc]
    frame = attempt(lambda: dialect.frame(data))
    assert is_sound(frame)
    assert not isinstance(frame, Frame) or frame.fault is None or is_sound(frame.fault)


def attempt(function: Callable[[], object]) -> object:
    """What it returns, or the fault it raises."""
    try:
        return function()
    except Fault as fault:
        return fault


def is_sound(found: object) -> bool:
    """A value, or a fault that says something and lets another deployment be tried unless it is a refusal."""
    if not isinstance(found, Fault):
        return True
    return bool(found.code and found.message) and (found.elsewhere or isinstance(found, ProviderRefusal))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=200, deadline=None)
@given(status=st.integers(100, 599), data=ANYTHING, after=st.none() | st.text(max_size=12))
def test_every_error_answer_is_judged(name: str, status: int, data: bytes, after: str | None) -> None:
    headers: Mapping[bytes, bytes] = {} if after is None else {b"retry-after": after.encode()}
    fault = module(name).judge(status, headers, data)
    assert isinstance(fault, Fault) and fault.code and fault.message
    assert 400 <= fault.status < 600
    assert fault.retry_after_ms is None or 0 <= fault.retry_after_ms <= 86_400_000


def test_an_attempt_is_the_same_however_often_it_is_made(dialect: Dialect) -> None:
    body = peek(
        b'{"model":"a","messages":[{"role":"user","content":"x"}],"prompt":"x","input":"x","new":[1.0]}'
    )
    before = {name: bytes(raw) for name, raw in body.items()}
    for api in apis(dialect):
        made = [dialect.body(body, DEPLOYMENT, api, streamed=api.can_stream) for _ in range(3)]
        assert made[0] == made[1] == made[2]
        target = dialect.target(DEPLOYMENT, api, streamed=False)
        assert msgspec.json.decode(made[0].data).get("model") == "m" or "/m" in target
        assert dialect.target(DEPLOYMENT, api, streamed=False) == target != ""
        assert b"secret" not in made[0].data
    assert {name: bytes(raw) for name, raw in body.items()} == before
