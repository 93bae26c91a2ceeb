"""A listener that writes down what it hears, and the slow reference that it is compared with."""

import h11

from wicket.upstream.response_reader import ResponseReader


class Heard:
    def __init__(self) -> None:
        self.heads: list[tuple[int, list[tuple[bytes, bytes]]]] = []
        self.parts: list[bytes] = []

    def on_headers(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.heads.append((status, headers))

    def on_data(self, data: bytes) -> None:
        assert data
        self.parts.append(data)

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)


def read(parts: list[bytes], *, bodiless: bool = False) -> tuple[Heard, ResponseReader, bool]:
    """Feed parts until the answer is complete."""
    heard, reader = Heard(), ResponseReader()
    reader.begin(heard, bodiless)
    done = False
    for part in parts:
        assert not done
        done = reader.feed(part)
    return heard, reader, done


def by_h11(data: bytes) -> tuple[int, bytes, bool]:
    """Status, body and whether the answer was complete, by h11; raises its RemoteProtocolError."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    status, body = 0, b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return status, body, True
        elif event is h11.NEED_DATA:
            return status, body, False
