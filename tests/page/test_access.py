"""Everybody can use it: no violation that axe finds, at any width, in both colours; and it comes quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.page.conftest import Person
from tests.path.house import Gateway, Provider

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response

VIEWS = (
    "overview", "playground", "keys", "requests", "usage", "credits", "limits", "models", "providers",
    "health", "people", "audit", "account",
)  # fmt: skip
MAX_FIRST_VIEW_BYTES = 200_000


def violations(page: Page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


@pytest.fixture(scope="module")
def inhabited(chromium: Browser, gateway: Gateway, upstream: Provider) -> Gateway:
    """A house in which something has happened, so that tables and plots have something to show."""
    someone = Person(chromium, gateway.url)
    someone.page.goto("/")
    if someone.page.get_by_role("button", name="Make the account").count():
        someone.sign_up()
    someone.context.close()
    upstream.script()
    made = gateway.admin("POST", "/admin/v1/keys", {"name": "a key", "team": "default"})
    for model in ("mine/small", "mine/large", "best"):
        assert gateway.chat(model, made["key"]).status == 200
    assert gateway.chat("nobody/x", made["key"]).status == 404
    gateway.admin("POST", "/admin/v1/credits", {"team": "default", "usd": "5", "idempotency_key": "a-1"})
    gateway.admin(
        "PUT", "/admin/v1/limits", {"team": "default", "unit": "requests", "amount": 600, "window_s": 60}
    )
    gateway.admin(
        "PUT", "/admin/v1/budgets", {"team": "default", "period": "month", "usd": "50", "is_hard": True}
    )
    return gateway


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_view_has_an_accessibility_violation(chromium: Browser, inhabited: Gateway, theme: str) -> None:
    someone = Person(chromium, inhabited.url, color_scheme=theme)
    someone.page.goto("/")
    someone.page.wait_for_selector("text=Sign in")
    found = {"sign in": violations(someone.page)}
    someone.sign_in()
    for view in VIEWS:
        found[view] = violations(someone.go(view))
    page = someone.go("keys")
    page.get_by_role("button", name="Make a key").first.click()
    found["a dialog"] = violations(page)
    someone.context.close()
    assert {view: each for view, each in found.items() if each} == {}
    assert someone.complaints == []


@pytest.mark.parametrize("width", [360, 768])
def test_every_view_fits_a_phone(chromium: Browser, inhabited: Gateway, width: int) -> None:
    someone = Person(chromium, inhabited.url, viewport={"width": width, "height": 740})
    someone.sign_in()
    for view in VIEWS:
        page = someone.go(view)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("navigation").get_by_role("link", name="Keys").click()
    page.wait_for_selector("main h1:text('Keys')")
    someone.context.close()
    assert someone.complaints == []


def test_the_keyboard_alone_reaches_everything(chromium: Browser, inhabited: Gateway) -> None:
    someone = Person(chromium, inhabited.url)
    someone.sign_in()
    page = someone.go("keys")
    page.locator("body").press("Tab")
    page.keyboard.press("Shift+Tab")
    page.evaluate("document.querySelector('.skip').focus()")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    someone.context.close()


def test_the_first_view_is_small(chromium: Browser, inhabited: Gateway) -> None:
    someone = Person(chromium, inhabited.url)
    sizes: list[int] = []
    someone.page.on("response", lambda answer: sizes.append(len(answer.body())))
    someone.sign_in()
    someone.page.wait_for_selector("main:not([aria-busy])")
    assert 0 < sum(sizes) < MAX_FIRST_VIEW_BYTES
    someone.context.close()


def test_no_secret_is_in_what_the_browser_was_told(chromium: Browser, inhabited: Gateway) -> None:
    someone = Person(chromium, inhabited.url)
    told: list[bytes] = []

    def hear(answer: Response) -> None:
        if "json" in answer.headers.get("content-type", ""):
            told.append(answer.body())

    someone.page.on("response", hear)
    someone.sign_in()
    for view in VIEWS:
        someone.go(view)
    secrets = (inhabited.key.encode(), b"upstream-credential-0123456789", b"scrypt")
    assert len(told) > 10
    assert not [secret for secret in secrets for each in told if secret in each]
    someone.context.close()
