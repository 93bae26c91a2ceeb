from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.record import Attempt, Record, Usage
from wicket.telemetry.cascades import CascadeGauge
from wicket.telemetry.exposition import decimal, family
from wicket.telemetry.label_names import LabelNames
from wicket.telemetry.metrics import Gauges, Metrics

USAGE = Usage(10, 5, 3, 2, 1)
PLAIN = Record(
    id=1,
    started_ms=2,
    key_id=3,
    api="chat.completions",
    model="small",
    deployment="mine/small",
    served_model="s",
    status=200,
    outcome="ok",
    is_stream=True,
    usage=USAGE,
    cost_nanos=1_500,
    charge_nanos=1_650,
    first_token_us=7_000,
    total_us=250_000,
    attempts=[Attempt("mine/small", 200, usage=USAGE)],
)
TIMES_US = st.integers(0, 1_000_000) | st.sampled_from([5_000, 10_000, 250_000, 600_000_000, 600_000_001])
LINE = re.compile(r"([a-z_:]+)(?:\{(.*)\})? (-?[0-9.]+)")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def changed(**changes: object) -> Record:
    return msgspec.structs.replace(PLAIN, **changes)


def parsed(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], str]:
    """The samples of a page; raises for whatever the format does not allow."""
    samples: dict[tuple[str, frozenset[tuple[str, str]]], str] = {}
    kinds: dict[str, str] = {}
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds
            kinds[name] = kind
            continue
        if line.startswith("# HELP "):
            continue
        match = LINE.fullmatch(line)
        assert match, line
        labels = LABEL.findall(match[2] or "")
        assert "".join(found[0] for found in LABEL.finditer(match[2] or "")) == (match[2] or ""), line
        named = {
            name: re.sub(r'\\[\\"n]', lambda found: UNESCAPED[found[0]], value) for name, value in labels
        }
        assert len(named) == len(labels)
        assert match[1] in kinds or kinds[re.sub("_(bucket|sum|count)$", "", match[1])] == "histogram"
        key = (match[1], frozenset(named.items()))
        assert key not in samples, line
        samples[key] = match[3]
    return samples


def page(
    records: Iterable[Record], metrics: Metrics | None = None
) -> dict[str, dict[frozenset[tuple[str, str]], str]]:
    metrics = metrics or Metrics()
    metrics.observe(list(records))
    found: dict[str, dict[frozenset[tuple[str, str]], str]] = {}
    for (name, labels), value in parsed(metrics.render(Gauges(version="0.1"))).items():
        found.setdefault(name, {})[labels] = value
    return found


def value(samples: dict[frozenset[tuple[str, str]], str], **labels: str) -> str:
    (found,) = [text for names, text in samples.items() if labels.items() <= set(names)]
    return found


def test_requests_tokens_and_money_are_summed() -> None:
    found = page([PLAIN, PLAIN, changed(is_stream=False), changed(status=502, outcome="upstream_5xx")])
    requests = found["wicket_requests_total"]
    assert (
        value(requests, outcome="ok", stream="true", status="2xx", model="small", deployment="mine/small")
        == "2"
    )
    assert value(requests, stream="false") == "1"
    assert value(requests, outcome="upstream_5xx", status="5xx") == "1"
    tokens = {kind: value(found["wicket_tokens_total"], kind=kind) for kind in ("input", "output", "cached")}
    assert tokens == {"input": "40", "output": "20", "cached": "12"}
    assert value(found["wicket_tokens_total"], kind="reasoning") == "4"
    assert value(found["wicket_cost_usd_total"]) == "0.000006"
    assert value(found["wicket_charge_usd_total"]) == "0.0000066"
    assert value(found["wicket_attempts_total"], deployment="mine/small", reason="ok") == "4"


def test_times_fall_into_buckets_up_to_and_including_their_bound() -> None:
    found = page([PLAIN, changed(total_us=250_001, first_token_us=-1), changed(total_us=10**10)])
    buckets = found["wicket_request_seconds_bucket"]
    assert [value(buckets, le=bound) for bound in ("0.1", "0.25", "0.5", "600", "+Inf")] == [
        "0",
        "1",
        "2",
        "2",
        "3",
    ]
    assert value(found["wicket_request_seconds_sum"]) == "10000.500001"
    assert value(found["wicket_request_seconds_count"]) == "3"
    assert value(found["wicket_first_token_seconds_count"]) == "2"
    assert value(found["wicket_first_token_seconds_bucket"], le="0.01") == "2"


def test_what_callers_invent_is_no_label() -> None:
    secret = "wk-mistaken-for-a-model"
    metrics = Metrics()
    nobody = changed(model=secret, deployment="", status=404, outcome="unknown_model", attempts=[])
    failing = Attempt(f"mine/{secret}", 404, "upstream_4xx")
    refused = changed(model=secret, deployment=f"mine/{secret}", status=404, outcome="x", attempts=[failing])
    found = page([nobody, refused, PLAIN], metrics)
    assert secret not in metrics.render(Gauges())
    assert value(found["wicket_requests_total"], outcome="unknown_model", model="", deployment="") == "1"
    assert value(found["wicket_requests_total"], outcome="x", model="other", deployment="other") == "1"
    assert value(found["wicket_attempts_total"], deployment="other", reason="upstream_4xx") == "1"


