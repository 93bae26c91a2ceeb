"""Whose requests are kept: the route's word, the sample, the caller's header."""

from pathlib import Path

import pytest

from wicket.accounts.callers import Caller
from wicket.config.load import parse
from wicket.config.snapshot import compile_snapshot
from wicket.dialects.openai_chat import CHAT, COMPLETIONS
from wicket.errors import CallerFault
from wicket.gateway.admit import admit
from wicket.gateway.call import Arrival, Collected
from wicket.gateway.collect import is_sampled

CONFIG = """
[providers.mine]
base_url = "http://127.0.0.1:9/v1"
auth = "none"
[models.on]
deployments = ["mine/a"]
collect = "t"
[models.half]
deployments = ["mine/a"]
collect = "half"
[models.off]
deployments = ["mine/a"]
[tasks.half]
sample = 0.5
[tasks.open]
by_header = true
"""
SNAPSHOT = compile_snapshot(
    parse(CONFIG, {}, source="wicket.toml", base=Path("/nowhere")), version=1, engine_sockets={}
)
CALLER = Caller(key_id=1, name="ada", digest=b"")
PROMPT = b'{"model": "%s", "messages": [{"role": "user", "content": "x"}], "prompt": "x"}'


def collected(
    model: bytes, header: bytes | None = None, id: int = 7 << 21, api: object = CHAT
) -> Collected | None:
    headers = {} if header is None else {b"x-wicket-collect": header}
    arrival = Arrival(api, headers, PROMPT % model, id, 0, 0)  # type: ignore[arg-type]
    return admit(arrival, CALLER, SNAPSHOT).collected


def test_the_route_decides_and_the_caller_may_refuse() -> None:
    assert collected(b"on") == Collected("t", PROMPT % b"on")
    assert collected(b"off") is None
    assert collected(b"mine/a") is None
    assert collected(b"on", b" OFF ") == Collected("")
    assert collected(b"off", b"off") is None
    assert collected(b"on", api=COMPLETIONS) is None
    assert collected(b"on", b"off", api=COMPLETIONS) is None


def test_the_header_names_an_open_task_or_is_refused() -> None:
    assert collected(b"off", b"open") == Collected("open", PROMPT % b"off")
    assert collected(b"on", b"open ") == Collected("open", PROMPT % b"on")
    for header in (b"t", b"half", b"Open", b"", b"open\xff", b"<script>", b"x" * 5_000):
        with pytest.raises(CallerFault) as caught:
            collected(b"off", header)
        assert caught.value.param == "x-wicket-collect" and caught.value.status == 400
        assert "<" not in caught.value.message
    with pytest.raises(CallerFault) as caught:
        collected(b"off", b"open", api=COMPLETIONS)
    assert caught.value.code == "unsupported"


@pytest.mark.parametrize("share_ppm", [0, 1_000, 100_000, 500_000, 1_000_000])
def test_a_sample_has_its_share_and_is_the_same_twice(share_ppm: int) -> None:
    ids = [((1_764_000_000_000 + n // 3) << 21) | (n & 1) << 14 | (n & 0x3FFF) for n in range(50_000)]
    taken = [id for id in ids if is_sampled(id, share_ppm)]
    assert abs(len(taken) - len(ids) * share_ppm / 1e6) <= 0.1 * len(ids) * share_ppm / 1e6 + 5
    assert all(is_sampled(id, share_ppm) for id in taken)
    half = [collected(b"half", id=id) for id in ids[:200]]
    assert 50 < sum(one is not None for one in half) < 150
