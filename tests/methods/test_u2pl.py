# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""U2PL: what the golden cases do not show."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError, ConfigError
from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.batch_mixing import BatchMixing
from tests.support import tiny_u2pl

FIRST = Step(it=0, total=40, epoch=0, epochs=4, iters_per_epoch=10)
COPY = Step(it=10, total=40, epoch=1, epochs=4, iters_per_epoch=10)
LATER = Step(it=25, total=40, epoch=2, epochs=4, iters_per_epoch=10)


def build(**options):
    method = tiny_u2pl.method(**options)
    method.train()
    return method


def scalars(terms):
    return {k: float(v) for k, v in terms.items() if k[:4] != "show"}


def weights(network):
    return {name: value.numpy().copy()
            for name, value in network.state_dict().items()}


def is_statistic(name):
    return name.endswith(("_mean", "_variance"))


def all_ignored(method, batch):
    batch["labeled"]["label"] = paddle.full_like(batch["labeled"]["label"],
                                                 255)


def no_pseudo_label(method, batch):
    shape = batch["labeled"]["label"].shape
    method.mix = BatchMixing("cutout", 1, num_classes=4, ignore_index=255)
    method.mix.draw = lambda label: paddle.ones([shape[0], 1, *shape[1:]])


def one_class(method, batch):
    batch["labeled"]["label"] = paddle.zeros_like(batch["labeled"]["label"])
    method.teacher.pred.weight.set_value(paddle.zeros([4, 12, 1, 1]))
    method.teacher.pred.bias.set_value(paddle.to_tensor([9., 0, 0, 0]))


def nothing_kept(method, batch):
    method.drop_percent = 0


def empty_banks(method, batch):
    method.contrast.rule["largest"] = 0.0


@pytest.mark.parametrize("mode", ["upstream", "paper"])
@pytest.mark.parametrize("change, zero, more", [
    (all_ignored, "sup", "unsup"), (no_pseudo_label, "unsup", "sup"),
    (one_class, "contrast", "sup"), (nothing_kept, "unsup", "contrast"),
    (empty_banks, "contrast", "unsup")])
def test_losses_and_gradients_stay_finite(mode, change, zero, more):
    method = build(contrast_mode=mode, sup_only_epoch=0)
    batch = tiny_u2pl.batch()
    change(method, batch)
    step = Step(it=25, total=400, epoch=0, epochs=10, iters_per_epoch=40)
    for _ in range(2):
        terms = method(batch, step)
        values = scalars(terms)
        assert all(np.isfinite(v) for v in values.values()), values
        assert values[f"loss_{zero}"] == 0 < values[f"loss_{more}"]
        method.total_loss(terms).backward()
        assert all(np.isfinite(p.grad.numpy()).all()
                   for p in method.parameters() if p.grad is not None)


def test_warm_up_learns_from_labels_alone():
    method, batch = build(), tiny_u2pl.batch()
    before = weights(method.teacher)
    batch["unlabeled"] = {"img": None}
    terms = method(batch, FIRST)
    assert set(terms) == {"loss_sup", "loss_contrast"}
    assert float(terms["loss_contrast"]) == 0
    method.total_loss(terms).backward()
    # A gradient of zeros, so that the optimizer decays this head too.
    assert method.student.rep.weight.grad is not None
    assert not method.student.rep.weight.grad.numpy().any()
    method.after_step(FIRST)
    for name, value in weights(method.teacher).items():
        assert np.array_equal(value, before[name]) != is_statistic(name), name
    assert method.teacher.modes == ["train"]
    assert method.eval_network() is method.student


def test_the_copy_epoch_leaves_the_statistics():
    method, batch = build(), tiny_u2pl.batch()
    method.student.b1._mean.set_value(paddle.full([6], 7.0))
    before = weights(method.student)
    method.teacher.modes.clear()
    method(batch, COPY)
    assert method.teacher.modes == ["eval", "train"]
    for name, value in weights(method.teacher).items():
        assert np.array_equal(value, before[name]) != is_statistic(name), name
    method.student.pred.bias.set_value(paddle.full([4], 3.0))
    last = Step(it=19, total=40, epoch=1, epochs=4, iters_per_epoch=10)
    method.after_step(last)
    assert method.teacher.pred.bias.tolist() == [3.0] * 4
    assert method.eval_network() is method.teacher
    method.student.pred.bias.set_value(paddle.zeros([4]))
    method.after_step(LATER)
    keep = 1 - 1 / 16
    np.testing.assert_allclose(method.teacher.pred.bias, 3 * keep, rtol=1e-6)


