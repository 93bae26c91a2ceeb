"""What a provider's page says stands above the catalogues, until these say something new."""

import msgspec
import pytest

from wicket.providers import catalogue
from wicket.providers.facts import Fact
from wicket.providers.sources import corrections

TEXT = """
[[pages]]
url = "https://provider.example/ends"
read = "2026-11-27"
[pages.models]
"p/m" = { deprecation_date = { was = "", is = "2026-12-01" }, max_output_tokens = { was = 4096, is = 8192 } }
"""
KNOWN = corrections.parse(TEXT)


def fact(**fields: object) -> Fact:
    base = {"provider": "p", "model": "m", "date": "2026-11-27", "sources": ["litellm"]}
    return msgspec.convert({**base, **fields}, Fact)


def test_a_page_overrules_what_the_catalogues_came_to() -> None:
    found, past = corrections.correct(fact(max_output_tokens=4096), KNOWN)
    assert (found.deprecation_date, found.max_output_tokens, found.is_deprecated) == (
        "2026-12-01",
        8192,
        True,
    )
    assert past == [] and found.corrected == (
        "deprecation_date: nothing; https://provider.example/ends, read 2026-11-27",
        "max_output_tokens: 4096; https://provider.example/ends, read 2026-11-27",
    )


def test_what_the_catalogues_have_by_now_needs_no_correction() -> None:
    same = fact(max_output_tokens=8192, deprecation_date="2026-12-01")
    assert corrections.correct(same, KNOWN) == (same, [])
    assert corrections.correct(fact(model="other"), KNOWN) == (fact(model="other"), [])


def test_news_of_the_catalogues_stand_above_an_old_reading() -> None:
    newer = fact(max_output_tokens=16_384, deprecation_date="2027-01-01")
    found, past = corrections.correct(newer, KNOWN)
    assert found == newer and len(past) == 2 and "16384 now, was 4096" in past[1]


@pytest.mark.parametrize(
    "text", ["pages = 1", TEXT.replace("is =", "then ="), TEXT.replace("2026-11-27", "now")]
)
def test_a_file_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        corrections.parse(text)


def test_the_shipped_ones_name_models_of_the_catalogue_and_their_pages() -> None:
    missing = []
    for id, changes in corrections.shipped().items():
        provider, _, model = id.partition("/")
        known = catalogue.fact_of(provider, model)
        if known is None:
            missing.append(id)
            continue
        for one in changes:
            assert one.url.startswith("https://") and getattr(known, one.field) == one.change.now, id
    assert missing == ["anthropic/claude-3-5-haiku-20241022"]  # no catalogue lists it any more
