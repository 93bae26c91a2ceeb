"""What each policy is for, over many seeds where chance has a part."""

from collections import Counter

from tests.unit.routing.sample import Told, deployment
from wicket.routing.deployment import Deployment
from wicket.routing.plan import Facts, policy

SEEDS = range(4_000)


def firsts(name: str, candidates: list[Deployment], health: Told | None = None) -> Counter[str]:
    """How often each is first."""
    chosen = policy(name)
    return Counter(chosen.order(candidates, Facts(seed=seed, health=health))[0].provider for seed in SEEDS)


def named(count: int) -> list[Deployment]:
    return [deployment(f"p{i}/m") for i in range(count)]


def test_weights_are_shares_and_the_weight_0_is_last() -> None:
    found = [deployment("a/m", weight=3.0), deployment("b/m", weight=1.0), deployment("c/m", weight=0.0)]
    first = firsts("weighted", found)
    assert set(first) == {"a", "b"}
    assert 0.72 < first["a"] / len(SEEDS) < 0.78
    assert policy("weighted").order(found, Facts(seed=5))[2].provider == "c"


def test_all_weights_at_0_are_in_their_order() -> None:
    found = [deployment("a/m", weight=0.0), deployment("b/m", weight=0.0)]
    assert policy("weighted").order(found, Facts(seed=1)) == found


def test_latency_prefers_the_quicker_of_two_and_never_begins_with_the_slowest() -> None:
    health = Told(
        p0={"first_token_us": 900_000}, p1={"first_token_us": 200_000}, p2={"first_token_us": 500_000}
    )
    first = firsts("latency", named(3), health)
    assert set(first) == {"p1", "p2"}  # the slowest loses against whoever it is drawn with
    assert 0.6 < first["p1"] / len(SEEDS) < 0.73  # in two of three pairs


def test_latency_counts_what_is_under_way_and_tries_the_unknown_when_idle() -> None:
    busy = Told(p0={"first_token_us": 200_000, "num_running": 9}, p1={"first_token_us": 500_000})
    assert set(firsts("latency", named(2), busy)) == {"p1"}
    unknown = Told(p0={"first_token_us": 200_000})
    assert set(firsts("latency", named(2), unknown)) == {"p1"}
    tried = Told(p0={"first_token_us": 200_000}, p1={"num_running": 1})
    assert set(firsts("latency", named(2), tried)) == {"p0"}


def test_least_busy_spreads_equals() -> None:
    assert set(firsts("least_busy", named(2), Told(p0={"num_running": 1}))) == {"p1"}
    first = firsts("least_busy", named(2), Told())
    assert 0.45 < first["p0"] / len(SEEDS) < 0.55


def test_price_is_that_of_this_request() -> None:
    cheap_to_read = deployment("r/m", prices=(1, 100, None, None, 0))
    cheap_to_write = deployment("w/m", prices=(50, 10, None, None, 0))
    dear, unknown = deployment("d/m", prices=(1, 1, None, None, 10**9)), deployment("u/m")
    found = [unknown, dear, cheap_to_write, cheap_to_read]

    def order(num_input: int, num_output: int) -> str:
        facts = Facts(input_tokens=num_input, output_tokens=num_output)
        return "".join(one.provider for one in policy("price").order(found, facts))

    assert order(10_000, 10) == "rwdu"
    assert order(10, 1_000) == "wrdu"


def test_throughput_is_highest_first_and_tries_the_unknown_now_and_then() -> None:
    health = Told(p0={"tokens_per_s": 40.0}, p1={"tokens_per_s": 90.0})
    first = firsts("throughput", named(3), health)
    assert set(first) == {"p1", "p2"}
    assert 0.10 < first["p2"] / len(SEEDS) < 0.15


def test_headroom_is_most_first_and_the_unknown_have_all() -> None:
    health = Told(p0={"headroom": 0.1}, p1={"headroom": 0.6})
    assert set(firsts("headroom", named(2), health)) == {"p1"}
    assert set(firsts("headroom", named(3), health)) == {"p2"}
