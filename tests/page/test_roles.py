"""The page offers what a role may do and nothing else; one goes on elsewhere; why a sign-in failed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.page.conftest import EMAIL, PASSWORD, Person
from tests.path.house import Gateway

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOUSES_VIEWS = {"Providers", "Health"}
ALL_VIEWS = {
    "Overview", "Playground", "Keys", "Requests", "Usage and savings", "Credits", "Limits and budgets",
    "Models", "Providers", "Health", "Teams and people", "Audit log",
}  # fmt: skip


@pytest.fixture(scope="module")
def town(gateway: Gateway) -> Gateway:
    """A second organisation with a team, a key, budgets and somebody of each role, one at home in both."""

    def made(kind: str, **body: Any) -> dict[str, Any]:
        return dict(gateway.admin("POST", f"/admin/v1/{kind}", body))

    made("users", email=EMAIL, role="owner", password=PASSWORD)
    home = made("organisations", name="Engines")["id"]
    team = made("teams", name="loom", organisation=home)["id"]
    key = made("keys", name="weaver", team=team, organisation=home)["id"]
    for role in ("admin", "member", "viewer"):
        made("users", email=f"{role}@example.org", role=role, organisation=home, password=PASSWORD)
    made("users", email="loom@example.org", role="admin", team=team, password=PASSWORD)
    default = made("teams", name="archive")["id"]
    gateway.admin(
        "POST", f"/admin/v1/teams/{default}/members", {"user": "admin@example.org", "role": "viewer"}
    )
    for scope in ({"organisation": home}, {"team": team}, {"key": key}):
        gateway.admin("PUT", "/admin/v1/budgets", {**scope, "usd": "5", "period": "month"})
    gateway.admin("POST", "/admin/v1/credits", {"team": team, "usd": "3", "idempotency_key": "loom"})
    return gateway


class People(dict[str, Person]):
    """Everybody with a window of their own, signed in when first asked for."""

    def __init__(self, chromium: Browser, url: str) -> None:
        super().__init__()
        self._chromium, self._url = chromium, url

    def __missing__(self, name: str) -> Person:
        someone = self[name] = Person(self._chromium, self._url)
        page = someone.page
        page.goto("/")
        page.get_by_label("E-mail").fill(EMAIL if name == "owner" else f"{name}@example.org")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector(".shell main h1")
        return someone


@pytest.fixture(scope="module")
def people(chromium: Browser, town: Gateway) -> Iterator[People]:
    everybody = People(chromium, town.url)
    yield everybody
    for someone in everybody.values():
        someone.context.close()
        assert someone.complaints == []


@pytest.mark.parametrize(
    ("who", "hidden", "budgets_removable", "offers"),
    [
        ("owner", set(), {"Engines", "loom", "weaver"}, {"make", "credit", "limit", "invite", "team"}),
        ("admin", HOUSES_VIEWS, {"loom", "weaver"}, {"make", "limit", "invite", "team"}),
        ("loom", {*HOUSES_VIEWS, "Audit log"}, {"weaver"}, {"make", "limit", "invite"}),
        ("member", {*HOUSES_VIEWS, "Audit log"}, set(), {"make"}),
        ("viewer", {*HOUSES_VIEWS, "Audit log", "Playground"}, set(), set()),
    ],
)
def test_a_role_is_offered_what_it_may_do(
    people: People, who: str, hidden: set[str], budgets_removable: set[str], offers: set[str]
) -> None:
    page = people[who].page
    seen = {one.inner_text() for one in page.get_by_role("navigation").locator("ul a").all()}
    assert seen == ALL_VIEWS - hidden
    found = set()
    for offer, view, button in (
        ("make", "keys", "Make a key"),
        ("credit", "credits", "Add credit"),
        ("limit", "limits", "Set a budget"),
        ("invite", "people", "Invite somebody"),
        ("team", "people", "Make a team"),
    ):
        people[who].go(view)
        if page.locator("main").get_by_role("button", name=button).count():
            found.add(offer)
    assert found == offers
    people[who].go("keys")
    assert page.get_by_role("button", name="Rotate weaver").count() == ("make" in offers)
    people[who].go("limits")
    buttons = page.get_by_role("button", name=re.compile("Remove the budget of"))
    labels = [one.get_attribute("aria-label") or "" for one in buttons.all()]
    assert {label.rpartition(" ")[2] for label in labels} == budgets_removable


def test_an_admin_sets_a_budget_and_lifts_it(people: People) -> None:
    page = people["admin"].go("limits")
    page.get_by_role("button", name="Set a budget").first.click()
    dialog = page.get_by_role("dialog", name="Set a budget")
    assert {one.inner_text() for one in dialog.get_by_label("Whose").locator("option").all()} == {
        "team loom",
        "key weaver",
    }
    dialog.get_by_label("Whose").select_option(label="team loom")
    dialog.get_by_label("US dollars").fill("2")
    dialog.get_by_label("Per").select_option("day")
    dialog.get_by_role("button", name="Save").click()
    page.wait_for_selector("text=of $2.00")


def test_one_of_two_organisations_goes_on_in_the_other(people: People) -> None:
    page = people["admin"].page
    chooser = page.get_by_label("Organisation")
    assert chooser.locator("option").count() == 2
    here = chooser.locator("option:checked").inner_text()
    other = next(one.inner_text() for one in chooser.locator("option").all() if one.inner_text() != here)
    chooser.select_option(label=other)
    page.wait_for_function(
        "name => document.querySelector('[aria-label=Organisation] option:checked')?.textContent === name"
        " && document.querySelector('main[data-shown=overview]')?.innerText.includes(name)",
        arg=other,
    )
    people["admin"].go("people")
    assert ("archive" in page.inner_text("main")) == (other != "Engines")
    assert not people["member"].page.get_by_label("Organisation").count()


def test_an_invitation_is_taken_up_by_who_has_an_account(people: People, town: Gateway) -> None:
    page = people["member"].page
    made = town.admin("POST", "/admin/v1/invitations", {"role": "viewer", "email": "member@example.org"})
    page.goto("about:blank")
    page.goto(f"/#/join?invitation={made['code']}")
    page.get_by_role("dialog", name="Join another organisation?").get_by_role("button", name="Join").click()
    chooser = page.get_by_label("Organisation", exact=True)
    chooser.wait_for()
    assert chooser.locator("option").count() == 2 and made["code"] not in page.url
    assert chooser.locator("option:checked").inner_text() != "Engines"


def test_why_a_sign_in_by_another_account_failed_is_told(chromium: Browser, town: Gateway) -> None:
    someone = Person(chromium, town.url)
    page = someone.page
    for code, words in (
        ("not_invited", "Nobody with your address is a user here"),
        ("provider_refused", "The other side refused"),
        ("something_new", "something_new"),
    ):
        page.goto("about:blank")
        page.goto(f"/#sign_in_error={code}")
        alert = page.get_by_role("alert").filter(has_text=words)
        alert.wait_for()
        assert "sign_in_error" not in page.url
    page.goto("about:blank")
    page.goto("/#sign_in_error=<img src=x onerror=alert(1)>")
    page.wait_for_selector("text=Sign in")
    assert (
        not page.get_by_role("alert").filter(visible=True).count()
        and not page.locator("main img[src=x]").count()
    )
    someone.context.close()
    assert someone.complaints == []
