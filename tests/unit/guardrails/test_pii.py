"""Values become placeholders: which, how they are numbered, what stays, and what is found of a sample."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.config.schema import TaskTable
from wicket.config.tasks import known_guardrails
from wicket.guardrails import pii
from wicket.guardrails.contract import module
from wicket.guardrails.pii import FINDERS, Parameters, scrub

DATA = Path(__file__).parents[2] / "data" / "pii" / "sample.jsonl"
PATTERNED = {"EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "US_DRIVER_LICENSE"}
PATTERNED |= {"IP_ADDRESS"}
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc+/=\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


def kinds(text: str) -> list[str]:
    """The kinds that are found, in the order in which they are looked for."""
    shown = scrub([text])[0]
    return [kind for kind in FINDERS if f"[{kind}_" in shown]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("ada@example.org", "EMAIL"),
        ("Ünal.O'Neil+tag@mail.büro.example", "EMAIL"),
        ("GB82 WEST 1234 5698 7654 32", "IBAN"),
        ("de89370400440532013000", "IBAN"),
        ("4111 1111 1111 1111", "CARD"),
        ("378282246310005", "CARD"),
        ("5105-1051-0510-5100", "CARD"),
        ("536-22-8726", "ID"),
        ("AB 12 34 56 C", "ID"),
        ("046 454 286", "PHONE"),  # a Canadian number can't begin with 0, so it is taken for a phone
        ("130 692 544", "ID"),
        ("12345678Z", "ID"),
        ("X1234567L", "ID"),
        ("1 84 12 76 451 089 46", "ID"),
        ("RSSMRA85T10A562S", "ID"),
        ("44051401359", "ID"),
        ("811218-9876", "ID"),
        ("529.982.247-25", "ID"),
        ("2341 2341 2346", "ID"),
        ("85.07.30-033.28", "ID"),
        ("131052-308T", "ID"),
        ("11010519491231002X", "ID"),
        ("192.0.2.17", "IP"),
        ("2001:db8::8a2e:370:7334", "IP"),
        ("00:1B:44:11:3A:B7", "IP"),
        ("0x52908400098527886E0F7030069857D2E4169EE7", "WALLET"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "WALLET"),
        ("+44 20 7946 0958", "PHONE"),
        ("(212) 555-0173", "PHONE"),
        ("212-555-0173 x99", "PHONE"),
        ("0049 30 901820", "PHONE"),
        (PEM, "PRIVATE_KEY"),
        ("postgres://admin:hunter2@db.internal:5432/main", "URL"),
        (JWT, "SECRET"),
        ("sk-proj-abcdefghijklmnop0123456789", "SECRET"),
        ("sk_live_abcdefghijklmnop", "SECRET"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "SECRET"),
        ("xoxb-1234567890-abcdefghij", "SECRET"),
        ("AKIAIOSFODNN7EXAMPLE", "SECRET"),
        ("AIzaSyA-0123456789abcdefghijklmnopqrstu", "SECRET"),
        ("hf_abcdefghijklmnopqrstuvwxyz012345", "SECRET"),
        ("wk-admin-abcdefghijklmnopqrstuv", "SECRET"),
        ("https://hooks.slack.com/services/T000/B000/XXXX", "SECRET"),
    ],
)
def test_a_value_is_found_alone_in_a_sentence_and_in_quotes(value: str, kind: str) -> None:
    for text in (value, f"It is {value}.", f'say "{value}"', f"({value})\n", f"key={value}"):
        assert f"[{kind}_1]" in scrub([text])[0], text
        assert value not in scrub([text])[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdefghij0123456789", "Authorization: Bearer [SECRET_1]"),
        ('{"password": "correct horse"}', '{"password": "[SECRET_1] horse"}'),
        ("PASSWORD=hunter22;", "PASSWORD=[SECRET_1];"),
        ("api_key: 9f8e7d6c5b4a", "api_key: [SECRET_1]"),
        ("?token=abc123def456&x=1", "?token=[SECRET_1]&x=1"),
        ("My passport number is C01X00T47", "My passport number is [ID_1]"),
        ("call me at 785 8949 please", "call me at [PHONE_1] please"),
        ("my ssn is 536228726", "my ssn is [ID_1]"),
    ],
)
def test_words_around_give_values_away(text: str, shown: str) -> None:
    assert scrub([text]) == [shown]


@pytest.mark.parametrize(
    "text",
    [
        "A table for 4 on 12/05/2026 at 19:30, and 2 on 2026-05-13.",
        "Order 1234567, 1.250.000,00 EUR, 10 000 000 people, 3.14159265358979, 99.95%",
        "version 10.0.0.1 of it, chapter 1.2.3, std::vector<int>, a::b, 12:30:45",
        "4111 1111 1111 1112 fails its check, and GB82 WEST 1234 5698 7654 33 too",
        "The token is missing. Password required! Bearer of good news, basic arithmetic",
        "0000 0000 0000 0000 and 1111111111111111",
        "id 550e8400-e29b-41d4-a716-446655440000, sha a94a8fe5ccb19ba61c4c0873d391e987982fbbd3",
        "https://example.org/path?page=2 and @handle and user at example",
        "2018 2019 2020, rooms 101-110, 1-2-3-4-5, 1998-2003",
        "[EMAIL_1] and [CARD_2] stay",
    ],
)
def test_what_is_nobody_s_stays(text: str) -> None:
    assert scrub([text]) == [text]


def test_the_same_value_has_the_same_number_in_all_texts() -> None:
    texts = [
        "I'm Ada@Example.org, call 785 8949; bob@example.org has 4111-1111-1111-1111.",
        "ada@example.org",
        "785 8949",  # no word says here what it is
        "4111111111111111 bob@example.org",
    ]
    assert scrub(texts) == [
        "I'm [EMAIL_1], call [PHONE_1]; [EMAIL_2] has [CARD_1].",
        "[EMAIL_1]",
        "[PHONE_1]",
        "[CARD_1] [EMAIL_2]",
    ]


def test_kinds_can_be_chosen() -> None:
    assert scrub(["a@b.example 192.0.2.1"], Parameters(kinds=("IP",))) == ["a@b.example [IP_1]"]


@given(st.lists(st.text(max_size=60) | st.sampled_from([PEM, JWT, "ada@example.org", "+44 20 7946 0958"])))
def test_scrubbing_twice_changes_nothing_more(texts: list[str]) -> None:
    once = scrub(texts)
    assert scrub(once) == once and len(once) == len(texts)


@given(st.text(alphabet=string.ascii_letters + " ", max_size=200))
def test_plain_words_are_left_alone(text: str) -> None:
    assert scrub([text]) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "a" * 40_000,
        "1" * 40_000,
        "1 " * 20_000,
        "a@" * 20_000,
        "a." * 20_000,
        "a@b." * 10_000,
        "::" * 20_000,
        "1:" * 20_000,
        "-----BEGIN PRIVATE KEY-----" * 1_500,
        "http://a:" * 5_000,
        "password=" * 4_000,
        "passport " * 4_000,
        "GB82 " * 8_000,
        "eyJ" + "a" * 40_000,
        "(" * 40_000,
        "bearer " * 6_000,
        "x_" * 20_000 + "token",
    ],
    ids=lambda text: text[:12],
)
def test_no_text_makes_a_pattern_run_away(text: str) -> None:
    """Were the cost of one of these more than linear, this would not come to its end."""
    assert scrub(scrub([text])) == scrub([text])


def test_what_is_found_of_a_sample() -> None:
    """Real figures are in docs/tasks.md; here nothing may get worse."""
    missed, wrong = [], []
    for line in DATA.read_text().splitlines():
        sample = json.loads(line)
        text, spans = sample["text"], [(s, e) for s, e, kind in sample["spans"] if kind in PATTERNED]
        shown = scrub([text])[0]
        missed += [text[s:e] for s, e in spans if text[s:e] in shown]
        if not spans and shown != text:
            wrong.append((text, shown))
    assert missed == [] and wrong == []


def test_the_default_of_tasks_is_a_guardrail() -> None:
    assert set(TaskTable().scrub) <= set(known_guardrails()) and "pii" in known_guardrails()
    assert module("pii") is pii
