# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""FixMatch, UniMatch and DSSN: what the golden cases do not show."""

import functools

import numpy as np
import paddle
import pytest
from paddle import nn

from contrib_semiseg.cvlibs.errors import ArgumentError, ConfigError
from contrib_semiseg.methods import strong_views, teacher
from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.dssn import DSSN
from contrib_semiseg.methods.fixmatch import FixMatch
from contrib_semiseg.methods.unimatch import UniMatch
from tests.support import strong

LATER = Step(it=50, total=100, epoch=5, epochs=10)


def build(kind, **options):
    paddle.seed(0)
    networks = ({"make_model": strong.network} if kind is DSSN else
                {"model": strong.network()})
    method = kind(**networks, criterion=strong.criterion(), **options)
    method.train()
    return method


def scalars(terms):
    return {k: float(v) for k, v in terms.items() if k[:4] != "show"}


def padding_only(batch):
    for stream in ("unlabeled", "source"):
        batch[stream]["valid"] = paddle.zeros_like(batch[stream]["valid"])


def all_ignored(batch):
    batch["labeled"]["label"] = paddle.full_like(batch["labeled"]["label"],
                                                 255)


def one_class(batch):
    batch["labeled"]["label"] = paddle.zeros_like(batch["labeled"]["label"])


@pytest.mark.parametrize("kind, options", [
    (FixMatch, {"conf_thresh": 1.0}), (FixMatch, {"conf_thresh": 0.0}),
    (FixMatch, {"unlabeled_loss": "dice", "conf_thresh": 1.0}),
    (UniMatch, {"conf_thresh": 1.0}), (UniMatch, {}),
    (DSSN, {"floor": 1.0}), (DSSN, {"align_masked": True}),
    (DSSN, {"selection": "threshold", "conf_thresh": 1.0})])
@pytest.mark.parametrize("change", [padding_only, all_ignored, one_class])
def test_losses_and_gradients_stay_finite(kind, options, change):
    method, batch = build(kind, **options), strong.batch()
    change(batch)
    terms = method(batch, LATER)
    values = scalars(terms)
    assert all(np.isfinite(v) for v in values.values()), values
    if change is all_ignored:
        assert values["loss_sup"] == 0
    if change is padding_only or 1.0 in options.values():
        assert values["mask_ratio"] == 0
        assert values["loss_strong1"] == 0
    method.total_loss(terms).backward()
    assert all(np.isfinite(p.grad.numpy()).all()
               for p in method.parameters() if p.grad is not None)


def test_logits_that_are_equal_for_all_classes_can_be_aligned():
    method = build(DSSN)
    nn.initializer.Constant(0.0)(method.student.classifier.weight)
    nn.initializer.Constant(0.0)(method.student.classifier.bias)
    terms = method(strong.batch(), LATER)
    assert float(terms["loss_align_image"]) == 0
    method.total_loss(terms).backward()
    grad = method.student.classifier.weight.grad.numpy()
    assert np.isfinite(grad).all()


def _rows_seen(network, run):
    seen = []
    handle = network.register_forward_pre_hook(
        lambda layer, inputs: seen.append((len(inputs[0]), layer.training)))
    out = run()
    handle.remove()
    return seen, out


@pytest.mark.parametrize("boxes, rows", [
    (((False, False), (True, False)), 1), (((True, True), (False, True)), 2),
    (((False, False), (False, False)), None)])
def test_sources_that_no_box_shows_are_not_predicted(boxes, rows,
                                                     monkeypatch):
    results = []
    for leave_out in (True, False):
        if not leave_out:
            monkeypatch.setattr(
                strong_views, "predict_rows",
                lambda net, images, used: teacher.predict(net, images))
        method = build(UniMatch, conf_thresh=0.0)
        paddle.seed(1)
        batch = strong.batch(boxes)
        seen, terms = _rows_seen(
            method.model, functools.partial(method, batch, LATER))
        if leave_out:
            source = [r for r, training in seen if not training]
            assert source == ([] if rows is None else [rows])
        results.append(scalars(terms))
    for name, value in results[0].items():
        assert value == pytest.approx(results[1][name], rel=1e-5), name


