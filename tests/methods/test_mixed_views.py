# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Mean teacher and ClassMix: what the golden cases do not show."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.classmix import ClassMix
from contrib_semiseg.methods.mean_teacher import MeanTeacher
from contrib_semiseg.methods.mixed_views import MixedViews
from contrib_semiseg.methods.pseudo_labels import (
    WEIGHTS,
    pixel_weight,
    sigmoid_ramp,
)
from tests.support import strong

STEP = Step(it=3, total=9)


def build(kind=MeanTeacher, **options):
    paddle.seed(0)
    method = kind(make_model=strong.network, criterion=strong.criterion(),
                  num_classes=strong.CLASSES, **options)
    method.train()
    return method


def batch():
    paddle.seed(1)
    shape = [2, 3, strong.SIZE, strong.SIZE]
    label = paddle.randint(0, strong.CLASSES, [2, *shape[2:]])
    return {"labeled": {"img": paddle.randn(shape), "label": label},
            "unlabeled": {"img": paddle.randn(shape)}}


def statistics(network):
    return {n: v.numpy().copy() for n, v in network.state_dict().items()
            if n.endswith(("_mean", "_variance"))}


def scalars(terms):
    return {k: float(v) for k, v in terms.items() if k[:4] != "show"}


def all_ignored(data):
    data["labeled"]["label"] = paddle.full_like(data["labeled"]["label"], 255)


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("kind, options", [
    (MeanTeacher, {}), (MeanTeacher, {"consistency": "mse"}),
    (MeanTeacher, {"mask": "cut"}), (MeanTeacher, {"mask": "cow"}),
    (ClassMix, {"conf_thresh": 1.0}), (ClassMix, {"mirror_prob": 1.0})])
def test_losses_and_gradients_stay_finite(kind, options, weight):
    method, data = build(kind, pixel_weight=weight, **options), batch()
    all_ignored(data)
    terms = method(data, STEP)
    values = scalars(terms)
    assert values["loss_sup"] == 0
    assert all(np.isfinite(v) for v in values.values()), values
    if options.get("conf_thresh") == 1.0:
        assert values["mask_ratio"] == 0
        assert (values["loss_consistency"] == 0) == (
            weight == "threshold_uniform")
    method.total_loss(terms).backward()
    grads = [p.grad for p in method.student.parameters()
             if p.grad is not None]
    assert grads and all(np.isfinite(g.numpy()).all() for g in grads)
    assert all(p.grad is None for p in method.teacher.parameters())


def test_one_class_alone_stays_as_it_is():
    method, data = build(ClassMix, mixed_transforms=[]), batch()
    bias = method.teacher.classifier.bias
    bias.set_value(paddle.to_tensor([50.0] + [0.0] * (strong.CLASSES - 1)))
    terms = method(data, STEP)
    # None of one class is drawn: every pixel shows the next image.
    np.testing.assert_array_equal(
        terms["show_image"], data["unlabeled"]["img"].flip(axis=[0]))


@pytest.mark.parametrize("kind, options, changed", [
    (MeanTeacher, {}, 0), (MeanTeacher, {"mask": "none"}, 0),
    (MeanTeacher, {"mask": "cut"}, 1), (MeanTeacher, {"mask": "cow"}, 1),
    (MeanTeacher, {"mask": "class"}, 1), (ClassMix, {}, 1)])
def test_the_mask_of_each_kind(kind, options, changed):
    np.random.seed(0)
    method, data = build(kind, mixed_transforms=[], **options), batch()
    terms = method(data, STEP)
    own = data["unlabeled"]["img"]
    shown = terms["show_image"]
    from_own = (shown == own).all(axis=1)
    from_next = (shown == own.flip(axis=[0])).all(axis=1)
    assert bool((from_own | from_next).all())
    assert bool((~from_own).any()) == bool(changed)
    assert bool(from_own.any())


def test_images_and_soft_labels_move_together():
    np.random.seed(0)
    views = MixedViews("cut", [], 1.0, num_classes=3)
    logits = paddle.randn([3, 3, 10, 12])
    view = views(logits, logits)
    # The images are the logits: their softmax has gone the same way.
    np.testing.assert_allclose(
        paddle.nn.functional.softmax(view.images, axis=1), view.probability,
        rtol=1e-5)
    np.testing.assert_array_equal(view.images.argmax(axis=1), view.label)
    mirrored = logits.flip(axis=[3])
    kept = ~view.mask.astype("bool").flip(axis=[3]).expand_as(logits)
    np.testing.assert_array_equal(view.images.numpy()[kept.numpy()],
                                  mirrored.numpy()[kept.numpy()])
    again = views(logits, logits, view.mask)
    np.testing.assert_array_equal(again.images, view.images)


@pytest.mark.parametrize("mask", ["cut", "cow"])
def test_each_image_has_a_mask_of_its_own(mask):
    np.random.seed(0)
    views = MixedViews(mask, [], 0.0, num_classes=3)
    one, two, three = views.mixing.draw(paddle.zeros([3, 20, 30], "int64"))
    assert bool((one != two).any()) and bool((two != three).any())


def test_a_cut_may_be_as_wide_as_the_image():
    np.random.seed(0)
    views = MixedViews("cut", [], 0.0, num_classes=3)
    label = paddle.zeros([400, 4, 6], "int64")
    wide = views.mixing.draw(label).numpy().any(axis=2).sum(axis=-1)
    assert set(wide.ravel().tolist()) == {4, 5, 6}


