from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.bounds import FILE_TOKENS, IMAGE_TOKENS, Parts, bound_input_tokens, count_parts
from wicket.accounts.cost import MAX_NANOS, bound_cost_nanos, bound_fees_nanos, cost_nanos
from wicket.accounts.price import Price
from wicket.accounts.record import NO_USAGE, OtherUsage, Usage
from wicket.errors import UpstreamBroken
from wicket.providers import catalogue
from wicket.providers.facts import Prices, ServicePrices, Tier
from wicket.providers.tariff import Fees, Tariff, make_tariff, tariff_of

RATES = st.none() | st.integers(0, 1 << 30)
COUNTS = st.integers(0, 1 << 20)
NAMES = Prices.__struct_fields__
_WORDS = ("service", "image_size", "unpriced")
SERVICES = ("", "batch", "flex", "priority")


def prices(draw: st.DrawFn) -> dict[str, int | None]:
    return {name: draw(RATES) for name in NAMES}


@st.composite
def tariffs(draw: st.DrawFn) -> Price:
    main = prices(draw)
    tiers = [
        Tier(**prices(draw), above_tokens=draw(st.integers(1, 1 << 20)))
        for _ in range(draw(st.integers(0, 2)))
    ]
    services = {
        name: ServicePrices(**prices(draw), tiers=tuple(tiers) if draw(st.booleans()) else ())
        for name in draw(st.sets(st.sampled_from(SERVICES[1:])))
    }
    tariff = make_tariff(Prices(**main), tiers, services, Fees())
    plain = (main["cached_pico"], main["cache_write_pico"])
    return Price("p", main["input_pico"] or 0, main["output_pico"] or 0, *plain, 0, tariff)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Counts that a provider could have reported: no part is larger than its whole."""
    cached_audio, cached_text, hour, short, audio, image, text = (draw(COUNTS) for _ in range(7))
    reasoning, spoken, drawn, said = (draw(COUNTS) for _ in range(4))
    other = OtherUsage(
        cache_write_1h_tokens=hour,
        input_audio_tokens=audio + cached_audio,
        cached_audio_tokens=cached_audio,
        output_audio_tokens=spoken,
        input_image_tokens=image,
        output_image_tokens=drawn,
        service=draw(st.sampled_from(SERVICES)),
    )
    return Usage(
        cached_audio + cached_text + hour + short + audio + image + text,
        reasoning + spoken + drawn + said,
        cached_audio + cached_text,
        hour + short,
        reasoning,
        False,
        other if draw(st.booleans()) else None,
    )


def widened(found: dict[str, int | None]) -> dict[str, int]:
    """Every kind's price, by the sentence in `facts.Prices`; written anew here."""
    given, made = found["input_pico"] or 0, found["output_pico"] or 0
    known = {name: value for name, value in found.items() if value is not None}
    audio = known.get("audio_input_pico", given)
    written = known.get("cache_write_pico", given)
    return {
        "text": given,
        "cached": known.get("cached_pico", given),
        "written": written,
        "hour": known.get("cache_write_1h_pico", written),
        "audio": audio,
        "cached_audio": known.get("audio_cached_pico", known.get("cached_pico", audio)),
        "image": known.get("image_input_pico", given),
        "said": made,
        "reasoning": known.get("reasoning_pico", made),
        "spoken": known.get("audio_output_pico", made),
        "drawn": known.get("image_output_pico", made),
    }


@st.composite
def priced(draw: st.DrawFn) -> tuple[Price, Usage, dict[str, int]]:
    """A row, a usage, and the prices that hold for it: of its class and its length."""
    usage = draw(usages())
    main, tier, service = prices(draw), prices(draw), prices(draw)
    above = draw(st.sampled_from([max(1, usage.input_tokens - 1), max(1, usage.input_tokens), 1 << 24]))
    tariff = make_tariff(
        Prices(**main),
        [Tier(**tier, above_tokens=above)],
        {"flex": ServicePrices(**service)},
        Fees(),
    )
    plain = (main["cached_pico"], main["cache_write_pico"])
    row = Price("p", main["input_pico"] or 0, main["output_pico"] or 0, *plain, 0, tariff)
    other = usage.other or OtherUsage()
    upper: dict[str, int | None] = {}
    if other.service == "flex":
        upper = service
    elif usage.input_tokens > above:
        upper = tier
    over = {name: main[name] if upper.get(name) is None else upper[name] for name in NAMES}
    return row, usage, widened(over)


