"""Energy: the processor's meter with its overflow, and the estimate where there is none."""

import time
from pathlib import Path

import pytest

from wicket.lab.energy import Meter, packages

RANGE = 1_000_000


def domain(root: Path, place: str, name: str, energy: int) -> Path:
    folder = root / f"intel-rapl:{place}"
    folder.mkdir(parents=True)
    for file, value in (("name", name), ("max_energy_range_uj", RANGE), ("energy_uj", energy)):
        (folder / file).write_text(f"{value}\n")
    return folder / "energy_uj"


def test_packages_are_added_up_and_a_counter_may_begin_again(tmp_path: Path) -> None:
    first, second = domain(tmp_path, "0", "package-0", 100), domain(tmp_path, "1", "package-1", 999_000)
    cores = domain(tmp_path, "0:0", "core", 5)
    assert len(packages(tmp_path)) == 2
    meter = Meter(watts=7.0, root=tmp_path)
    for _ in range(2):
        meter.start()
        first.write_text("500100")
        second.write_text("1000")
        cores.write_text("900000")
        meter.stop()
        first.write_text("100")
        second.write_text("999000")
    found = meter.found(num_tokens=8)
    assert (found.source, found.watts, found.num_tokens) == ("rapl", None, 8)
    assert found.joules == pytest.approx(2 * (0.5 + 0.002))
    assert found.joules_per_token == pytest.approx(found.joules / 8)


@pytest.mark.parametrize("spoilt", ["nothing", "not a number", "no range"])
def test_without_a_meter_it_is_an_estimate_and_says_so(tmp_path: Path, spoilt: str) -> None:
    if spoilt != "nothing":
        counter = domain(tmp_path, "0", "package-0", 100)
        if spoilt == "not a number":
            counter.write_text("")
        else:
            (counter.parent / "max_energy_range_uj").unlink()
    meter = Meter(watts=7.0, root=tmp_path)
    meter.start()
    before = time.process_time()
    sum(range(100_000))
    least = time.process_time() - before
    meter.stop()
    found = meter.found(num_tokens=10)
    assert found.source == "estimate" and found.watts == 7.0
    assert found.joules >= 7.0 * least and found.joules_per_token == found.joules / 10
