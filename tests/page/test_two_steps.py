"""From an empty home to an answer and a credit that falls: get a key, make a call."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.page.conftest import EMAIL, PASSWORD, Person
from tests.path.house import Gateway, Provider, eventually

KEY = re.compile(r"wk-[0-9a-z]{32}")


def test_sign_up_key_credit_answer(
    person: Person, gateway: Gateway, upstream: Provider, tmp_path: Path
) -> None:
    upstream.script()
    page = person.page
    person.sign_up()
    assert "Nothing has been asked yet" in page.inner_text("main")

    # step 1: a key, shown once
    page.get_by_role("link", name="Make a key").first.click()
    dialog = page.get_by_role("dialog", name="Make a key")
    dialog.get_by_label("Name").fill("my first <b>key</b>")
    dialog.get_by_role("button", name="Make the key").click()
    shown = page.get_by_role("dialog", name="The key “my first <b>key</b>”")
    key = shown.get_by_label("The key's text").inner_text()
    assert KEY.fullmatch(key)

    # step 2: the snippets work pasted as they are
    snippet = shown.get_by_role("region", name="curl snippet").inner_text()
    said = subprocess.run(
        ["sh", "-c", snippet], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    answer = json.loads(said)
    assert answer["choices"][0]["message"]["content"] and upstream.last.model
    shown.get_by_role("tab", name="Python").click()
    script = tmp_path / "ask.py"
    script.write_text(shown.get_by_role("region", name="Python snippet").inner_text())
    ran = subprocess.run(
        [sys.executable, str(script)], check=False, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == answer["choices"][0]["message"]["content"]
    shown.get_by_role("button", name="Done").click()
    page.wait_for_selector("text=Keys that work")
    assert key not in page.content()

    # credit, and a playground that spends it
    person.go("credits")
    page.get_by_role("button", name="Add credit").first.click()
    dialog = page.get_by_role("dialog", name="Add credit")
    dialog.get_by_label("US dollars").fill("5")
    dialog.get_by_role("button", name="Add it").click()
    page.wait_for_selector("text=$5.00")
    person.go("playground")
    page.wait_for_selector("text=Credit left: $5.00")
    page.get_by_label("Your message").fill("Say it.")
    page.get_by_role("button", name="Send").click()
    page.wait_for_selector(".measures")
    assert page.inner_text(".turn.assistant").strip()
    measures = page.inner_text(".measures")
    assert "mine/" in measures and re.search(r"cost\s*\$0\.\d+", measures), measures
    eventually(lambda: "Credit left: $4.99" in page.inner_text("main"))
    page.get_by_role("button", name="Why this one?").click()
    page.wait_for_selector("text=What was tried")


def test_an_account_is_needed_and_wrong_passwords_tell_nothing(person: Person) -> None:
    page = person.page
    page.goto("/")
    page.wait_for_selector("text=Sign in")
    assert not page.locator("nav").count()
    told = []
    for email, password in ((EMAIL, "not the password"), ("nobody@example.org", PASSWORD)):
        page.get_by_label("E-mail").fill(email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        alert = page.get_by_role("alert")
        alert.wait_for()
        told.append(alert.inner_text())
    assert told[0] == told[1]


def test_two_models_side_by_side_and_the_snippet_of_it(person: Person, upstream: Provider) -> None:
    upstream.script()
    person.sign_in()
    page = person.go("playground")
    page.get_by_role("button", name="Add a model").click()
    columns = page.get_by_role("region", name="A conversation")
    assert columns.count() == 2
    columns.nth(0).get_by_label("Model", exact=True).select_option("mine/small")
    columns.nth(1).get_by_label("Model", exact=True).select_option("mine/large")
    page.get_by_label("Your message").fill('It\'s "this" one?')
    page.keyboard.press("Enter")
    eventually(lambda: page.locator(".measures").count() == 2)
    assert {seen.model for seen in upstream.log} == {"small", "large"}
    page.get_by_role("button", name="As a snippet").click()
    shown = page.get_by_role("dialog", name="As a snippet")
    text = shown.get_by_role("region", name="curl snippet").inner_text()
    body = subprocess.run(
        ["sh", "-c", text.replace("curl ", "printf '%s\\n' ", 1)], capture_output=True, text=True, check=True
    ).stdout
    assert '"It\'s \\"this\\" one?"' in body and "YOUR_KEY" in body


def test_a_broken_answer_is_shown_as_one(person: Person, upstream: Provider) -> None:
    from tests.path.house import rule

    person.sign_in()
    upstream.script(rule(status=500, body='{"error": {"message": "the provider is on fire"}}'))
    page = person.go("playground")
    page.get_by_label("Your message").fill("Say it.")
    page.get_by_role("button", name="Send").click()
    page.wait_for_selector(".turn.assistant .note.bad")
    assert page.get_by_role("button", name="Send").is_enabled()
    upstream.script()


@pytest.mark.parametrize("name", ["usage", "requests", "health", "models", "providers", "audit"])
def test_what_happened_is_there_to_see(person: Person, name: str) -> None:
    person.sign_in()
    page = person.go(name)
    wanted = {
        "usage": "best", "requests": "mine/small", "health": "mine/small", "models": "mine/large",
        "providers": "mine", "audit": "keys.create",
    }  # fmt: skip
    page.locator("main table").get_by_text(wanted[name]).filter(visible=True).first.wait_for()
