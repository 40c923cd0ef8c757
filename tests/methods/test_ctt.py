# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CTT: what the golden cases do not show."""

import numpy as np
import paddle
import pytest
from paddle import nn

from contrib_semiseg.cvlibs.errors import ArgumentError, ConfigError
from contrib_semiseg.losses import bank_contrast, directional_contrast
from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.ctt import CTT
from contrib_semiseg.methods.peer_contrast import (
    PeerContrast,
    Seen,
    surest_pixels,
)
from contrib_semiseg.models import DeepLabV3Plus, SmallResNet
from tests.support import strong
from tests.support.recorded import Pixels

STEP = Step(it=3, total=9)
CLASSES = 3


def build(make_model=strong.network, **options):
    paddle.seed(0)
    method = CTT(make_model=make_model, criterion=strong.criterion(),
                 num_classes=CLASSES, **{"bank_rows": 2, **options})
    method.train()
    return method


def batch(size=strong.SIZE):
    paddle.seed(1)
    shape = [2, 3, size, size]
    return {"labeled": {"img": paddle.randn(shape), "label":
                        paddle.randint(0, CLASSES, [2, size, size])},
            "unlabeled": {"img": paddle.randn(shape)}}


def fill(method, rows=2):
    for bank in method.contrast.banks:
        for queue in bank.queues:
            queue.append(feature=paddle.randn(
                [rows, queue.feature.shape[1]]))


def scalars(terms):
    return {k: float(v) for k, v in terms.items() if k[:4] != "show"}


def sure_of_all(method, data):
    method.contrast.conf_thresh = 0.0


def sure_of_nothing(method, data):
    method.contrast.conf_thresh = 1.1


def all_ignored(method, data):
    data["labeled"]["label"] = paddle.full_like(data["labeled"]["label"], 255)


def nothing_at_all(method, data):
    all_ignored(method, data)
    sure_of_nothing(method, data)
    method.contrast.low_pixels = "directional"


def features_of_zeros(method, data):
    for student in (method.student_l, method.student_r):
        norm = student.last_conv[1][1]
        norm.weight.set_value(paddle.zeros_like(norm.weight))
        norm.bias.set_value(paddle.full_like(norm.bias, -1.0))


@pytest.mark.parametrize("change, zeros", [
    (sure_of_all, ("low_l", "low_r")), (sure_of_nothing, ()),
    (all_ignored, ("sup_l", "sup_r")),
    (nothing_at_all, ("sup_l", "sup_r", "high_l", "high_r", "low_l",
                      "low_r")),
    (features_of_zeros, ())])
def test_losses_and_gradients_stay_finite(change, zeros):
    method, data = build(), batch()
    fill(method)
    change(method, data)
    terms = method(data, STEP)
    values = scalars(terms)
    assert all(np.isfinite(v) for v in values.values()), values
    for name in ("sup", "high", "low"):
        for a in "lr":
            key = f"{name}_{a}"
            assert (values[f"loss_{key}"] == 0) == (key in zeros), key
    method.total_loss(terms).backward()
    for p in method.parameters():
        assert p.grad is None or (
            np.isfinite(p.grad.numpy()).all() and
            abs(p.grad.numpy()).max() < 1e4)
    method.after_step(STEP)


def test_empty_banks_have_no_terms_and_fill_from_the_teachers():
    method, data = build(bank_thresh=-1e6, bank_quota=1, bank_rows=1), batch()
    terms = method(data, STEP)
    assert not any("high" in k or "low" in k for k in terms)
    assert float(terms["bank_fill"]) == 0
    before = [queue.feature.numpy().copy() for bank in method.contrast.banks
              for queue in bank.queues]
    method.after_step(STEP)
    assert not method.labeled
    found = [len(queue) for bank in method.contrast.banks
             for queue in bank.queues]
    assert sum(found) and len(before) == 6
    assert float(method(data, STEP)["bank_fill"]) == pytest.approx(
        sum(found) / 6)


def test_both_weights_of_zero_leave_banks_and_terms_out():
    method, data = build(high_weight=0, low_weight=0), batch()
    terms = method(data, STEP)
    assert method.contrast is None
    assert {k for k in terms if k.startswith("loss")} == {
        f"loss_{name}_{a}" for name in ("sup", "cross") for a in "lr"}
    seen = []
    method.teacher_l.register_forward_pre_hook(
        lambda layer, inputs: seen.append(1))
    method.after_step(STEP)
    assert not seen, "a teacher without a bank does not look again"
    assert not any("bank" in name for name in method.state_dict())


