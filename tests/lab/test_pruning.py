"""Pruning: what is planted as useless goes first, and then nothing changes."""

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from tests.lab.tiny_decoder import SHAPE, decoder, logits, material  # noqa: E402

from wicket.errors import OperatorFault  # noqa: E402
from wicket.lab.listening import input_norms, starts  # noqa: E402
from wicket.lab.llama import MATRICES, Layer, Llama  # noqa: E402
from wicket.lab.techniques import prune_depth, prune_weights, prune_width, share_layers  # noqa: E402

BATCH = material().calibration[0]


def layers(model: Llama) -> list[Layer]:
    return [layer for layer in model.layers if isinstance(layer, Layer)]


def test_a_layer_that_does_nothing_is_the_first_to_go() -> None:
    model = decoder()
    with torch.no_grad():
        layers(model)[2].parts["o"].zero_()
        layers(model)[2].parts["down"].zero_()
    before = logits(model, BATCH)
    report = prune_depth.apply(model, prune_depth.Options(layers=1), material())
    assert report.removed == [2] and report.influence[2] == pytest.approx(0, abs=1e-6)
    assert min(report.influence[:2] + report.influence[3:]) > 1e-3
    assert model.shape.num_layers == len(model.layers) == 3
    assert torch.equal(logits(model, BATCH), before)


def test_the_ends_stay_and_too_many_are_refused() -> None:
    model = decoder()
    assert prune_depth.apply(model, prune_depth.Options(layers=2), material()).removed == [1, 2]
    with pytest.raises(OperatorFault, match="1 of 2 layers"):
        prune_depth.apply(model, prune_depth.Options(layers=1), material())


