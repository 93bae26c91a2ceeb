import pytest

from wicket.providers.sources.claim import Claim, Rates
from wicket.providers.sources.merge import BY_NEWS, BY_PRICE, choose, dated, merge, same_prices

DAY = "2026-11-27"


def claims(**prices: int | None) -> list[Claim]:
    names = {"genai": "genai-prices", "litellm": "litellm", "dev": "models.dev"}
    return [
        Claim(source=names[key], kind="chat", prices={} if value is None else {"input_pico": value})  # type: ignore[arg-type]
        for key, value in prices.items()
    ]


@pytest.mark.parametrize(
    ("said", "taken", "others"),
    [
        ({"genai": 1, "litellm": 1, "dev": 1}, 1, set()),
        ({"genai": 1, "litellm": 2, "dev": 1}, 1, {"litellm"}),
        ({"genai": 1, "litellm": 2, "dev": 2}, 2, {"genai-prices"}),
        ({"genai": 1, "litellm": 2, "dev": 3}, 2, {"genai-prices", "models.dev"}),
        ({"genai": 1, "litellm": 2}, 2, {"genai-prices"}),
        ({"genai": 1, "dev": 2}, 1, {"models.dev"}),
        ({"dev": 2}, 2, set()),
        ({"genai": None, "litellm": None}, None, set()),
    ],
)
def test_what_most_say_counts_and_the_others_are_recorded(
    said: dict[str, int | None], taken: int | None, others: set[str]
) -> None:
    fact, disputes = merge("p", "m", claims(**said), DAY)
    assert fact.input_pico == taken
    assert {source for dispute in disputes for source in dispute.others} == others
    assert len(fact.disputed) == len(disputes)


def test_choose_says_nothing_where_nobody_does() -> None:
    assert choose("x", {}, BY_NEWS) == (None, None)
    value, dispute = choose("x", {"litellm": True, "models.dev": False}, BY_PRICE)
    assert value is True and str(dispute) == "x: models.dev False"


def test_a_tier_that_most_do_not_have_is_none() -> None:
    ours = claims(genai=1, litellm=1, dev=1)
    ours[0].tiers = {200_000: {"input_pico": 2}}
    fact, disputes = merge("p", "m", ours, DAY)
    assert fact.tiers == () and disputes[0].field == "tier 200000"
    fact, _ = merge("p", "m", ours[:2], DAY)  # one of two: a cost is rather over- than understated
    assert fact.tiers[0].above_tokens == 200_000 and fact.tiers[0].input_pico == 2


def test_a_class_of_service_has_the_tiers_of_the_standard_class_only() -> None:
    ours = claims(genai=2, litellm=2, dev=2)
    ours[0].tiers = {200_000: {"input_pico": 4}}
    ours[0].services = {"batch": Rates(prices={"input_pico": 1}, tiers={200_000: {"input_pico": 2}})}
    fact, _ = merge("p", "m", ours, DAY)
    assert fact.services["batch"].input_pico == 1 and fact.services["batch"].tiers == ()


def sized(source: str, **sizes: int) -> Claim:
    return Claim(source=source, kind="chat", **sizes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ours", "context", "limit", "output"),
    [
        (  # LiteLLM's is the input limit of OpenAI's window
            [
                sized("litellm", max_input_tokens=272_000, max_output_tokens=128_000),
                sized("models.dev", context_tokens=400_000, max_output_tokens=128_000),
            ],
            400_000, 272_000, 128_000,
        ),
        ([sized("litellm", max_input_tokens=272_000, max_output_tokens=128_000)], 400_000, 272_000, 128_000),
        ([sized("litellm", max_input_tokens=200_000, max_output_tokens=64_000)], 200_000, 0, 64_000),
        (  # genai-prices gives round numbers
            [sized("litellm", max_input_tokens=1_048_576), sized("genai-prices", context_tokens=1_000_000)],
            1_048_576, 0, 0,
        ),
        (  # LiteLLM repeats the input limit where it knows no other
            [
                sized("litellm", max_input_tokens=128_000, max_output_tokens=128_000),
                sized("models.dev", context_tokens=128_000, max_output_tokens=4_096),
            ],
            128_000, 0, 4_096,
        ),
        (  # an older, smaller input limit is no limit of today's window
            [
                sized("litellm", max_input_tokens=131_072, max_output_tokens=8_192),
                sized("models.dev", context_tokens=1_000_000),
            ],
            1_000_000, 0, 8_192,
        ),
        ([sized("models.dev", context_tokens=1_000, max_output_tokens=2_000)], 1_000, 0, 0),
        ([sized("litellm")], 0, 0, 0),
    ],
)  # fmt: skip
def test_windows_and_limits(ours: list[Claim], context: int, limit: int, output: int) -> None:
    fact, _ = merge("p", "m", ours, DAY)
    assert (fact.context_tokens, fact.max_input_tokens, fact.max_output_tokens) == (context, limit, output)