@given(priced())
def test_every_token_is_billed_once_at_its_own_price(case: tuple[Price, Usage, dict[str, int]]) -> None:
    row, usage, pico = case
    other = usage.other or OtherUsage()
    cached_audio, hour = other.cached_audio_tokens, other.cache_write_1h_tokens
    audio, image = other.input_audio_tokens - cached_audio, other.input_image_tokens
    parts = {
        "cached": usage.cached_tokens - cached_audio,
        "cached_audio": cached_audio,
        "written": usage.cache_write_tokens - hour,
        "hour": hour,
        "audio": audio,
        "image": image,
        "reasoning": usage.reasoning_tokens,
        "spoken": other.output_audio_tokens,
        "drawn": other.output_image_tokens,
    }
    parts["text"] = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens - audio - image
    parts["said"] = usage.output_tokens - sum(parts[name] for name in ("reasoning", "spoken", "drawn"))
    exact = sum(Fraction(number * pico[name], 1000) for name, number in parts.items())
    assert cost_nanos(row, usage) == round(exact)


@given(tariffs(), usages())
def test_the_bound_is_never_below_the_cost_in_any_class_and_length(row: Price, usage: Usage) -> None:
    cost = cost_nanos(row, usage)
    assert bound_cost_nanos(row, usage.input_tokens, usage.output_tokens) >= cost
    assert bound_cost_nanos(row, usage.input_tokens + 9_999, usage.output_tokens + 9) >= cost


def test_what_is_reported_oddly_is_cut_down_to_the_whole() -> None:
    row = Price("p", 1_000, 2_000, 100, 5_000)
    odd = OtherUsage(
        cache_write_1h_tokens=99, input_audio_tokens=99, output_audio_tokens=99, cached_audio_tokens=99
    )
    assert cost_nanos(row, Usage(10, 5, 4, 1, 99, False, odd)) == 5 + 4 * 100 // 1_000 + 5 + 5 * 2 + 0


@pytest.mark.parametrize("name", [name for name in OtherUsage.__struct_fields__ if name not in _WORDS])
def test_negative_counts_are_refused_by_name(name: str) -> None:
    with pytest.raises(UpstreamBroken) as refused:
        cost_nanos(Price("p", 1, 1), Usage(1, 1, other=OtherUsage(**{name: -1})))
    assert refused.value.code == "usage_out_of_range"


def test_absurd_counts_are_refused_by_name() -> None:
    with pytest.raises(UpstreamBroken) as refused:
        cost_nanos(Price("p", 10**10, 1), Usage(1 << 62, 0, other=OtherUsage(input_audio_tokens=1 << 62)))
    assert refused.value.code == "usage_out_of_range"


def tariff(fees: Fees, **kinds: int) -> Tariff:
    made = make_tariff(Prices(**kinds), (), {}, fees)
    assert made is not None
    return made


def test_a_fee_that_stands_in_for_tokens_is_billed_where_none_are_reported() -> None:
    fees = Fees(image_nanos=40_000_000, audio_second_nanos=100_000, character_pico=15_000_000)
    row = Price("p", 0, 0, tariff=tariff(fees))
    assert cost_nanos(row, Usage(other=OtherUsage(images=2))) == 80_000_000
    assert cost_nanos(row, Usage(other=OtherUsage(audio_ms=1_500))) == 150_000
    assert cost_nanos(row, Usage(other=OtherUsage(characters=7))) == 7 * 15_000
    told = Price("p", 1_000_000, 1_000_000, tariff=tariff(fees, input_pico=1_000_000, output_pico=1_000_000))
    assert cost_nanos(told, Usage(10, 20, other=OtherUsage(images=1, audio_ms=9_000, characters=9))) == 30_000


