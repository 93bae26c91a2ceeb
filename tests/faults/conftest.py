"""The wall, started once for all that look at it."""

from collections.abc import Iterator

import pytest

from tests.faults.wall import Wall
from tests.path.house import Provider


@pytest.fixture(scope="session")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wall]:
    with Provider() as provider:
        running = Wall(provider, tmp_path_factory.mktemp("wall"))
        try:
            running.start()
            yield running
        finally:
            running.close()
