"""Peak-EWMA jumps up and falls slowly; a percentile needs enough samples."""

from wicket.routing.latency import MIN_SAMPLES, TAU_US, WINDOW, PeakEwma, Window

TAU = int(TAU_US)


def test_a_peak_counts_at_once_and_fades() -> None:
    mean = PeakEwma()
    assert mean.now(5) == 0
    mean.add(100_000, TAU)
    mean.add(900_000, TAU + 1)
    assert mean.now(TAU + 1) == 900_000
    mean.add(100_000, TAU + 2)
    assert 899_000 < mean.now(TAU + 2) < 900_000
    mean.add(100_000, TAU * 6)
    assert 100_000 < mean.now(TAU * 6) < 110_000
    assert mean.now(TAU * 20) < 1_000  # who is never asked looks fast in the end, and is asked


def test_a_wait_without_an_answer_only_raises() -> None:
    mean = PeakEwma()
    mean.at_least(50_000, 1)
    mean.at_least(20_000, 2)
    assert mean.now(2) == 49_999 or mean.now(2) == 50_000


def test_percentiles_come_from_the_last_samples() -> None:
    window = Window()
    for sample in range(1, MIN_SAMPLES):
        window.add(sample)
    assert window.share(0.5) == 0
    window.add(MIN_SAMPLES)
    assert window.share(0.5) == MIN_SAMPLES // 2 + 1 and window.share(1.0) == MIN_SAMPLES
    for _ in range(WINDOW):
        window.add(1_000)
    assert window.share(0.5) == window.share(0.0) == 1_000
