"""One thread for torch: the models here are tiny, and threads that wait for each other only burn time."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
