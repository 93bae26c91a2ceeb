"""A real server with an empty home before a scripted provider, and a person with a browser.

The browser's packages are installed for `make test-page` only, so they are imported inside fixtures.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.path.house import Gateway, Provider

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CONFIG = """
[server]
port = 0
workers = 2
[providers.mine]
base_url = "{url}"
api_key = "upstream-credential-0123456789"
models = ["small", "large"]
prices.small = {{ input = 100.0, output = 400.0 }}
prices.large = {{ input = 1000.0, output = 4000.0 }}
[models.best]
deployments = ["mine/small", "mine/large"]
"""
EMAIL, PASSWORD = "ada@example.org", "correct horse battery staple"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("page")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)
    assert found, "there is no Chromium: make install-page installs it"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])  # we may be root
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    served = Gateway(tmp_path_factory.mktemp("house"), CONFIG.format(url=upstream.upstream.base_url))
    try:
        yield served.wait_ready()
    finally:
        served.close()


class Person:
    """Somebody with a browser window; what its console complained of is kept, and no test may leave any."""

    def __init__(self, browser: Browser, url: str, **window: Any) -> None:
        self.context = browser.new_context(base_url=url, locale="en-GB", **window)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, message: Any) -> None:
        expected = "Failed to load resource" in message.text  # a refusal that the page shows
        if message.type == "error" and not expected:
            self.complaints.append(message.text)

    def go(self, view: str) -> Page:
        """A view of the signed-in page, once it is there."""
        self.page.goto(f"/#/{view}")
        self.page.wait_for_selector(f'main[data-shown="{view}"]:not([aria-busy])')
        return self.page

    def sign_up(self) -> None:
        self.page.goto("/")
        self.page.get_by_label("E-mail").fill(EMAIL)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_label("Your name").fill("Ada Lovelace")
        self.page.get_by_role("button", name="Make the account").click()
        self.page.wait_for_selector(".shell main h1")

    def sign_in(self) -> None:
        self.page.goto("/")
        self.page.get_by_label("E-mail").fill(EMAIL)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_selector(".shell main h1")


@pytest.fixture
def person(chromium: Browser, gateway: Gateway) -> Iterator[Person]:
    someone = Person(chromium, gateway.url)
    yield someone
    someone.context.close()
    assert someone.complaints == []