def test_searches_come_on_top_and_some_are_in_the_fee_per_request() -> None:
    row = Price("p", 1_000, 0, tariff=tariff(Fees(search_nanos=10_000_000), input_pico=1_000))
    assert cost_nanos(row, Usage(5, other=OtherUsage(searches=3))) == 30_000_005
    rerank = catalogue.fact_of("cohere", "rerank-v3.5")
    assert rerank is not None and rerank.request_nanos
    one = Price("r", 0, 0, request_nanos=rerank.request_nanos, tariff=tariff_of(rerank))
    assert (
        cost_nanos(one, NO_USAGE)
        == cost_nanos(one, Usage(other=OtherUsage(searches=1)))
        == rerank.request_nanos
    )
    assert cost_nanos(one, Usage(other=OtherUsage(searches=3))) == 3 * rerank.request_nanos
    assert bound_fees_nanos(row, OtherUsage(searches=3)) == 30_000_000
    assert bound_fees_nanos(Price("p", 1, 1), OtherUsage(searches=3)) == 0


def test_a_class_without_prices_of_its_own_costs_what_the_standard_one_does() -> None:
    row = Price("p", 1_000, 1_000)
    assert cost_nanos(row, Usage(1, 1, other=OtherUsage(service="priority"))) == cost_nanos(row, Usage(1, 1))


def test_every_row_of_the_catalogue_makes_a_tariff_whose_bounds_rise() -> None:
    number = 0
    for row in ("openai", "anthropic", "gemini", "bedrock", "xai", "qwen", "cohere"):
        for fact in catalogue.models_of(row):
            made = tariff_of(fact)
            if made is None:
                continue
            number += 1
            pairs = [(one.above_tokens, one.input_pico, one.output_pico) for one in made.bounds]
            assert all(a <= c and b <= d for (_, a, b), (_, c, d) in pairwise(pairs))
            assert pairs[0][0] == -1
    assert number > 300


# Bounds of what is no text


def test_text_has_no_parts_however_it_reads() -> None:
    body = b'{"messages":[{"role":"user","content":"{\\"type\\":\\"image_url\\"}"}]}'
    assert count_parts(body) == Parts()


def test_coheres_documents_are_texts_and_anthropics_are_files() -> None:
    body = b'{"messages":[{"role":"tool","content":[{"type":"document","document":{"data":"{}"}}]}]}'
    assert count_parts(body, has_text_documents=True) == Parts()
    assert count_parts(body) == Parts(0, 1)
    mixed = (
        b'[{"type":"document","document":{}},{"type":"image_url","image_url":{"url":"u"}},{"type":"file"}]'
    )
    assert count_parts(mixed, has_text_documents=True) == Parts(1, 1)


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (b'[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]', Parts(1, 0)),
        (
            b'[{"type": "input_image", "image_url": "data:..."}, {"type":"input_file","file_id":"f"}]',
            Parts(1, 1),
        ),
        (
            b'[{"type":"image","source":{"type":"url","url":"u"}},{"type":"document","source":{}}]',
            Parts(1, 1),
        ),
        (b'[{"type":"input_audio","input_audio":{"data":"","format":"wav"}}]', Parts(0, 1)),
        (b'{"parts":[{"fileData":{"fileUri":"gs://b/f.mp4"}},{"inline_data":{"data":""}}]}', Parts(0, 2)),
    ],
)
def test_parts_are_counted_in_every_dialect(body: bytes, parts: Parts) -> None:
    assert count_parts(body) == parts
    bound = bound_input_tokens(len(body), parts, 8_192)
    assert bound == bound_input_tokens(len(body)) + parts.images * IMAGE_TOKENS + bool(parts.files) * 8_192
    assert bound_input_tokens(1, Parts(0, 1)) > FILE_TOKENS


# What was written before


def test_records_of_before_are_still_read() -> None:
    old = msgspec.msgpack.encode([10, 5, 4, 3, 2, True])
    assert msgspec.msgpack.decode(old, type=Usage) == Usage(10, 5, 4, 3, 2, True)
    price: list[Any] = ["p", 1, 2, None, 3, 4]
    assert msgspec.convert(price, Price) == Price("p", 1, 2, None, 3, 4)
    kept = msgspec.json.encode([7, 1])
    assert msgspec.json.decode(kept, type=OtherUsage) == OtherUsage(7, 1)


def test_an_amount_beyond_63_bits_is_bounded() -> None:
    assert bound_cost_nanos(Price("p", 1 << 62, 1), 1 << 62, 1) == MAX_NANOS
