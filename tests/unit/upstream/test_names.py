import asyncio
import socket
from typing import Any

import pytest

from wicket.errors import ProviderFault
from wicket.upstream.names import Address, Names


class Resolver(asyncio.SelectorEventLoop):
    """A real loop whose name service is a table, because a real one can't be made to fail on demand."""

    rows: list[tuple[int, str]] | None
    asked = 0

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        if self.rows is None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(family, 1, 6, "", (address, port)) for family, address in self.rows]


def resolve_all(names: Names, rows: list[list[tuple[int, str]] | None], together: int = 1) -> tuple[Any, int]:
    loop = Resolver()

    async def ask() -> Any:
        answers: list[Any] = []
        for answer in rows:
            loop.rows = answer
            calls = (names.resolve("api.example.com", 443) for _ in range(together))
            answers += await asyncio.gather(*calls, return_exceptions=True)
        await names.close()
        return answers

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(ask()), loop.asked


V4, V6 = socket.AF_INET, socket.AF_INET6
ONE, TWO = [(V4, "192.0.2.1")], [(V4, "192.0.2.2")]


def addresses(answer: list[Address]) -> list[str]:
    return [str(address.sockaddr[0]) for address in answer]


def test_an_answer_is_remembered() -> None:
    answers, asked = resolve_all(Names(), [ONE, TWO])
    assert [addresses(answer) for answer in answers] == [["192.0.2.1"], ["192.0.2.1"]] and asked == 1


def test_an_old_answer_is_asked_for_again() -> None:
    answers, asked = resolve_all(Names(ttl_s=0), [ONE, TWO])
    assert [addresses(answer) for answer in answers] == [["192.0.2.1"], ["192.0.2.2"]] and asked == 2


def test_an_old_answer_serves_while_the_resolver_fails() -> None:
    answers, asked = resolve_all(Names(ttl_s=0), [ONE, None])
    assert addresses(answers[1]) == ["192.0.2.1"] and asked == 2


def test_a_name_that_was_never_known_fails() -> None:
    answers, _ = resolve_all(Names(), [None])
    assert isinstance(answers[0], ProviderFault) and answers[0].code == "dns_failed"
    assert "api.example.com" in answers[0].message


def test_a_stale_answer_ends() -> None:
    answers, _ = resolve_all(Names(ttl_s=0, stale_s=0), [ONE, None])
    assert isinstance(answers[1], ProviderFault)


def test_one_lookup_serves_all_who_wait() -> None:
    answers, asked = resolve_all(Names(), [ONE], together=5)
    assert len(answers) == 5 and asked == 1


def test_families_alternate() -> None:
    rows = [(V6, "2001:db8::1"), (V6, "2001:db8::2"), (V4, "192.0.2.1")]
    answers, _ = resolve_all(Names(), [rows])
    assert addresses(answers[0]) == ["2001:db8::1", "192.0.2.1", "2001:db8::2"]


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", V4), ("::1", V6)])
def test_addresses_need_no_lookup(host: str, family: int) -> None:
    async def ask() -> list[Address]:
        return await Names().resolve(host, 80)

    (address,) = asyncio.run(ask())
    assert address.family == family and address.sockaddr[:2] == (host, 80)