def test_features_known_and_not_known() -> None:
    ours = [
        Claim(source="litellm", kind="chat", features={"tools": True, "pdf": True}),
        Claim(
            source="models.dev",
            features={"tools": True, "pdf": False, "audio": False},
            modalities_in=("text",),
        ),
    ]
    fact, _ = merge("p", "m", ours, DAY)
    assert fact.features == {"tools": True, "pdf": True, "audio": False}
    assert fact.modalities_in == ("text", "pdf") and fact.disputed == ("pdf: models.dev False",)


def test_what_follows_of_itself() -> None:
    embedding = Claim(
        source="litellm", kind="embedding", prices={"input_pico": 5, "output_pico": 5, "cached_pico": 0}
    )
    fact, _ = merge("p", "m", [embedding], DAY)
    assert (fact.output_pico, fact.cached_pico) == (0, None)
    dear = Claim(source="litellm", kind="chat", prices={"input_pico": 5, "cached_pico": 6}, successor="m")
    fact, _ = merge("p", "m", [dear], DAY)
    assert fact.cached_pico is None and fact.successor is None
    searching = Claim(source="litellm", kind="chat", extras={"request_nanos": 5, "search_nanos": 6})
    fact, _ = merge("p", "m", [searching], DAY)
    assert (fact.request_nanos, fact.search_nanos) == (5, None)


def test_what_comes_out_says_what_a_model_is_for() -> None:
    drawing = Claim(source="models.dev", kind="chat", modalities_out=("image",))
    assert merge("p", "m", [drawing], DAY)[0].kind == "image"
    speaking = Claim(source="models.dev", kind="chat", modalities_out=("audio",))
    assert merge("p", "m", [speaking], DAY)[0].kind == "speech"
    both = Claim(source="models.dev", kind="chat", modalities_out=("text", "audio"))
    assert merge("p", "m", [both], DAY)[0].kind == "chat"


def test_a_slip_of_the_decimal_point_is_no_price() -> None:
    slip = Claim(source="litellm", kind="embedding", prices={"input_pico": 100_000_000})
    assert not merge("p", "m", [slip], DAY)[0].is_priced


def test_a_family_that_no_listing_has_is_kept_for_its_price() -> None:
    family = Claim(source="genai-prices", is_family=True, prices={"input_pico": 5}, also=("other",))
    fact, _ = merge("p", "m", [family], DAY)
    assert not fact.is_listed and fact.also == ("other",) and fact.is_priced
    fact, _ = merge("p", "m", [family, Claim(source="litellm", kind="chat")], DAY)
    assert fact.is_listed and fact.also == ()


def test_a_price_keeps_its_date_for_as_long_as_it_holds() -> None:
    old, _ = merge("p", "m", claims(litellm=5), "2026-01-01")
    same, _ = merge("p", "m", [*claims(litellm=5), Claim(source="models.dev", context_tokens=9)], DAY)
    other, _ = merge("p", "m", claims(litellm=6), DAY)
    assert same_prices(old, same) and dated(same, [old]).id == "p/m@2026-01-01"
    assert dated(other, [old]).id == "p/m@2026-11-27" and dated(same, []).id == "p/m@2026-11-27"
