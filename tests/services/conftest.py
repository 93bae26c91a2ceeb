"""The same server and provider as the tests of the path have, and one in front of recorded providers.

SDKs other than `openai` are installed for `make test-services` only, so they are imported inside fixtures and
tests: `make test` collects these files too.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.path.conftest import gateway, one_gateway, one_provider, open_gateway, provider
from tests.path.house import Gateway
from tests.services.recorded import recorded_gateway
from tests.services.sdk_callers import cohere

NODE = Path(__file__).parent / "node"
INSTALL_LIMIT_S = 180
__all__ = ["gateway", "one_gateway", "one_provider", "open_gateway", "provider"]


@pytest.fixture(scope="session")
def recorded_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One server in front of recorded providers, for all tests that leave it as it is."""
    with recorded_gateway(tmp_path_factory.mktemp("recorded")) as running:
        yield running


@pytest.fixture
def openai_client(recorded_house: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{recorded_house.url}/v1", api_key=recorded_house.key, max_retries=0) as made:
        yield made


@pytest.fixture
def anthropic_client(recorded_house: Gateway) -> Iterator[Any]:
    from anthropic import Anthropic

    with Anthropic(base_url=recorded_house.url, api_key=recorded_house.key, max_retries=0) as made:
        yield made


@pytest.fixture
def google_client(recorded_house: Gateway) -> Iterator[Any]:
    from google import genai

    made = genai.Client(api_key=recorded_house.key, http_options={"base_url": recorded_house.url})
    yield made
    made.close()


@pytest.fixture
def cohere_client(recorded_house: Gateway) -> Iterator[Any]:
    with cohere(recorded_house) as made:
        yield made


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the SDK in it, exactly as locked."""
    if shutil.which("npm") is None:
        pytest.fail("these tests need Node with npm: https://nodejs.org")
    made = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "client.mjs", "anthropic.mjs", "recorded.mjs"):
        shutil.copy(NODE / name, made)
    subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=made,
        check=True,
        capture_output=True,
        timeout=INSTALL_LIMIT_S,
    )
    return made
