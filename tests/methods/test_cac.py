# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CAC: what the golden cases do not show."""

import numpy as np
import paddle
import pytest
from paddle import nn

from contrib_semiseg.cvlibs.errors import ArgumentError, ConfigError
from contrib_semiseg.engine import checkpoint
from contrib_semiseg.engine.optimizer import SGD
from contrib_semiseg.methods import cac, memory
from contrib_semiseg.methods.base import Step
from contrib_semiseg.models import SmallResNet
from tests.support.pairs import CELLS, COUNT, SIZE, batch, method, network

FIRST = Step(it=0, total=9)
SHAPE = (COUNT, SIZE, SIZE)


def scalars(terms):
    return {k: float(v) for k, v in terms.items() if k[:4] != "show"}


def trained(found, given, step=FIRST):
    """Terms of a step, after its backward pass."""
    terms = found(given, step)
    found.total_loss(terms).backward()
    return terms


def gradients(layer):
    return {k: p.grad for k, p in layer.named_parameters()
            if not p.stop_gradient}


def surely_one_class(found):
    """The network sees the second class everywhere, more or less surely."""
    nn.initializer.Assign(np.array([0.0, 9.0]))(found.model.classifier.bias)


def no_overlap(given):
    for view in cac.VIEWS:
        given["unlabeled"][f"{view}_overlap"] *= 0


@pytest.mark.parametrize("options", [
    {}, {"conf_thresh": 0.75}, {"numerics": "logsumexp"}, {"step_save": 0},
    {"temperature": 0.02}])
@pytest.mark.parametrize("label", [
    None, np.ones(SHAPE, int), np.zeros(SHAPE, int), np.full(SHAPE, 255)],
    ids=["two", "foreground", "background", "ignored"])
@pytest.mark.parametrize("one_class", [False, True])
def test_losses_and_gradients_stay_finite(options, label, one_class):
    found = method(**options)
    if one_class:
        surely_one_class(found)
    for seed in range(3):
        terms = scalars(trained(found, batch(label, seed)))
        assert all(np.isfinite(v) for v in terms.values()), terms
        if label is not None and (label == 255).all():
            assert terms["loss_sup"] == 0
        if one_class and options.get("numerics") == "logsumexp":
            assert terms["loss_contrast1"] == terms["loss_contrast2"] == 0
    for name, grad in gradients(found).items():
        assert np.isfinite(grad.numpy()).all(), name


@pytest.mark.parametrize("change, options", [
    (no_overlap, {}), (lambda given: None, {"conf_thresh": 1.0})])
def test_steps_in_which_nothing_learns(change, options):
    found, given = method(**options), batch()
    change(given)
    terms = scalars(trained(found, given))
    assert terms["loss_contrast1"] == terms["loss_contrast2"] == 0
    assert terms["mask_ratio"] == 0 and terms["loss_sup"] > 0
    # Zeros and not none, so that weight decay goes on as in the release.
    for grad in gradients(found.model.embedding).values():
        assert grad is not None and not grad.numpy().any()
    assert len(found.memory) == 2 * CELLS


def test_before_its_epoch_only_labelled_images_are_shown():
    found, given = method(start_epoch=2), batch()
    seen = []
    found.model.register_forward_pre_hook(
        lambda layer, inputs: seen.append(inputs[0]))
    terms = trained(found, given, Step(it=5, total=9, epoch=1))
    assert list(terms) == ["loss_sup"] and len(seen) == 1
    assert len(found.memory) == 0
    assert all(g is None for g in gradients(found.model.embedding).values())
    terms = trained(found, given, Step(it=6, total=9, epoch=2))
    assert set(terms) == {"loss_sup", "loss_contrast1", "loss_contrast2",
                          "mask_ratio", "show_image", "show_pseudo_label"}
    # One pass each, in this order.
    assert len(seen) == 4
    for got, (stream, name) in zip(seen[1:], (
            ("labeled", "img"), ("unlabeled", "view1"),
            ("unlabeled", "view2"))):
        np.testing.assert_array_equal(got, given[stream][name])
    assert all(g is not None for g in gradients(found.model).values())


def test_the_contrast_does_not_move_the_classifier():
    found = method(criterion=lambda out, label: paddle.zeros([]))
    terms = trained(found, batch())
    assert float(terms["loss_contrast1"]) > 0
    assert all(g is None or not g.numpy().any() for g in
               gradients(found.model.classifier).values())
    for part in (found.model.embedding, found.model.backbone):
        assert all(g.numpy().any() for g in gradients(part).values())


