from wicket.supervisor.worker import MAX_SILENT_TICKS, Pulse


def test_a_worker_hangs_when_it_spoke_and_then_fell_silent() -> None:
    pulse = Pulse()
    assert not any(pulse.tick() for _ in range(2 * MAX_SILENT_TICKS))  # it never spoke: still starting
    pulse.beat()
    assert not any(pulse.tick() for _ in range(MAX_SILENT_TICKS - 1))
    pulse.beat()
    assert [pulse.tick() for _ in range(MAX_SILENT_TICKS)][-1]
