"""The table of deployments: one line each, troubled ones with what is left of their cooldown."""

from wicket.cli.status import health_table

CALM = {"deployment": "one/first", "credential": 0, "state": "closed", "cooldown_s": 0.0, "reason": ""}
TIMES = {"running": 3, "first_token_ms": 412.5, "tokens_per_s": 88.4, "headroom": 0.25}
SPARED = {"deployment": "two/m", "credential": 1, "state": "open", "cooldown_s": 4.2, "reason": "reset"}
NOTHING = {"running": 0, "first_token_ms": None, "tokens_per_s": None, "headroom": 1.0}


def test_one_line_each() -> None:
    _, calm, spared = health_table([CALM | TIMES, SPARED | NOTHING]).splitlines()
    assert calm.split() == ["one/first", "closed", "-", "3", "412", "ms", "88", "25%"]
    assert spared.split() == ["two/m", "(1)", "open", "4.2", "s", "reset", "0", "-", "-", "100%"]
