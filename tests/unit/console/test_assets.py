from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.server.house import Browser, StoreHouse, serving

from wicket.console import INDEX, assets

SCRIPTS = sorted(name for name in assets() if name.endswith(".js"))
MAX_FIRST_VIEW_BYTES = 200_000
# What reads text as markup or as code; and what the policy would refuse.
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    r"|setAttribute\(\"style\"|style:"
)
ELSEWHERE = re.compile(r"[\"'(]https?://(?!www\.w3\.org/2000/svg)|[\"'(]//[a-z]")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with serving(StoreHouse(tmp_path_factory.mktemp("console"))) as address:
        yield Browser(address)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_read_nothing_as_markup_and_load_nothing_from_elsewhere(name: str) -> None:
    text = assets()[name].body.decode()
    assert not MARKUP.search(text), MARKUP.search(text)
    assert not ELSEWHERE.search(text), ELSEWHERE.search(text)


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_scripts_import_is_there(name: str) -> None:
    folder = Path("/") / Path(name).parent
    for wanted in re.findall(r'from "(\.[^"]+)"', assets()[name].body.decode()):
        assert str((folder / wanted).resolve())[1:] in assets(), wanted


def test_every_view_in_the_frame_has_its_file() -> None:
    frame = assets()["app.js"].body.decode()
    views = re.findall(r'\["([a-z]+)", "[A-Z][^"]*"[],]', frame)
    assert len(views) >= 12
    for view in views:
        assert "export async function view(" in assets()[f"views/{view}.js"].body.decode()


def test_all_files_together_are_small() -> None:
    assert sum(len(asset.body) for asset in assets().values()) < MAX_FIRST_VIEW_BYTES


def test_the_page_comes_under_a_strict_policy(browser: Browser) -> None:
    status, headers, body = browser.ask("GET", "/", key="")
    assert status == 200 and body == assets()[INDEX].body.decode()
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"


def test_the_markup_has_neither_inline_scripts_nor_styles() -> None:
    text = assets()[INDEX].body.decode()
    assert re.findall(r"<script[^>]*>", text) == ['<script type="module" src="/console/app.js">']
    assert "<style" not in text and " style=" not in text and not re.search(r"\son\w+=", text)


def test_files_are_packed_for_who_can_unpack_and_asked_for_once(browser: Browser) -> None:
    status, headers, body = browser.ask("GET", "/console/app.css", key="")
    assert status == 200 and body == assets()["app.css"].body.decode()
    assert headers["content-type"] == "text/css; charset=utf-8" and "content-encoding" not in headers
    assert gzip.decompress(assets()["app.css"].packed) == assets()["app.css"].body
    again, told, nothing = browser.ask("GET", "/console/app.css", key="", if_none_match=headers["etag"])
    assert (again, nothing) == (304, "") and told["etag"] == headers["etag"]


@pytest.mark.parametrize(
    "path",
    ["/console/", "/console/none.js", "/console/../__init__.py", "/console/%2e%2e/__init__.py",
     "/console//etc/passwd", "/console/views", "/console/views/..%2f..%2f__init__.py", "/console/app.css%00"],
)  # fmt: skip
def test_only_the_pages_own_files_exist(browser: Browser, path: str) -> None:
    status, _, body = browser.ask("GET", path, key="")
    assert status == 404 and body["error"]["code"]


def test_the_page_changes_nothing(browser: Browser) -> None:
    status, headers, _ = browser.ask("POST", "/", {}, key="")
    assert status == 405 and headers["allow"] == "GET, HEAD"
