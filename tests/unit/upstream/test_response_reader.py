import gzip
import zlib
from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.upstream.answers import Heard, by_h11, read
from wicket.errors import ProviderFault
from wicket.upstream.content_coding import FREE_BYTES
from wicket.upstream.response_head import MAX_FIELDS, MAX_HEAD_BYTES, Malformed, parse_head, parse_plain
from wicket.upstream.response_reader import MAX_INTERIM_ANSWERS, ResponseReader

OK = b"HTTP/1.1 200 OK\r\n"


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(a % (len(data) + 1) for a in at)})
    return [data[a:b] for a, b in pairwise(edges)]


def chunked(payloads: list[bytes], extension: bytes = b"", trailers: bytes = b"") -> bytes:
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(p), extension, p) for p in payloads)
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n" + trailers + b"\r\n"


payload = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.sampled_from([b"\r\n", b"data: {}\r\n\r\n", b"data: x\n\n", b"0\r\n\r\n", b"5\r\nhello\r\n"]),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(payload, max_size=12),
    st.sampled_from([b"", b";a=b", b';x;y="z"']),
    st.sampled_from([b"", b"X-A: 1\r\n", b"A: b\r\nC: d\r\n"]),
    st.lists(st.integers(0, 2_000), max_size=9),
)
def test_chunks_split_anywhere(
    payloads: list[bytes], extension: bytes, trailers: bytes, at: list[int]
) -> None:
    data = chunked(payloads, extension, trailers)
    heard, reader, done = read(cut(data, at))
    assert done and reader.reusable
    assert heard.body == b"".join(payloads)
    assert [status for status, _ in heard.heads] == [200]


@settings(max_examples=200, deadline=None)
@given(st.lists(payload, min_size=1, max_size=8), st.integers(0, 400), st.binary(max_size=3), st.booleans())
def test_damaged_chunks_are_read_as_h11_reads_them_or_refused(
    payloads: list[bytes], at: int, put: bytes, insert: bool
) -> None:
    """Whatever we accept from a damaged stream, h11 reads the same; we may refuse more than it does."""
    data = chunked(payloads)
    start = data.index(b"\r\n\r\n") + 4
    at = start + at % (len(data) - start)
    data = data[:at] + put + data[at + (0 if insert else len(put)) :]
    heard, reader = Heard(), ResponseReader()
    reader.begin(heard, False)
    try:
        done = reader.feed(data)
    except Malformed:
        return
    try:
        _, body, complete = by_h11(data)
    except h11.RemoteProtocolError:
        # h11 looks ahead for a size line's form; ours waits for its end. Neither calls it complete.
        assert not done
        return
    assert (heard.body, done) == (body, complete)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.lists(st.integers(0, 200), max_size=6), st.binary(max_size=4))
def test_lengths_split_anywhere(body: bytes, at: list[int], surplus: bytes) -> None:
    data = OK + b"X-Request-Id:\tab \r\nContent-Length: %d\r\n\r\n" % len(body) + body
    parts = cut(data, at)
    parts[-1] += surplus
    heard, reader, done = read(parts)
    assert done and heard.body == body
    assert reader.reusable is not bool(surplus)
    assert heard.heads[0][1] == [(b"x-request-id", b"ab"), (b"content-length", b"%d" % len(body))]


@pytest.mark.parametrize(
    "surplus", [b"x", b"\r\n", OK + b"Content-Length: 4\r\n\r\nevil", chunked([b"evil"])]
)
@pytest.mark.parametrize("together", [True, False])
def test_what_comes_behind_chunks_is_not_theirs(surplus: bytes, together: bool) -> None:
    data = chunked([b"one", b"two"])
    start = data.index(b"\r\n\r\n") + 4
    parts = [data + surplus] if together else [data[:start], data[start:] + surplus]
    heard, reader, done = read(parts)
    assert done and heard.body == b"onetwo" and len(heard.heads) == 1
    assert not reader.reusable or surplus == b"\r\n"


def test_many_chunks_in_one_read_are_one_callback() -> None:
    payloads = [b"data: %d\n\n" % i for i in range(500)]
    for _ in range(2):  # the second time the sizes are known
        heard, _, done = read([chunked(payloads)])
        assert done and heard.parts == [b"".join(payloads)]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        OK + b"A: b\nContent-Length: 5\r\n\r\n",
        OK + b"A: b\r\n folded\r\n\r\n",
        OK + b"A : b\r\n\r\n",
        OK + b": b\r\n\r\n",
        OK + b"A\r\n\r\n",
        OK + b"A: b\x00c\r\n\r\n",
        OK + b"A: b\rc\r\n\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        OK + b"Content-Length: 5, 6\r\n\r\n",
        OK + b"Content-Length: +5\r\n\r\n",
        OK + b"Content-Length: -5\r\n\r\n",
        OK + b"Content-Length: 1_0\r\n\r\n",
        OK + b"Content-Length: \r\n\r\n",
        OK + b"Content-Length: 9999999999999999999\r\n\r\n",
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding: identity\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"<html>",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        OK + b"A: b\r\n" * (MAX_FIELDS + 1) + b"\r\n",
        OK + b"A: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n",
        OK + b"A: " + b"b" * MAX_HEAD_BYTES,
        b"HTTP/1.1 102 Wait\r\n\r\n" * (MAX_INTERIM_ANSWERS + 1),
        OK + b"Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_heads_that_are_refused(head: bytes) -> None:
    with pytest.raises(Malformed):
        read([head])


