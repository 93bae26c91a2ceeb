"""The mean of the last steps' weights: what is counted, that it is taken, and that it survives a break."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from wicket.lab.saves import Save, load_means, write_save  # noqa: E402
from wicket.lab.techniques.average_weights import Average  # noqa: E402

SHARES = [0.0, 0.25, 0.5, 0.75]


def stepped(model: nn.Linear, value: float) -> None:
    with torch.no_grad():
        model.weight.fill_(value)


def test_the_tail_is_averaged_and_nothing_else() -> None:
    model = nn.Linear(2, 1)
    model.bias.requires_grad_(False)
    average, bias = Average(model, 0.5), model.bias.item()
    for value, share in enumerate(SHARES, start=1):
        stepped(model, float(value))
        average.note(share)
    assert average.num == 2 and set(average.means) == {"weight"}
    assert model.weight.tolist() == [[4.0, 4.0]], "training goes on from its own weights"
    average.take()
    assert model.weight.tolist() == [[3.5, 3.5]] and model.bias.item() == bias


def test_nothing_is_averaged_unasked() -> None:
    model = nn.Linear(2, 1)
    average = Average(model, 1.0)
    average.note(1.0)
    stepped(model, 4.0)
    average.take()
    assert average.num == 0 and model.weight.tolist() == [[4.0, 4.0]]


def test_it_goes_on_from_a_save(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    before = Average(model, 0.0)
    for value in (1.0, 2.0):
        stepped(model, value)
        before.note(0.5)
    write_save(tmp_path, model, optimizer, Save(num_averaged=before.num), before.means)
    after = Average(model, 0.0)
    after.resume(tmp_path, Save(num_averaged=before.num))
    stepped(model, 6.0)
    after.note(0.9)
    assert after.num == 3 and after.means["weight"].tolist() == [[3.0, 3.0]]
    assert load_means(tmp_path / "missing") == {}


def test_a_save_without_averages_begins_anew(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    write_save(tmp_path, model, torch.optim.AdamW(model.parameters()), Save())
    average = Average(model, 0.0)
    average.resume(tmp_path, Save())
    assert average.num == 0 and not average.means