def test_colours_use_the_normalisation():
    class Spy:
        def draw(self, rng, shape):
            return 1

        def apply(self, images, drawn):
            self.seen = images
            return images

    images = paddle.randn([2, 3, 8, 8])
    for normalization, mean, std in (
        (None, 0, 1 / 255), (([.1, .2, .3], [.5, .5, .5]),
                             np.array([.1, .2, .3])[:, None, None], 0.5)):
        spy = Spy()
        MixedViews("none", [spy], 0.0, num_classes=3,
                   normalization=normalization)(images, images)
        np.testing.assert_allclose(spy.seen, images.numpy() * std + mean,
                                   rtol=1e-4, atol=1e-6)


def test_the_default_colours_are_those_of_the_release():
    ops = build().views.transforms
    assert [type(op).__name__ for op in ops] == ["BatchColorJitter",
                                                 "BatchGaussianBlur"]
    assert (ops[0].prob, ops[1].prob) == (0.8, 0.5)
    assert ops[0].ranges == ((.75, 1.25),) * 3 + ((-.25, .25),)


@pytest.mark.parametrize("options, own_moves, evaluates", [
    ({}, True, "student"),
    ({"teacher_mode": "eval", "teacher_buffers": "averaged",
      "evaluated": "teacher"}, False, "teacher"),
    ({"teacher_buffers": "averaged"}, True, "student")])
def test_norms_of_the_teacher(options, own_moves, evaluates):
    method, data = build(**options), batch()
    before = statistics(method.teacher)
    method(data, STEP)
    after = statistics(method.teacher)
    assert own_moves == any((after[k] != v).any() for k, v in before.items())
    averaged = "teacher_buffers" in options
    method.after_step(STEP)
    student, last = statistics(method.student), statistics(method.teacher)
    for name, value in last.items():
        expected = (0.75 * after[name] + 0.25 * student[name] if averaged
                    else after[name])
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-7)
    assert method.eval_network() is getattr(method, evaluates)


def test_the_teacher_starts_as_the_student_and_follows():
    method = build(ema_decay=0.6)
    own, other = method.student, method.teacher
    name = "classifier.weight"
    np.testing.assert_array_equal(own.state_dict()[name],
                                  other.state_dict()[name])
    start = own.classifier.weight.numpy().copy()
    own.classifier.weight.set_value(paddle.to_tensor(start + 1))
    method.after_step(Step(it=1, total=9))
    np.testing.assert_allclose(other.classifier.weight, start + 0.5,
                               rtol=1e-5)
    method.after_step(Step(it=8, total=9))  # the limit holds: 0.6
    np.testing.assert_allclose(other.classifier.weight, start + 0.7,
                               rtol=1e-5)
    assert all(p.stop_gradient for p in other.parameters())


def test_labelled_and_mixed_images_pass_apart():
    method, data, seen = build(), batch(), []
    method.student.register_forward_pre_hook(
        lambda layer, inputs: seen.append(inputs[0]))
    terms = method(data, STEP)
    assert [len(x) for x in seen] == [2, 2]
    np.testing.assert_array_equal(seen[0], data["labeled"]["img"])
    np.testing.assert_array_equal(seen[1], terms["show_image"])


@pytest.mark.parametrize("consistency", ["ce", "mse"])
def test_weights_of_pixels_and_term(consistency):
    values = {}
    for weight, factor in (("none", 1.0), ("none", 3.0), ("sigmoid", 1.0),
                           ("threshold_uniform", 1.0)):
        np.random.seed(0)
        method = build(consistency=consistency, pixel_weight=weight,
                       consistency_weight=factor, conf_thresh=0.4,
                       ramp_iters=6, mixed_transforms=[], mask="cut")
        values[weight, factor] = scalars(method(batch(), STEP))
    plain = values["none", 1.0]["loss_consistency"]
    assert plain > 0
    for key, factor in ((("none", 3.0), 3.0),
                        (("sigmoid", 1.0), sigmoid_ramp(3, 6)),
                        (("threshold_uniform", 1.0),
                         values["none", 1.0]["mask_ratio"])):
        assert values[key]["loss_consistency"] == pytest.approx(
            factor * plain, rel=1e-4), key
    assert 0 < values["none", 1.0]["mask_ratio"] < 1


def test_weights_by_hand():
    conf = paddle.to_tensor([[[0.5, 0.9], [1.0, 0.7]]])
    rule = dict(conf_thresh=0.9, ramp_iters=10)
    assert float(pixel_weight("threshold_uniform", conf, 0, **rule)) == 0.5
    np.testing.assert_allclose(
        pixel_weight("confidence_power", conf, 0, **rule),
        conf.numpy()**6, rtol=1e-6)
    assert pixel_weight("none", conf, 0, **rule) == 1.0
    assert pixel_weight("sigmoid", conf, 12, **rule) == 1.0
    assert pixel_weight("sigmoid", conf, 5, **rule) == pytest.approx(
        np.exp(-1.25))


@pytest.mark.parametrize("options", [
    {"mask": "box"}, {"conf_thresh": 2}, {"consistency": "kl"},
    {"pixel_weight": False}, {"mirror_prob": -1}, {"evaluated": "both"},
    {"teacher_buffers": "own", "teacher_mode": "eval"}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        build(**options)