@pytest.mark.parametrize(
    "body",
    [
        b"g\r\n", b"\r\n", b"-1\r\n", b"0x5\r\n", b"+5\r\n", b"5_0\r\n", b" 5\r\n", b"5\nhello",
        b"5\r\nhelloo\r\n", b"5\r\nhello\n\r", b"1" * 17 + b"\r\n", b"5" + b" " * 5_000,
        b"0\r\nbad trailer\r\n\r\n", b"0\r\n" + b"A: b\r\n" * 12_000,
    ],
)  # fmt: skip
def test_chunks_that_are_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read([OK + b"Transfer-Encoding: chunked\r\n\r\n" + body])


def test_interim_answers_are_swallowed() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    heard, _, done = read([early + OK + b"Content-Length: 2\r\n\r\nhi"])
    assert done and heard.body == b"hi" and [status for status, _ in heard.heads] == [200]


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_by_their_status(status: int) -> None:
    heard, reader, done = read([b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\n" % status])
    assert done and not heard.parts and reader.reusable


def test_the_answer_to_head_has_no_body() -> None:
    heard, reader, done = read([OK + b"Content-Length: 5\r\n\r\n"], bodiless=True)
    assert done and not heard.parts and reader.reusable


def test_a_body_until_close() -> None:
    heard, reader, done = read([OK + b"\r\nab", b"cd"])
    assert not done and heard.body == b"abcd"
    assert reader.close() and not reader.reusable


@pytest.mark.parametrize(
    ("head", "reusable", "idle_s"),
    [
        (OK, True, None),
        (OK + b"Connection: close\r\n", False, None),
        (OK + b"Connection: x, Close\r\n", False, None),
        (OK + b"Connection: closed\r\n", True, None),
        (OK + b"Connection: keep-alive\r\nKeep-Alive: timeout=7, max=9\r\n", True, 7),
        (b"HTTP/1.0 200 OK\r\n", False, None),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True, None),
        (b"HTTP/1.0 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\n", False, None),
        (OK + b"Content-Length: 0\r\n", True, None),
    ],
)
def test_whether_a_connection_is_kept(head: bytes, reusable: bool, idle_s: int | None) -> None:
    _, reader, done = read([head + b"Content-Length: 0\r\n\r\n"])
    assert done and (reader.reusable, reader.idle_s) == (reusable, idle_s)


def test_a_proxy_that_wants_credentials_is_its_own_failure() -> None:
    with pytest.raises(ProviderFault) as caught:
        read([b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"])
    assert caught.value.code == "proxy_failed"


@settings(max_examples=100, deadline=None)
@given(
    st.binary(min_size=1, max_size=500),
    st.sampled_from(["gzip", "x-gzip", "deflate", "raw"]),
    st.lists(st.integers(0, 900), max_size=9),
)
def test_unasked_compression_is_undone(body: bytes, coding: str, at: list[int]) -> None:
    raw = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(body),
        "x-gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw": raw.compress(body) + raw.flush(),
    }[coding]
    name = b"deflate" if coding == "raw" else coding.encode()
    head = OK + b"Content-Encoding: " + name + b"\r\nContent-Length: %d\r\n\r\n" % len(packed)
    heard, _, done = read(cut(head + packed, at))
    assert done and heard.body == body
    assert heard.heads == [(200, [])]


@pytest.mark.parametrize("damage", ["bomb", "early end", "more behind", "noise"])
def test_compression_that_is_refused(damage: str) -> None:
    packed = {
        "bomb": gzip.compress(bytes(FREE_BYTES * 4)),
        "early end": gzip.compress(b"hello" * 9)[:-9],
        "more behind": gzip.compress(b"hello") + b"x",
        "noise": b"not gzip at all",
    }[damage]
    with pytest.raises(Malformed):
        read([OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed])


def test_silence_stops_a_running_feed() -> None:
    reader = ResponseReader()

    class Quitter(Heard):
        def on_headers(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
            super().on_headers(status, headers)
            reader.silence()

    quitter = Quitter()
    reader.begin(quitter, False)
    assert reader.feed(OK + b"Content-Length: 2\r\n\r\nhi")
    assert quitter.heads and not quitter.parts


def test_one_reader_reads_answer_after_answer() -> None:
    heard, reader = Heard(), ResponseReader()
    for body in (b"one", b"three"):
        reader.begin(heard, False)
        assert reader.untouched and not reader.headers_seen
        assert reader.feed(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert reader.headers_seen
    assert heard.body == b"onethree"


line = st.one_of(
    st.sampled_from(
        [
            b"Content-Length: 5", b"content-length:5", b"Content-Length: 05", b"Content-Length: 0",
            b"Content-Length: 6", b"Content-Length: x", b"Connection: keep-alive", b"Connection: Keep-Alive",
            b"Connection: close", b"Connection: keep-alive, close", b"Keep-Alive: timeout=7", b"A: b",
            b" folded", b"A : b", b"A: b\nc", b"Transfer-Encoding: chunked", b"Content-Encoding: gzip",
            b"Content-Encoding: identity", b"Content-Encoding: br", b"Set-Cookie: a=1", b"Set-Cookie: b=2",
            b"",
        ]
    ),
    st.from_regex(rb"[A-Za-z-]{1,9}:[ -~]{0,9}", fullmatch=True),
)  # fmt: skip
status_line = st.sampled_from(
    [b"HTTP/1.1 200 OK"] * 6
    + [b"HTTP/1.0 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 204 No", b"HTTP/1.1 400 Bad", b"HTTP/1.1 407 No"]
    + [b"HTTP/1.1 103 Early", b"HTTP/2 200 OK"]
)


def outcome(parts: list[bytes], *, bodiless: bool) -> tuple[object, ...]:
    """All that a reader says of one answer, however it was cut."""
    heard, reader = Heard(), ResponseReader()
    reader.begin(heard, bodiless)
    done, failure = False, ""
    try:
        for part in parts:
            if done:  # as a connection does with what comes when nobody asked
                reader.reusable = False
                break
            done = reader.feed(part)
    except ProviderFault as fault:
        failure = fault.code
    kept = (reader.reusable, reader.idle_s) if done else ()
    return heard.heads, heard.body if done else b"", done, kept, failure, reader.headers_seen


@settings(max_examples=400, deadline=None)
@given(
    status_line,
    st.lists(line, max_size=5),
    st.sampled_from([b"hello", b"hello", b"", b"hell", b"hello!", b"0\r\n\r\n"]),
    st.lists(st.integers(0, 200), max_size=4),
    st.booleans(),
)
def test_an_answer_in_one_read_is_told_as_in_many(
    status: bytes, lines: list[bytes], body: bytes, at: list[int], bodiless: bool
) -> None:
    data = b"\r\n".join([status, *lines]) + b"\r\n\r\n" + body
    whole = outcome([data], bodiless=bodiless)
    assert whole == outcome([b"HTTP/1.1 100 Continue\r\n\r\n" + data], bodiless=bodiless), "the long way"
    assert whole == outcome([data], bodiless=bodiless), "lines are known the second time"
    several = outcome(cut(data, at), bodiless=bodiless)
    if not whole[4] and not several[4]:
        assert several == whole


PLAIN = b"X-Id: %d\r\nContent-Length: 5\r\nConnection: keep-alive\r\n"


def test_a_plain_answer_goes_the_short_way() -> None:
    fields = [(b"x-id", b"7"), (b"content-length", b"5"), (b"connection", b"keep-alive")]
    data = OK + PLAIN % 7 + b"\r\nhello"
    assert parse_plain(data) == (fields, b"hello")
    heard, reader, done = read([data])
    assert heard.heads == [(200, fields)] and heard.parts == [b"hello"]
    assert done and reader.reusable and reader.idle_s is None and reader.headers_seen


@pytest.mark.parametrize("more", [b"Transfer-Encoding: chunked\r\n", b"Content-Length: 6\r\n"])
def test_what_decides_the_framing_is_seen_however_much_is_remembered(more: bytes) -> None:
    for number in range(3_000):  # the memory of lines fills up and is emptied meanwhile
        assert parse_plain(OK + more + PLAIN % number + b"\r\nhello") is None
        assert parse_plain(OK + PLAIN % -number + b"\r\nhello") is not None
        with pytest.raises(Malformed):
            parse_head((OK + more + PLAIN % number).removesuffix(b"\r\n"))


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=8), st.sampled_from([b": ", b":", b" : ", b":  ", b""]), st.booleans())
def test_a_known_name_reads_a_new_line_as_an_unknown_one_does(text: bytes, colon: bytes, again: bool) -> None:
    """Behind 8 KiB of head nothing is remembered, so that is the slow reference."""
    text = text.replace(b"\r\n", b"")
    parse_head(OK + b"X-Known: " + b"%d" % again)
    long = b"\r\nX-Long: " + b"x" * 9_000

    def fields(head: bytes) -> object:
        try:
            return parse_head(head)[1][0]
        except Malformed as fault:
            return fault.message

    head = OK + b"X-Known" + colon + text
    assert fields(head) == fields(head + long)