def test_the_dropped_streams_of_dssn_differ():
    x = paddle.ones([64, 8, 2, 2])
    first, second = (p(x).numpy() for p in build(DSSN).perturb)
    assert not np.array_equal(first, second)


def test_warm_up_of_dssn():
    method, batch = build(DSSN, warmup_iters=2, warmup_epochs=0), \
        strong.batch()
    before = method.teacher.classifier.weight.numpy().copy()
    seen, terms = _rows_seen(
        method.teacher, lambda: method(batch, Step(it=1, total=9)))
    assert not seen and "loss_strong1" not in terms
    assert "loss_align_image" in terms
    method.after_step(Step(it=1, total=9))
    for name, value in method.teacher.state_dict().items():
        np.testing.assert_array_equal(
            value, method.student.state_dict()[name])
    assert not np.array_equal(before, method.teacher.classifier.weight)
    assert "loss_strong1" in method(batch, Step(it=2, total=9))


@pytest.mark.parametrize("mode, modes", [
    ("first_epoch", [True, True]), ("eval", [False, False])])
def test_mode_of_the_teacher_in_the_first_epoch(mode, modes):
    method = build(DSSN, teacher_mode=mode, warmup_iters=0)
    seen, _ = _rows_seen(method.teacher, lambda: method(
        strong.batch(), Step(it=3, total=9, epoch=0)))
    assert [training for _, training in seen] == modes
    assert method.teacher.training
    seen, _ = _rows_seen(method.teacher, lambda: method(strong.batch(), LATER))
    assert [training for _, training in seen] == [False, False]


def test_the_teacher_has_no_gradient_and_is_saved():
    method = build(DSSN)
    assert all(p.stop_gradient for p in method.teacher.parameters())
    assert any(k.startswith("teacher.") for k in method.state_dict())
    assert build(DSSN).eval_network() is not build(
        DSSN, evaluated="teacher").eval_network()
    method = build(DSSN, evaluated="teacher")
    assert method.eval_network() is method.teacher


def test_aligning_only_what_both_views_show():
    method = build(DSSN, align_masked=True, warmup_iters=0)
    batch = strong.batch(((True, False), (True, False)))
    # Everything outside the box is padding: nothing is left to align.
    batch["unlabeled"]["valid"] = batch["unlabeled"]["mask1"].squeeze(
        1).astype("bool")
    terms = method(batch, LATER)
    assert float(terms["loss_align_image"]) == 0
    assert float(terms["loss_align_feature"]) > 0


def test_ema_without_buffers():
    one, two = strong.network(), strong.network()
    two.backbone.stem[1]._mean.set_value(
        paddle.ones_like(two.backbone.stem[1]._mean))
    teacher.ema_update(one, two, 0.0, buffers=False)
    np.testing.assert_array_equal(one.classifier.weight,
                                  two.classifier.weight)
    assert not one.backbone.stem[1]._mean.numpy().any()


@pytest.mark.parametrize("kind", [UniMatch, DSSN])
def test_a_network_without_features_is_refused(kind):
    plain = nn.Conv2D(3, 3, 1)
    networks = ({"make_model": lambda: plain} if kind is DSSN else
                {"model": plain})
    with pytest.raises(ConfigError, match="Conv2D has no features to perturb"):
        kind(**networks, criterion=None)


@pytest.mark.parametrize("kind, options", [
    (FixMatch, {"conf_thresh": 1.5}), (UniMatch, {"feature_dropout": -0.1}),
    (DSSN, {"keep_rate": 2}), (DSSN, {"selection": "quantile"})])
def test_values_out_of_range_are_refused(kind, options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        build(kind, **options)
