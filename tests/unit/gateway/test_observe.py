"""What attempts leave in the health table, over the real protocol and a hand-fed upstream."""

from __future__ import annotations

import pytest

from tests.unit.server.test_protocol import ANSWER, BODY, request
from tests.unit.server.wire_client import DEPLOYMENT, protocol, records, upstreams
from wicket.errors import ProviderFault, UpstreamBroken

STREAM = BODY[:-1] + b',"stream":true}'
FRAME = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'


def test_running_is_counted_and_an_answer_is_timed() -> None:
    made, _ = protocol()
    health = made.serving.gate.health
    made.data_received(request())
    assert health.num_running(DEPLOYMENT) == 1
    exchange = upstreams(made).exchanges[0]
    limits = [(b"x-ratelimit-limit-requests", b"10"), (b"x-ratelimit-remaining-requests", b"4")]
    exchange.sink.on_headers(200, limits)
    exchange.sink.on_data(ANSWER)
    exchange.sink.on_end()
    assert health.num_running(DEPLOYMENT) == 0
    now_us = made.serving.gate.now_us()
    assert health.first_token_us(DEPLOYMENT, now_us) > 0 and health.headroom(DEPLOYMENT, now_us) == 0.4
    assert health.find(DEPLOYMENT).whole_times.num_seen == 1


def test_a_stream_is_timed_by_its_first_token() -> None:
    made, _ = protocol()
    made.data_received(request(body=STREAM))
    exchange = upstreams(made).exchanges[0]
    exchange.sink.on_headers(200, [(b"content-type", b"text/event-stream")])
    exchange.sink.on_data(FRAME)
    exchange.sink.on_data(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
    vitals = made.serving.gate.health.find(DEPLOYMENT)
    vitals.look()
    assert (vitals.stream_times.num_seen, vitals.whole_times.num_seen, vitals.num_running) == (1, 0, 0)


@pytest.mark.parametrize(
    ("fault", "is_spared"),
    [
        (UpstreamBroken("malformed", "Odd."), True),
        (ProviderFault("connect_failed", "Nobody there."), True),
        (UpstreamBroken("too_large", "Too large."), False),
    ],
)
def test_three_failures_spare_it_and_one_answer_ends_that(fault: ProviderFault, is_spared: bool) -> None:
    made, _ = protocol()
    gate = made.serving.gate
    for _ in range(3):
        assert gate.health.reopens_us(DEPLOYMENT) == 0
        made.data_received(request())
        upstreams(made).exchanges[-1].fail(fault)
    assert (gate.health.reopens_us(DEPLOYMENT) > gate.now_us()) is is_spared
    made.data_received(request())  # there is nobody else to ask
    upstreams(made).exchanges[-1].answer(ANSWER)
    assert gate.health.reopens_us(DEPLOYMENT) == 0 and gate.health.num_running(DEPLOYMENT) == 0


def test_who_leaves_blames_nobody() -> None:
    for _ in range(4):
        made, _transport = protocol()
        made.data_received(request())
        made.connection_lost(None)
        health = made.serving.gate.health
        assert health.num_running(DEPLOYMENT) == 0 and health.find(DEPLOYMENT).breaker.is_calm


def test_the_probe_is_in_the_record() -> None:
    made, _ = protocol()
    gate = made.serving.gate
    breaker = gate.health.find(DEPLOYMENT).breaker
    breaker.open("reset", 1, gate.now_us() - 10)
    gate.health.is_stirred = True
    made.data_received(request())
    assert breaker.state == "half_open"
    upstreams(made).exchanges[-1].answer(ANSWER)
    assert breaker.state == "closed"
    [record] = records(gate)
    assert [attempt.is_probe for attempt in record.attempts] == [True]


def test_bodies_that_are_read_count_until_they_are_answered() -> None:
    made, transport = protocol()
    gate = made.serving.gate
    gate.max_held_bytes = 300_000
    large = BODY.replace(b'"x"', b'"' + b"x" * 200_000 + b'"')
    data = request(body=large)
    made.data_received(data[:1_000])
    assert gate.held_bytes == len(large)
    other = bytes(data)
    made.data_received(other[1_000:])
    upstreams(made).exchanges[-1].answer(ANSWER)
    assert gate.held_bytes == 0 and b" 200 OK" in transport.writes[0]
    gate.held_bytes = 200_000
    made.data_received(data[:1_000])
    assert b" 503 " in transport.writes[1] and b"retry-after: 1\r\n" in transport.writes[1]
    assert gate.held_bytes == 200_000
