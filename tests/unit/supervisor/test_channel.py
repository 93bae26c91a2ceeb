import asyncio
import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.supervisor.channel import BrokenChannel, Channel, Framing, attach, pack
from wicket.supervisor.messages import Ask, Drain, Load, Ready, ToSupervisor

MESSAGES = [Ready(pid=7), Ask(id=1, verb="keys.list", arguments={"team": "räd"}, key_id=3), Load(1, 2, 3)]


@given(st.lists(st.binary(max_size=40), max_size=8), st.data())
def test_payloads_come_out_whole_however_the_bytes_are_split(
    payloads: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(len(p).to_bytes(4, "big") + p for p in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    framing = Framing()
    out: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        out += framing.feed(stream[start:end])
    assert out == payloads


def test_messages_survive_one_byte_at_a_time() -> None:
    framing = Framing()
    decoder = msgspec.msgpack.Decoder(ToSupervisor)
    stream = b"".join(map(pack, MESSAGES))
    heard = [decoder.decode(p) for i in range(len(stream)) for p in framing.feed(stream[i : i + 1])]
    assert heard == MESSAGES


def test_a_length_above_the_bound_is_refused_before_its_bytes_come() -> None:
    framing = Framing(max_bytes=10)
    assert framing.feed((10).to_bytes(4, "big") + b"x" * 10) == [b"x" * 10]
    with pytest.raises(BrokenChannel, match="11 bytes"):
        framing.feed((11).to_bytes(4, "big"))


def test_a_message_above_the_bound_is_not_sent() -> None:
    with pytest.raises(BrokenChannel, match="bound of 8"):
        pack(Drain(deadline_ms=5), max_bytes=8)


class End:
    def __init__(self) -> None:
        self.heard: list[object] = []
        self.lost = asyncio.Event()
        self.channel = Channel(msgspec.msgpack.Decoder(ToSupervisor), self.heard.append, self.lost.set)


def test_two_ends_exchange_messages_and_both_hear_of_the_end() -> None:
    async def scenario() -> None:
        one, two = End(), End()
        here, there = socket.socketpair()
        assert one.channel.send(MESSAGES[0])  # before the connection stands: kept
        await attach(one.channel, here)
        await attach(two.channel, there)
        for message in MESSAGES[1:]:
            assert one.channel.send(message)
        one.channel.close()
        await two.lost.wait()
        await one.lost.wait()
        assert two.heard == MESSAGES
        assert not one.channel.send(MESSAGES[0])

    asyncio.run(scenario())


@pytest.mark.parametrize("noise", [b"\xff\xff\xff\xff", (3).to_bytes(4, "big") + b"\xc1\xc1\xc1"])
def test_noise_ends_the_channel_and_says_why(noise: bytes) -> None:
    async def scenario() -> None:
        end = End()
        here, there = socket.socketpair()
        with there:
            await attach(end.channel, here)
            there.sendall(noise)
            await end.lost.wait()
        assert end.heard == [] and end.channel.fault

    asyncio.run(scenario())