@pytest.mark.parametrize("options, names", [
    ({"low_weight": 0}, {"high"}), ({"high_weight": 0}, {"low"})])
def test_terms_are_switched_by_weight(options, names):
    method, data = build(**options), batch()
    fill(method)
    found = {k.split("_")[1] for k in method(data, STEP)
             if k.startswith("loss")}
    assert found == {"sup", "cross"} | names


def test_terms_carry_their_weights():
    values = []
    for factor in (0.1, 0.3):
        method = build(high_weight=factor, low_weight=2 * factor,
                       consistency_weight=factor, mask="none",
                       pixel_weight="none", mixed_transforms=[])
        paddle.seed(2)
        fill(method)
        values.append(scalars(method(batch(), STEP)))
    for name in ("high", "low", "cross"):
        for a in "lr":
            first, second = (v[f"loss_{name}_{a}"] for v in values)
            assert first > 0 and second == pytest.approx(3 * first, rel=1e-4)


def test_each_level_has_its_weight():
    values = []
    for low in (0.1, 0.4):
        method = build(high_weight=0.2, low_weight=low, mask="none",
                       mixed_transforms=[])
        paddle.seed(2)
        fill(method)
        values.append(scalars(method(batch(), STEP)))
    for name, factor in (("high_l", 1), ("high_r", 1), ("low_l", 4),
                         ("low_r", 4)):
        first, second = (v[f"loss_{name}"] for v in values)
        assert second == pytest.approx(factor * first, rel=1e-4)


def test_students_differ_and_teachers_start_as_their_own():
    method = build()
    name = "classifier.weight"
    left, right = (s.state_dict()[name].numpy() for s in (method.student_l,
                                                          method.student_r))
    assert not np.array_equal(left, right)
    np.testing.assert_array_equal(
        left, method.teacher_l.state_dict()[name])
    np.testing.assert_array_equal(
        right, method.teacher_r.state_dict()[name])
    assert all(p.stop_gradient for p in method.teacher_l.parameters())


def test_teachers_follow_their_own_students():
    method = build(high_weight=0, low_weight=0)
    for student, value in ((method.student_l, 1.0), (method.student_r, 2.0)):
        student.classifier.bias.set_value(paddle.full([CLASSES], value))
    method.after_step(Step(it=0, total=9))
    assert method.teacher_l.classifier.bias.tolist() == [1.0] * CLASSES
    assert method.teacher_r.classifier.bias.tolist() == [2.0] * CLASSES


@pytest.mark.parametrize("shared", [False, True])
def test_masks_of_the_students(shared):
    np.random.seed(0)
    method, views = build(mask="cut", shared_mask=shared), []
    inner = method.views

    def spy(*args):
        views.append(inner(*args))
        return views[-1]

    method.views = spy
    method(batch(), STEP)
    same = np.array_equal(views[0].mask, views[1].mask)
    assert same == shared


def test_no_gradient_from_one_student_to_the_other():
    method, data = build(), batch()
    fill(method)
    terms = method(data, STEP)
    sum(v for k, v in terms.items() if k.startswith("loss") and
        k.endswith("_l")).backward()
    for p in method.student_r.parameters():
        assert p.grad is None or not p.grad.numpy().any()
    assert method.student_l.classifier.weight.grad.numpy().any()


def test_surest_pixels():
    # Two classes, one row of six pixels; the largest score decides.
    scores = paddle.to_tensor([[[[2.0, 3, 1, 5, 0, 0.5]],
                                [[0.0, 0, 2, 0, 4, 0.0]]]])
    label = paddle.to_tensor([[[0, 0, 0, 255, 1, 0]]])
    for quota, expected in ((1, [[1], [4]]), (2, [[1, 0], [4]]),
                            (3, [[0, 1], [4]])):
        found = surest_pixels(scores, label, least=0.9, quota=quota)
        assert [pixels.tolist() for pixels in found] == expected


@pytest.mark.parametrize("score, kept", [("logit", 1), ("softmax", 0)])
def test_the_score_that_a_pixel_needs(score, kept):
    contrast = PeerContrast(
        num_classes=2, ignore_index=255, width=4, rows=3, quota=2,
        score=score, least=0.95, conf_thresh=0.5, temperatures=(.1, .5),
        low_pixels="all", weights={})
    scores = paddle.to_tensor([2.0, 1.0]).reshape([1, 2, 1, 1])
    contrast.remember(0, {"scores": scores, "feature":
                          paddle.ones([1, 4, 1, 1])},
                      paddle.zeros([1, 5, 5], "int64"))
    assert len(contrast.banks[0].queues[0]) == kept


