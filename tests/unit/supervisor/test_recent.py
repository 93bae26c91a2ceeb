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


def test_marks_and_the_bound_reach_across_batches() -> None:
    recent = Recent(max_kept=4)
    for batch in ([1, 2], [], [3], [4, 5, 6]):
        recent.add([record(n) for n in batch])
    assert recent.last == 6
    assert recent.after(0) == [record(n) for n in (3, 4, 5, 6)]
    assert [r.id for r in recent.after(3)] == [4, 5, 6]
    assert [r.id for r in recent.after(5)] == [6]
    recent.add([record(7)])
    assert [r.id for r in recent.after(2)] == [4, 5, 6, 7]
