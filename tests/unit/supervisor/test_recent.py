from tests.unit.supervisor.samples import record

from wicket.supervisor.recent import Recent


def test_marks_count_arrivals() -> None:
    recent = Recent()
    mark = recent.last
    recent.add([record(3), record(1)])
    assert [r.id for r in recent.after(mark)] == [3, 1]
    assert recent.after(recent.last) == []
    recent.add([record(2)])
    assert [r.id for r in recent.after(mark + 2)] == [2]


def test_the_oldest_are_forgotten() -> None:
    recent = Recent(max_kept=3)
    recent.add([record(n) for n in range(5)])
    assert recent.last == 5
    assert [r.id for r in recent.after(0)] == [2, 3, 4]
    assert [r.id for r in recent.after(99)] == []