def test_the_teacher_has_no_gradient():
    method = build()
    assert all(p.stop_gradient for p in method.teacher.parameters())
    assert not any(p.stop_gradient for n, p in
                   method.student.named_parameters() if not is_statistic(n))


@pytest.mark.parametrize("kind", ["cutmix", "cutout", "classmix"])
def test_one_draw_decides_for_a_batch(kind):
    label = paddle.randint(0, 4, [3, 16, 12])
    mixing = BatchMixing(kind, 0.5, num_classes=4, ignore_index=255)
    np.random.seed(0)
    drawn = [mixing.draw(label) for _ in range(300)]
    share = np.mean([mask is not None for mask in drawn])
    assert abs(share - 0.5) < 0.1
    masks = np.stack([np.asarray(m).astype(bool) for m in drawn
                      if m is not None])
    assert masks.shape[1:] == (3, 1, 16, 12)
    assert (masks.any(axis=(2, 3, 4)) & ~masks.all(axis=(2, 3, 4))).all()
    assert (masks[:, 0] == masks[:, 1]).all(axis=(1, 2, 3)).mean() < 0.1
    never = BatchMixing(kind, 0.0, num_classes=4, ignore_index=255)
    assert never.draw(label) is None
    assert never(label, label) == (label, label)
    assert BatchMixing("none", 1.0, num_classes=4,
                       ignore_index=255).draw(label) is None


def test_classes_that_stay_are_the_images_own():
    label = paddle.to_tensor([[[0, 1, 2]], [[3, 4, 5]]])
    mixing = BatchMixing("classmix", 1.0, num_classes=6, ignore_index=255)
    images, mixed = mixing(label.unsqueeze(1).expand([2, 3, 1, 3]), label)
    own = (mixed == label).astype("int64").sum(axis=[1, 2])
    assert own.tolist() == [1, 1], "one of three classes"
    np.testing.assert_array_equal(images[:, 0], mixed)


@pytest.mark.parametrize("options, weight", [
    ({}, 0.25), ({"contrast_weight": 1.0, "divide_contrast": True}, 1.0)])
def test_weight_of_the_contrast(options, weight):
    assert build(**options).contrast_weight == weight


def test_terms_carry_their_weights():
    values = []
    for factor in (1, 3):
        method = build(unsup_weight=factor, contrast_weight=factor,
                       strong="none")
        paddle.seed(1)
        values.append(scalars(method(tiny_u2pl.batch(), LATER)))
    for name, factor in (("sup", 1), ("unsup", 3), ("contrast", 3)):
        assert values[1][f"loss_{name}"] == pytest.approx(
            factor * values[0][f"loss_{name}"], rel=1e-5)
        assert values[0][f"loss_{name}"] > 0


@pytest.mark.parametrize("mode", ["upstream", "paper"])
def test_two_classes_train(mode):
    method = build(num_classes=2, contrast_mode=mode)
    batch = tiny_u2pl.batch(classes=2)
    losses = [scalars(method(batch, LATER))["loss_contrast"]
              for _ in range(3)]
    assert min(losses) > 0


def test_memories_are_saved_and_told():
    method = build()
    method(tiny_u2pl.batch(), LATER)
    state = method.state_dict()
    rows = [int(v) for k, v in state.items() if k.endswith("appended")]
    assert len(rows) == 4 and sum(rows) > 0
    assert state["contrast.memory.queues.0.feature"].shape == [60, 6]
    line, = method.notes()
    assert "4 classes, at most 180 rows of 6 numbers" in line


def test_a_network_without_embedding_is_refused():
    plain = paddle.nn.Conv2D(3, 3, 1)
    with pytest.raises(ConfigError, match="Conv2D has no embedding.*model.emb"):
        tiny_u2pl.method(plain, plain)


@pytest.mark.parametrize("options", [
    {"strong": "blur"}, {"low_rank": 4}, {"drop_percent": 101},
    {"bank_rows": 0}, {"contrast_mode": "fixed"}, {"bank_device": "gpu"}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        build(**options)