def seen_by(contrast, count=40):
    """Both students' maps of a bank of random, filled features."""
    paddle.seed(3)
    for bank in contrast.banks:
        for queue in bank.queues:
            queue.append(feature=paddle.randn([queue.capacity, 4]))
    seen = []
    for _ in range(2):
        maps = [paddle.randn([1, d, 1, count]) for d in (4, 4, 2)]
        for x in maps[:2]:
            x.stop_gradient = False
        seen.append(Seen(*maps, paddle.rand([1, 1, count]),
                         paddle.randint(0, 2, [1, 1, count])))
    return seen


def test_blocks_give_what_the_whole_gives(monkeypatch):
    contrast = PeerContrast(
        num_classes=2, ignore_index=255, width=4, rows=6, quota=2,
        score="logit", least=0.95, conf_thresh=0.5, temperatures=(.1, .5),
        low_pixels="all", weights={})
    label, values = paddle.randint(0, 2, [1, 1, 40]), []
    seen = seen_by(contrast)
    for chunk in (3, 1000):
        monkeypatch.setattr(bank_contrast, "_CHUNK", chunk)
        monkeypatch.setattr(directional_contrast, "_CHUNK", chunk)
        total = contrast.high(0, seen, label) + contrast.low(0, seen)
        total.backward()
        values.append([float(total), *(x.grad.numpy().copy() for x in (
            seen[0].labeled, seen[0].unlabeled))])
        for x in (seen[0].labeled, seen[0].unlabeled):
            x.clear_gradient()
    for one, two in zip(*values):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_of_equally_sure_students_the_second_one_follows():
    contrast = PeerContrast(
        num_classes=2, ignore_index=255, width=4, rows=6, quota=2,
        score="logit", least=0.95, conf_thresh=0.75, temperatures=(.1, .5),
        low_pixels="directional", weights={})
    # Pixels: equal and sure, equal and unsure, the first surer, the second.
    scores = paddle.to_tensor([[[3.0, 0.1, 4.0, 2.0]], [[3.0, 0.1, 2.0, 4.0]]]
                              ).unsqueeze([1, 2])
    seen = [Seen(None, None, paddle.concat([s, paddle.zeros_like(s)], axis=1),
                 None, None) for s in scores]
    assert contrast.peer_is_surer(0, *seen).flatten().tolist() == [
        False, False, False, True]
    assert contrast.peer_is_surer(1, *seen[::-1]).flatten().tolist() == [
        True, False, True, False]


def test_an_auxiliary_head_is_supervised():
    def network():
        return DeepLabV3Plus(
            num_classes=CLASSES, backbone=SmallResNet(
                channels=[4, 6, 8, 8, 8]), aspp="branch_norm",
            aspp_channels=8, aspp_rates=[1, 2], low_channels=4,
            decoder_channels=8, aux_index=2, aux_channels=4)

    method, seen = build(network), []
    method.criterion = lambda outputs, label: seen.append(
        [list(x.shape) for x in outputs]) or outputs[0].sum()
    method(batch(), STEP)
    assert seen == [[[2, CLASSES, strong.SIZE, strong.SIZE]] * 2] * 2


def test_weights_of_one_students_backbone(tmp_path, monkeypatch):
    from contrib_semiseg.methods import features
    asked = []
    monkeypatch.setattr(features, "load_pretrained", lambda layer, name,
                        rename: asked.append((layer, name)))
    method = build(pretrained_r="other.pth")
    assert asked[0][1] is None and asked[1][1] == "other.pth"
    assert asked[1][0] is method.student_r.backbone


@pytest.mark.parametrize("name", ["student_l", "student_r", "teacher_l",
                                  "teacher_r"])
def test_the_network_that_is_evaluated(name):
    method = build(evaluated=name)
    assert method.eval_network() is getattr(method, name)


def test_features_have_the_width_of_the_bank():
    assert Pixels(4, 7).feature_width == 7
    queue = build().contrast.banks[1].queues[2]
    assert queue.feature.shape == [2, 8]


def test_a_network_without_features_is_refused():
    with pytest.raises(ConfigError, match="Conv2D has no features to contr"):
        build(lambda: nn.Conv2D(3, 3, 1))


@pytest.mark.parametrize("options", [
    {"low_pixels": "some"}, {"bank_rows": 0}, {"temperatures": [0.1]},
    {"bank_score": "prob"}, {"evaluated": "student"}, {"mask": None},
    {"teacher_buffers": "own", "teacher_mode": "eval"}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        build(**options)