def test_weights_are_those_of_the_directions():
    given = batch()
    values = []
    for weight in (0.1, 0.3):
        paddle.seed(1)
        values.append(scalars(method(contrast_weight=weight)(given, FIRST)))
    for k in "12":
        assert values[1][f"loss_contrast{k}"] == pytest.approx(
            3 * values[0][f"loss_contrast{k}"], rel=1e-4)
    # Without a threshold every cell of the overlap learns in one direction.
    assert values[0]["mask_ratio"] == 1


@pytest.mark.parametrize("step_save", [0, 2])
@pytest.mark.parametrize("selected_num", [None, 5])
def test_the_memory_takes_cells_of_both_views(step_save, selected_num):
    found = method(step_save=step_save, selected_num=selected_num)
    each = selected_num or CELLS
    assert found.memory.capacity == 2 * each * (step_save + 1)
    lengths = []
    for seed in range(4):
        found(batch(seed=seed), FIRST)
        lengths.append(len(found.memory))
    assert lengths == [2 * each * min(k, step_save + 1) for k in (1, 2, 3, 4)]
    rows = found.memory.rows("feature")
    assert rows.stop_gradient
    np.testing.assert_allclose((rows**2).sum(axis=1), 1, rtol=1e-5)
    assert len(np.unique(rows.numpy()[-each:], axis=0)) > 1
    picks = found.draw(CELLS).numpy()
    assert len(picks) == len(set(picks)) == each and max(picks) < CELLS
    assert picks.tolist() != sorted(picks)


def test_cells_of_all_processes_are_remembered(monkeypatch):
    monkeypatch.setattr(memory, "processes", lambda: 3)
    monkeypatch.setattr(cac, "processes", lambda: 3)
    assert method(step_save=1).memory.capacity == 3 * 2 * 2 * CELLS


def test_a_checkpoint_of_another_memory_starts_an_empty_one(tmp_path):
    def saved(found):
        return found, SGD()(found, 0.1)

    first, optimizer = saved(method(step_save=1))
    for seed in range(3):
        first(batch(seed=seed), FIRST)
    path = checkpoint.save(tmp_path, step=1, method=first,
                           optimizer=optimizer)
    same, optimizer = saved(method(network(), step_save=1))
    head = checkpoint.load(path, method=same, optimizer=optimizer)
    assert head["notes"] == [] and len(same.memory) == 4 * CELLS
    np.testing.assert_array_equal(same.memory.rows("feature"),
                                  first.memory.rows("feature"))
    other, optimizer = saved(method(network(), step_save=2))
    head = checkpoint.load(path, method=other, optimizer=optimizer)
    note, = head["notes"]
    assert note.startswith(f"memory starts empty: that of the checkpoint has "
                           f"{4 * CELLS} rows, this run's has {6 * CELLS} (")
    assert len(other.memory) == 0
    assert not other.memory.feature.numpy().any()
    np.testing.assert_array_equal(other.model.classifier.weight,
                                  first.model.classifier.weight)


@pytest.mark.parametrize("stride", [4, 8, 16])
def test_features_are_averaged_over_a_cell(stride):
    found = method(stride=stride)
    assert found.pool == stride // 4
    terms = found(batch(), FIRST)
    assert terms["show_pseudo_label"].shape == [
        COUNT, SIZE // stride, SIZE // stride]


def test_construction_leaves_the_network_as_it_was():
    model = network()
    model.train()
    before = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    method(model)
    assert model.training and model.backbone.training
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("make, message", [
    (lambda: nn.Conv2D(3, 3, 1), "model.type = Conv2D has no projection head"),
    (lambda: network(embedding=None), "model.type = DeepLabV3Plus has no "
     "projection head, which .*; set model.embedding: projection"),
    (lambda: network(embedding="representation"), "has no projection head"),
    (lambda: network(backbone=SmallResNet(), backbone_indices=[3]),
     "has a feature of 4 x 4 for 64 x 64 pixels; allowed: a stride that "
     "divides 8"),
])
def test_networks_that_cannot_be_used(make, message):
    with pytest.raises(ConfigError, match=message) as caught:
        method(make())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options, message", [
    ({"selected_num": CELLS + 1}, rf"selected_num = {CELLS + 1} .*null or at "
     rf"most {CELLS}: {COUNT} views of 4 x 4 cells"),
    ({"selected_num": 0}, "selected_num"), ({"step_save": -1}, "step_save"),
    ({"temperature": 0}, "temperature"), ({"conf_thresh": 1.5}, "conf_thresh"),
    ({"numerics": "float64"}, "allowed: release, logsumexp"),
])
def test_values_that_are_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        method(**options)


def test_all_cells_may_be_selected():
    assert method(selected_num=CELLS).selected_num == CELLS
