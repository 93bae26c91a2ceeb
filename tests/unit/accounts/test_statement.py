from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.spreadsheet import cell, csv_text
from wicket.accounts.statement import Movement, parse_month, statement
from wicket.accounts.unpriced import UnpricedRow
from wicket.accounts.usage_rows import DAY_MS, UsageRow
from wicket.errors import CallerFault
from wicket.server.admin_money import statement_csv
from wicket.server.statement_page import statement_page

WHOSE = {"team": "a <b>", "key": "", "key_name": ""}
ROWS = [
    UsageRow(day="2026-11-02", model="m", requests=2, input_tokens=30, charge_nanos=1_500_000_001),
    UsageRow(day="2026-11-02", model="<script>", requests=1, failed=1, charge_nanos=1, images=3),
    UsageRow(day="2026-11-30", model="m", requests=1, output_tokens=7, charge_nanos=8, estimated=1),
]
MOVED = [Movement(1_793_500_000_000, "top_up", 5_000_000_000, "=1+1")]


@pytest.mark.parametrize(
    ("text", "days"), [("2026-11", 30), ("2026-12", 31), ("2028-02", 29), ("2027-02", 28), ("2099-12", 31)]
)
def test_a_month_is_whole_days_in_utc(text: str, days: int) -> None:
    month = parse_month(text)
    assert month.since_ms % DAY_MS == 0 and month.until_ms - month.since_ms == days * DAY_MS


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "2026-1", "202611", "26-11", "", "2026-11 ", "\uff12026-11"]
)
def test_what_is_no_month_is_refused_by_name(text: str) -> None:
    with pytest.raises(CallerFault) as refused:
        parse_month(text)
    assert refused.value.param == "month"


def test_a_statement_adds_up_to_the_nano_dollar() -> None:
    month = parse_month("2026-11")
    made = statement(month, WHOSE, ROWS, MOVED, month.until_ms)
    assert made["is_complete"] and made["since"] == "2026-11-01" and made["until"] == "2026-11-30"
    assert made["charge_usd"] == "1.50000001" and made["requests"] == 4 and made["images"] == 3
    assert [(row["model"], row["charge_usd"]) for row in made["models"]] == [
        ("<script>", "0.000000001"),
        ("m", "1.500000009"),
    ]
    assert [(row["day"], row["requests"]) for row in made["days"]] == [("2026-11-02", 3), ("2026-11-30", 1)]
    assert len(made["rows"]) == 3 and made["movements"][0]["amount_usd"] == "5"
    assert not statement(month, WHOSE, ROWS, [], month.until_ms - 1)["is_complete"]


def test_what_has_no_price_stands_in_the_statement_its_page_and_its_lines() -> None:
    month = parse_month("2026-11")
    missing = [UnpricedRow("red", "m", "searches", 1_200), UnpricedRow("", "<b>", "tokens", 1)]
    made = statement(month, WHOSE, ROWS, MOVED, month.until_ms, missing)
    assert made["unpriced"] == [
        {"model": "<b>", "kind": "tokens", "requests": 1},
        {"model": "m", "kind": "searches", "requests": 1_200},
    ]
    page = statement_page(made)
    assert "Without a price" in page and "1,200" in page and "&lt;b&gt;" in page
    lines = [line for line in statement_csv(made).splitlines() if "unpriced" in line]
    assert len(lines) == 2 and "searches" in lines[1] and "1200" in lines[1]
    assert statement(month, WHOSE, ROWS, MOVED, month.until_ms)["unpriced"] == []


def test_the_page_is_whole_safe_and_exact() -> None:
    month = parse_month("2026-11")
    page = statement_page(statement(month, WHOSE, ROWS, MOVED, month.since_ms))
    assert "<script" not in page and "&lt;script&gt;" in page and "a &lt;b&gt;" in page
    assert "$1.50000001" in page and "UTC" in page and "not over" in page and "prefers-color-scheme" in page
    assert "src=" not in page and "href=" not in page and "@media print" in page
    assert "Nothing was asked" in statement_page(statement(month, WHOSE, [], [], month.until_ms))


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1", "\n@x", '=HYPERLINK("u")']
)
def test_a_name_is_never_a_formula(name: str) -> None:
    assert cell(name).startswith("'")
    text = csv_text(["a", "b"], [{"a": name, "b": 7}])
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["a"].startswith("'") and row["b"] == "7"


@pytest.mark.parametrize("value", ["0.006", "-1.5", 12, "team", 'a, "b"\nc', "ünï"])
def test_numbers_and_plain_names_stay(value: object) -> None:
    assert cell(value) == str(value).replace("\n", " ")


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_any_text_makes_one_line_that_reads_back(texts: list[str]) -> None:
    names = [f"c{place}" for place in range(len(texts))]
    rows = list(
        csv.DictReader(io.StringIO(csv_text(names, [dict(zip(names, texts, strict=True))]), newline=""))
    )
    assert len(rows) == 1
    assert [rows[0][name] for name in names] == [cell(text) for text in texts]
    assert all(not rows[0][name].startswith(("=", "+", "@")) for name in names)