def test_dead_neurons_heads_and_channels_go_without_a_trace() -> None:
    model = decoder()
    dead_neurons, dead_channels = list(range(0, 96, 3)), [5, 17, 40, 63]
    head = SHAPE.head_size
    with torch.no_grad():
        for layer in layers(model):
            layer.parts["up"][dead_neurons] = 0
            layer.parts["o"][:, : 2 * head] = 0  # the first group's output is not read …
            layer.parts["v"][:head] = 0  # … and nothing
            layer.parts["o"][dead_channels] = 0
            layer.parts["down"][dead_channels] = 0
        model.top["embed"][:, dead_channels] = 0
    before = logits(model, BATCH)
    options = prune_width.Options(ffn=64, kv_heads=1)
    report = prune_width.apply(model, options, material())
    assert (report.ffn, report.kv_heads, report.hidden) == ((96, 64), (2, 1), None)
    assert (model.shape.ffn, model.shape.num_heads, model.shape.num_kv_heads) == (64, 2, 1)
    torch.testing.assert_close(logits(model, BATCH), before, rtol=1e-4, atol=1e-4)
    prune_width.apply(model, prune_width.Options(hidden=60), material())
    assert model.shape.hidden == 60 and model.top["embed"].shape == (SHAPE.vocab_size, 60)
    factor = (64 / 60) ** 0.5  # RMS norms see the mean over fewer channels
    with torch.no_grad():
        for layer in layers(model):
            layer.parts["attn_norm"].mul_(factor)
            layer.parts["ffn_norm"].mul_(factor)
        model.top["norm"].mul_(factor)
    torch.testing.assert_close(logits(model, BATCH), before, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("options", [{"ffn": 96}, {"kv_heads": 3}, {"hidden": 64}])
def test_a_size_that_is_no_reduction_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(OperatorFault, match=next(iter(options))):
        prune_width.apply(decoder(), prune_width.Options(**options), material())


def test_input_norms_are_those_of_a_plain_loop() -> None:
    model, batches = decoder(), material().calibration
    found = input_norms(model, layers(model)[0], starts(model, batches))
    states: list[torch.Tensor] = []
    with torch.no_grad():
        for batch in batches:
            x = model.embedded(batch.ids)
            normed = torch.nn.functional.rms_norm(
                x, (SHAPE.hidden,), layers(model)[0].parts["attn_norm"], SHAPE.norm_epsilon
            )
            states += list(normed.reshape(-1, SHAPE.hidden))
    naive = torch.stack(states).norm(dim=0)
    torch.testing.assert_close(found["q"], naive, rtol=1e-4, atol=1e-4)
    assert tuple(found) == MATRICES


def test_wanda_keeps_per_row_what_weighs_most_times_what_it_reads_from_the_pruned_layers_before() -> None:
    model, whole = decoder(), decoder()
    report = prune_weights.apply(model, prune_weights.Options(share=0.25, is_kept=False), material())
    assert report.zeros == pytest.approx(0.25, abs=0.01) and "no model faster" in report.note
    batches, before, after = material().calibration, dict(whole.matrices()), dict(model.matrices())
    states = starts(model, batches)
    for index, (pruned, unpruned) in enumerate(zip(layers(model), layers(whole), strict=True)):
        norms = input_norms(model, unpruned, states)
        for name in MATRICES:
            scores, weight = before[f"{index}.{name}"].abs() * norms[name], after[f"{index}.{name}"]
            for row, kept in zip(scores.tolist(), (weight != 0).tolist(), strict=True):
                least_kept = min(value for value, is_kept in zip(row, kept, strict=True) if is_kept)
                most_gone = max(value for value, is_kept in zip(row, kept, strict=True) if not is_kept)
                assert most_gone <= least_kept
                assert kept.count(False) == len(row) // 4
        with torch.no_grad():
            states = [(model.block(pruned, x, turns), turns) for x, turns in states]


def test_magnitude_may_compare_the_weights_of_a_whole_matrix() -> None:
    model, before = decoder(), dict(decoder().matrices())
    by = prune_weights.Options(by="magnitude", share=0.5, among="matrix", is_kept=False)
    report = prune_weights.apply(model, by, material())
    assert report.zeros == pytest.approx(0.5, abs=0.01)
    for name, weight in model.matrices():
        sizes = before[name].abs()
        assert sizes[weight == 0].max() <= sizes[weight != 0].min()
    assert len({int(count) for count in (layers(model)[0].parts["up"] == 0).sum(1)}) > 1


def test_a_pattern_leaves_two_of_four_and_zeros_stay_in_training() -> None:
    model = decoder()
    prune_weights.apply(model, prune_weights.Options(by="magnitude", pattern="2:4"), material())
    weight = layers(model)[0].weight("gate")
    assert ((weight != 0).reshape(96, -1, 4).sum(-1) == 2).all()
    with torch.no_grad():
        layers(model)[0].parts["gate"].add_(1.0)
    assert ((layers(model)[0].weight("gate") != 0) == (weight != 0)).all()
    model.settle()
    assert not layers(model)[0].through and ((layers(model)[0].parts["gate"] != 0) == (weight != 0)).all()


@pytest.mark.parametrize("options", [{"share": 0.0}, {"share": 1.0}, {"pattern": "4:2"}, {"pattern": "2:7"}])
def test_shares_and_patterns_of_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(OperatorFault):
        prune_weights.apply(decoder(), prune_weights.Options(**options), material())


def test_sharing_equal_layers_changes_nothing_but_the_count() -> None:
    model = decoder()
    for first, second in ((0, 1), (2, 3)):
        layers(model)[second].load_state_dict(layers(model)[first].state_dict())
    before, num = logits(model, BATCH), model.num_parameters()
    report = share_layers.apply(model, share_layers.Options(times=2), material())
    assert (report.num_layers, report.num_distinct) == (4, 2)
    assert torch.equal(logits(model, BATCH), before)
    assert model.num_parameters() < 0.7 * num
    share_layers.unshare(model)
    assert model.num_parameters() == num and torch.equal(logits(model, BATCH), before)
    with pytest.raises(OperatorFault, match="4 layers"):
        share_layers.apply(model, share_layers.Options(times=3), material())


def test_repeated_layers_are_computed_twice() -> None:
    model = decoder()
    num = model.num_parameters()
    report = share_layers.apply(model, share_layers.Options(how="repeat"), material())
    assert (report.num_layers, report.num_distinct) == (8, 4) and model.num_parameters() == num
    assert model.shape.num_layers == 8
