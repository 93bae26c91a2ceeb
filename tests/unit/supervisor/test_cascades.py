"""The cascades of a house: terms by route, what a check changes, and what outlives a restart."""

from pathlib import Path

import pytest
from tests.path.cascaded import POINTS, made_card

from wicket.accounts.usage_rows import DAY_MS, UsageRow, iso_day
from wicket.config.load import parse
from wicket.config.schema import Config
from wicket.minis.card import MiniCard, read_card
from wicket.supervisor.cascades import Cascades
from wicket.supervisor.messages import Checked

NOON = 20_000 * DAY_MS + DAY_MS // 2


def config(terms: str = "quality = 0.95") -> Config:
    text = f"""
[providers.mine]
base_url = "http://127.0.0.1:9/v1"
[models.x]
deployments = ["mini:slots", "mine/big"]
policy = "cascade"
{terms}
[models.y]
deployments = ["mini:other", "mine/big"]
policy = "cascade"
quality = 0.9
"""
    return parse(text, {}, source="wicket.toml", base=Path("/etc"))


def cards(run: str = "r1") -> dict[str, MiniCard]:
    return {"slots": read_card(made_card(run, POINTS))}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "minis" / "slots").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def cascades(home: Path) -> Cascades:
    made = Cascades(home)
    made.enact(config(), cards())
    return made


def came_out(agreed: bool | None, run: str = "r1", route: str = "x") -> Checked:
    return Checked(route, run, 1, agreed, 0.98, 100)


def test_only_routes_with_a_mini_have_terms(cascades: Cascades) -> None:
    terms = cascades.message().terms
    assert list(terms) == ["x"] and terms["x"].floor == 0.97 and terms["x"].check_share == 0.02
    assert terms["x"].run == "r1" and terms["x"].shape.kind == "json"
    assert cascades.outline()[1]["note"] == "no mini yet: everything goes up"


def test_three_disagreements_in_a_row_are_an_alarm(
    cascades: Cascades, caplog: pytest.LogCaptureFixture
) -> None:
    cascades.take(came_out(False))
    assert cascades.message().terms["x"].check_share == pytest.approx(0.1), "a suspicion is looked into"
    cascades.take(came_out(False))
    assert not caplog.records
    cascades.take(came_out(False))
    assert "does worse on route x than it may: 0 of 3 checks agreed" in caplog.text
    assert cascades.message().terms["x"].floor == 0.99
    for _ in range(3):
        cascades.take(came_out(False))
    assert cascades.message().terms["x"].floor > 1
    cascades.take(came_out(True))  # one that was under way
    assert cascades.standing["x"].watched.level == 2


def test_what_says_nothing_of_this_run_changes_nothing_but_the_cost(cascades: Cascades) -> None:
    before = cascades.standing["x"].watched
    cascades.take(came_out(None))
    cascades.take(came_out(False, run="r0"))
    cascades.take(came_out(False, route="gone"))
    assert cascades.standing["x"].watched == before
    assert cascades.standing["x"].checks_cost == 200
    assert cascades.num_checks == {("x", "unanswered"): 1, ("x", "false"): 1}


def test_the_watch_outlives_a_restart_and_a_reload_but_not_its_run(cascades: Cascades, home: Path) -> None:
    for _ in range(3):
        cascades.take(came_out(False))
    watched = cascades.standing["x"].watched
    cascades.save()
    assert cascades.unsaved() == {}
    cascades.enact(config("quality = 0.9"), cards())
    assert cascades.standing["x"].watched == watched
    again = Cascades(home)
    again.enact(config(), cards())
    assert again.standing["x"].watched == watched
    again.enact(config(), cards("r2"))
    assert again.standing["x"].watched.num_checked == 0
    fresh = Cascades(home)
    fresh.enact(config(), cards("r2"))
    assert fresh.standing["x"].watched.level == 0


def test_a_damaged_watch_begins_anew(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    (home / "minis" / "slots" / "watch.json").write_text('{"run": "r1", "routes": 3}')
    made = Cascades(home)
    made.enact(config(), cards())
    assert made.standing["x"].watched.num_checked == 0 and "the watch begins anew" in caplog.text


def row(day: int, deployment: str, requests: int, cost: int, api: str = "chat.completions") -> UsageRow:
    return UsageRow(
        day=iso_day(NOON // DAY_MS + day),
        model="x",
        deployment=deployment,
        api=api,
        requests=requests,
        cost_nanos=cost,
    )


def test_the_ledger_says_what_checks_have_cost_today(cascades: Cascades) -> None:
    rows = [row(0, "mine/big", 5, 10**9, "chat.check"), row(-1, "mine/big", 5, 10**9, "chat.check")]
    cascades.count(rows, NOON)
    assert cascades.standing["x"].checks_cost == 10**9
    assert cascades.message().terms["x"].check_share == 0
    assert "none until tomorrow" in cascades.outline()[0]["note"]
    cascades.count(rows, NOON + DAY_MS)
    assert cascades.message().terms["x"].check_share == 0.02


def test_a_budget_is_counted_without_checks_and_without_the_mini(home: Path) -> None:
    made = Cascades(home)
    made.enact(config("budget_usd_per_day = 4"), cards())
    assert made.message().terms["x"].floor == 0.99, "nothing is known: strict"
    assert "strictest floor" in made.outline()[0]["note"]
    rows = [
        row(-1, "mine/big", 600, 6 * 10**9),
        row(-1, "mini/slots", 400, 0),
        row(-1, "", 50, 0),
        row(0, "mine/big", 100, 10**9),
        row(0, "mine/big", 100, 10**9, "chat.check"),
    ]
    made.count(rows, NOON)
    # 1,000 a day, half a day left, 0.01 USD each: 5 USD wanted, 3 left: 40 % must be the mini's
    assert made.message().terms["x"].floor == 0.97
    made.count([*rows, row(0, "mine/big", 250, 25 * 10**8)], NOON)
    assert made.message().terms["x"].floor == 0.5
