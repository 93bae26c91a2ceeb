"""One scripted provider and one server before it, shared by the tests that leave both as they are."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.path.house import CANARY, CONFIG, SECRET, Gateway, Provider

Open = Callable[..., Gateway]


@pytest.fixture(scope="session")
def one_provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture
def provider(one_provider: Provider) -> Provider:
    one_provider.script()
    return one_provider


@pytest.fixture(scope="session")
def one_gateway(one_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG.format(url=one_provider.upstream.base_url, secret=SECRET)
    served = Gateway(tmp_path_factory.mktemp("gateway"), config)
    try:
        yield served.wait_ready()
    finally:
        served.close()


@pytest.fixture
def gateway(one_gateway: Gateway, provider: Provider) -> Iterator[Gateway]:
    """The shared server; after the test it must still serve, and have told nobody's secrets."""
    yield one_gateway
    provider.script()
    for model in ("mine/first", "mine/second", "mine/plain"):  # a good answer ends what a test made cool down
        assert one_gateway.chat(model).status == 200
    said = one_gateway.heard()
    for leak in ("Traceback", "Error", SECRET, one_gateway.key, CANARY):
        assert leak not in said


@pytest.fixture
def open_gateway(provider: Provider, tmp_path: Path) -> Iterator[Open]:
    """Servers of a test's own: `open_gateway("[server]…")` with the provider added."""
    running: list[Gateway] = []

    def begin(config: str = CONFIG, **environ: str) -> Gateway:
        folder = tmp_path / str(len(running))
        running.append(
            Gateway(folder, config.format(url=provider.upstream.base_url, secret=SECRET), **environ)
        )
        return running[-1].wait_ready()

    yield begin
    for served in running:
        served.close()