def test_a_configured_deployment_has_its_name_also_while_it_only_fails() -> None:
    metrics = Metrics()
    metrics.declare(models=["small"], deployments=["mine/small"])
    failing = changed(status=502, outcome="x", attempts=[Attempt("mine/small", 500, "upstream_5xx")])
    found = page([failing], metrics)
    assert value(found["wicket_attempts_total"], deployment="mine/small", reason="upstream_5xx") == "1"
    assert value(found["wicket_requests_total"], model="small", deployment="mine/small") == "1"


def test_the_number_of_series_is_bounded() -> None:
    metrics = Metrics(max_names=3)
    found = page((changed(model=f"m{number}") for number in range(100)), metrics)
    counted = {dict(labels)["model"]: text for labels, text in found["wicket_requests_total"].items()}
    assert counted == {"m0": "1", "m1": "1", "m2": "1", "other": "97"}


def test_long_names_are_cut() -> None:
    names = LabelNames()
    assert len(names.proven("x" * 10_000)) == 128
    assert names.claimed("never seen") == "other"
    assert names.claimed("x" * 10_000) == names.proven("x" * 10_000)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_name_survives_the_text_form(model: str, outcome: str) -> None:
    found = page([changed(model=model), changed(outcome=outcome, model=model)])
    labels = [dict(names) for names in found["wicket_requests_total"]]
    assert {names["model"] for names in labels} == {model}
    assert outcome in {names["outcome"] for names in labels}


def test_cascades_are_counted_by_who_answered_and_what_it_cost() -> None:
    mini = {"task": "t", "deployment": "mini/t", "cost_nanos": 0, "large_cost_nanos": 500}
    records = [
        changed(**mini),
        changed(**mini),
        changed(task="t", cost_nanos=700, large_cost_nanos=600),
        changed(task="t", api="chat.check", cost_nanos=50),
        changed(task="t", deployment="", outcome="cut", cost_nanos=30),
        changed(cost_nanos=9_999),
    ]
    found = page(records)
    assert value(found["wicket_cascade_requests_total"], by="mini") == "2"
    assert value(found["wicket_cascade_requests_total"], by="large") == "1"
    assert value(found["wicket_cascade_cost_usd_total"]) == "0.00000078"
    assert value(found["wicket_cascade_large_only_usd_total"]) == "0.00000163"
    assert value(found["wicket_cascade_saved_usd"]) == "0.00000085"


def test_the_watch_of_minis_is_shown() -> None:
    gauges = Gauges(
        cascades=[CascadeGauge("x", 0.97, 1), CascadeGauge("y", 2.0, 2)],
        checks={("x", "true"): 5, ("x", "unanswered"): 1},
        checks_dropped=3,
    )
    found = parsed(Metrics().render(gauges))
    shown = {(name, *sorted(text for _, text in labels)): value for (name, labels), value in found.items()}
    assert shown["wicket_cascade_floor", "x"] == "0.97" and shown["wicket_cascade_level", "y"] == "2"
    assert shown["wicket_checks_total", "true", "x"] == "5"
    assert shown["wicket_checks_total", "unanswered", "x"] == "1"
    assert shown["wicket_checks_dropped_total",] == "3"
    assert not [
        name for name, *_ in parsed(Metrics().render(Gauges())) if "cascade" in name or "check" in name
    ]


def test_gauges_are_shown() -> None:
    gauges = Gauges("0.1", 1, 2, 3, 4, False, 5, 6, {"compact": "ready", 'o"dd': "failed"})
    found = parsed(Metrics().render(gauges))
    plain = {name: text for (name, labels), text in found.items() if not labels}
    assert plain == {
        "wicket_in_flight": "1",
        "wicket_connections": "2",
        "wicket_workers": "3",
        "wicket_ledger_queued": "4",
        "wicket_ledger_open": "0",
        "wicket_ledger_records_total": "5",
        "wicket_ledger_faults_total": "6",
    }
    assert ("wicket_engine_state", frozenset({("engine", 'o"dd'), ("state", "failed")})) in found
    assert ("wicket_build_info", frozenset({("version", "0.1")})) in found


@pytest.mark.parametrize(
    ("number", "scale", "text"),
    [(0, 9, "0"), (1, 9, "0.000000001"), (-1_500, 3, "-1.5"), (10**12, 6, "1000000")],
)
def test_decimals(number: int, scale: int, text: str) -> None:
    assert decimal(number, scale) == text


def test_a_family_without_samples_is_left_out() -> None:
    assert family("wicket_x", "counter", "Nothing.", []) == ""
    assert family("wicket_x", "counter", "a\nb\\", [("", (), "1")]).startswith("# HELP wicket_x a\\nb\\\\\n")


@given(
    st.lists(
        st.builds(
            changed,
            key_id=st.integers(0, 2),
            status=st.sampled_from([200, 201]),
            is_stream=st.booleans(),
            usage=st.builds(Usage, st.integers(0, 9), st.integers(0, 9), is_estimated=st.booleans()),
            total_us=TIMES_US,
            first_token_us=TIMES_US | st.just(-1),
            attempts=st.just([]) | st.just([Attempt("mine/small", 500, "upstream_5xx"), *PLAIN.attempts]),
        ),
        max_size=60,
    )
)
def test_a_batch_counts_like_its_records_one_by_one(records: list[Record]) -> None:
    at_once, one_by_one = Metrics(), Metrics()
    for metrics in (at_once, one_by_one):
        metrics.declare(["small"], ["mine/small"])
    at_once.observe(records)
    for one in records:
        one_by_one.observe([one])
    assert at_once.render(Gauges()) == one_by_one.render(Gauges())
