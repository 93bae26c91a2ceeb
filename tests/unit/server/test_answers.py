from __future__ import annotations

import pytest

from wicket.errors import (
    BusyFault,
    CallerFault,
    EngineFault,
    Fault,
    KeyFault,
    ProviderFault,
    UnknownModelFault,
    UpstreamTimeout,
)
from wicket.server.answers import fault_headers


@pytest.mark.parametrize(
    ("wait_ms", "seconds"), [(0, b"0"), (1, b"1"), (999, b"1"), (1000, b"1"), (1001, b"2"), (-5, b"0")]
)
def test_retry_after_is_rounded_up(wait_ms: int, seconds: bytes) -> None:
    headers = dict(fault_headers(BusyFault("busy", "Later.", retry_after_ms=wait_ms)))
    assert headers[b"retry-after"] == seconds
    assert headers[b"retry-after-ms"] == str(max(0, wait_ms)).encode()
    assert headers[b"x-should-retry"] == b"true"


@pytest.mark.parametrize(
    ("fault", "should_retry"),
    [
        (CallerFault("a", "b"), b"false"),
        (UnknownModelFault("a", "b"), b"false"),
        (CallerFault("a", "b", retry_after_ms=10), b"false"),
        (BusyFault("insufficient_quota", "b"), b"false"),
        (EngineFault("a", "b"), b"false"),
        (EngineFault("a", "b", retry_after_ms=10), b"true"),
        (ProviderFault("a", "b"), None),
        (UpstreamTimeout("a", "b"), None),
        (ProviderFault("a", "b", status=400), b"false"),
    ],
)
def test_a_client_is_told_whether_a_retry_is_worth_it(fault: Fault, should_retry: bytes | None) -> None:
    assert dict(fault_headers(fault)).get(b"x-should-retry") == should_retry


def test_a_401_names_its_scheme() -> None:
    assert (b"www-authenticate", b'Bearer realm="wicket"') in fault_headers(KeyFault("a", "b"))
