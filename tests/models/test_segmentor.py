# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What all networks share: outputs by name, perturbed copies, heads."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.models import DeepLabV2, DeepLabV3Plus, PyramidNet
from tests.support.networks import Tiny, image

_PLUS = dict(backbone_indices=[0, 2], aspp_rates=[1, 2], aspp_channels=8,
             low_channels=3, decoder_channels=7)
_PROJECTION = dict(embedding="projection", embedding_channels=[6, 4])
_AUX = dict(aux_index=1, aux_channels=6)
# Constructor, arguments, feature's channels and size, embedding's channels.
KINDS = {
    "joint_norm": (DeepLabV3Plus, _PLUS, [7, 8, 10], None),
    "projection": (DeepLabV3Plus, dict(
        _PLUS, aspp="branch_norm", **_PROJECTION, **_AUX), [7, 8, 10], 4),
    "representation": (DeepLabV3Plus, dict(
        _PLUS, aspp="branch_norm", embedding="representation",
        embedding_channels=[6, 4], **_AUX), [7, 8, 10], 4),
    "sum": (DeepLabV2, dict(head="sum", dilations=[1, 2], backbone_index=2),
            [6, 4, 5], None),
    "gated": (DeepLabV2, dict(head="gated", dilations=[1, 2], channels=8,
                              backbone_index=2), [8, 4, 5], None),
    "pyramid": (PyramidNet, dict(channels=8, bins=[1, 2], backbone_index=2,
                                 **_PROJECTION, **_AUX), [8, 4, 5], 4),
}
WITH_AUX = [k for k, (_, options, *_) in KINDS.items() if "aux_index" in
            options]
X = (2, 3, 33, 41)


def build(kind, **options):
    paddle.seed(0)
    make, own, *_ = KINDS[kind]
    net = make(num_classes=5, backbone=Tiny(), **{**own, **options})
    net.eval()
    return net


def expected(kind, rows):
    """Shapes of the outputs for X, where `rows` rows are decoded."""
    _, own, feature, embedding = KINDS[kind]
    shapes = {"logits": [rows, 5, 33, 41], "scores": [rows, 5, *feature[1:]],
              "feature": [rows, *feature]}
    if embedding:
        shapes["embedding"] = [rows, embedding, *feature[1:]]
    if "aux_index" in own:
        shapes["aux"] = [2, 5, 4, 5]
    shapes["backbone"] = [[2, 4, 8, 10], [2, 5, 4, 5], [2, 6, 4, 5]]
    return shapes


def shapes_of(out):
    return {k: [f.shape for f in v] if k == "backbone" else v.shape
            for k, v in out.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_by_name(kind):
    net, wanted = build(kind), expected(kind, 2)
    assert net.output_names() == list(wanted)
    assert net.embedding_width == KINDS[kind][3]
    out = net(image(*X), outputs=list(wanted))
    assert shapes_of(out) == wanted
    for name in wanted:
        alone = net(image(*X), outputs=[name])
        assert list(alone) == [name]
        if name != "backbone":
            np.testing.assert_array_equal(alone[name], out[name])
    np.testing.assert_array_equal(net(image(*X))[0], out["logits"])
    direct = F.interpolate(out["scores"], X[2:], mode="bilinear",
                           align_corners=True)
    np.testing.assert_array_equal(direct, out["logits"])


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_parameter(kind):
    net = build(kind)
    net.train()
    names = [n for n in net.output_names() if n not in ("backbone", "feature")]
    out = net(image(*X), outputs=names)
    sum((v**2).mean() for v in out.values()).backward()
    for name, p in net.named_parameters():
        if not p.stop_gradient:
            assert p.grad is not None and float(p.grad.abs().sum()) > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_align_corners_is_of_the_logits(kind):
    x = image(*X)
    out = build(kind, align_corners=False)(x, outputs=["scores", "logits"])
    direct = F.interpolate(out["scores"], X[2:], mode="bilinear",
                           align_corners=False)
    np.testing.assert_array_equal(direct, out["logits"])
    assert not np.allclose(build(kind)(x)[0], out["logits"], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_perturbed_rows_follow_the_clean_ones(kind):
    net, x = build(kind), image(*X)
    names = net.output_names()
    plain = net(x, outputs=names)
    out = net(x, outputs=names, perturb=[lambda f: f * 0, lambda f: f + 1,
                                         lambda f: f])
    assert shapes_of(out) == expected(kind, 8)
    zero, one = ([f * 0 for f in plain["backbone"]],
                 [f + 1 for f in plain["backbone"]])
    for name in set(names) - {"aux", "backbone"}:
        clean, zeros, ones, same = out[name].chunk(4)
        for value in (clean, same):
            np.testing.assert_allclose(value, plain[name], atol=1e-6)
        # Nothing but the taps was perturbed.
        for value, features in ((zeros, zero), (ones, one)):
            net.backbone.forward = lambda _, features=features: features
            wanted = net(x, outputs=[name])[name]
            np.testing.assert_allclose(value, wanted, atol=1e-6)
            assert not np.allclose(wanted, plain[name], atol=1e-4), name
        del net.backbone.forward
    for name in set(names) & {"aux"}:
        np.testing.assert_array_equal(out[name], plain[name])


def test_logits_of_perturbed_rows_without_names():
    net, x = build("projection"), image(*X)
    net.train()
    logits, aux = net(x, perturb=[lambda f: f])
    assert (logits.shape, aux.shape) == ([4, 5, 33, 41], [2, 5, 33, 41])


@pytest.mark.parametrize("kind", KINDS)
def test_every_copy_of_every_tap_has_its_own_draw(kind):
    masks = []

    def drop(feature):
        masks.append(F.dropout2d(paddle.ones_like(feature), 0.5))
        return feature * masks[-1]

    net, x = build(kind), image(8, 3, 33, 41)
    clean, first, second = net(x, perturb=[drop, drop])[0].chunk(3)
    assert len(masks) == 2 * len(net.taps)
    for a, b in ((clean, first), (clean, second), (first, second)):
        assert not np.allclose(a, b, atol=1e-4)
    rows = [m[:, :4, 0, 0].numpy().tolist() for m in masks]
    assert all(a != b for i, a in enumerate(rows) for b in rows[:i])


@pytest.mark.parametrize("kind", KINDS)
def test_auxiliary_logits_in_training_alone(kind):
    net, x = build(kind), image(*X)
    assert [v.shape for v in net(x)] == [[2, 5, 33, 41]]
    net.train()
    both = net(x)
    assert [v.shape for v in both] == [[2, 5, 33, 41]] * (
        2 if kind in WITH_AUX else 1)
    assert list(net(x, outputs=["logits"])) == ["logits"]


@pytest.mark.parametrize("kind", WITH_AUX)
def test_auxiliary_head_reads_its_feature(kind):
    net, x = build(kind), image(*X)
    out = net(x, outputs=["aux", "backbone"])
    np.testing.assert_array_equal(net.aux(out["backbone"][1]), out["aux"])
    weight = net.aux[0][0].weight
    assert weight.shape == [6, 5, 3, 3]
    net.train()
    paddle.seed(3)
    logits = net(x)[1]
    paddle.seed(3)
    scores = net(x, outputs=["aux"])["aux"]
    np.testing.assert_array_equal(net.enlarge(scores, X[2:]), logits)


def test_embeddings_of_two_kinds():
    net, x = build("projection"), image(*X)
    out = net(x, outputs=["feature", "embedding"])
    np.testing.assert_array_equal(net.embedding(out["feature"]),
                                  out["embedding"])
    # The other one reads what the classifier's 3x3s read.
    net = build("representation")
    joined = []
    net.last_conv.register_forward_pre_hook(
        lambda layer, inputs: joined.append(inputs[0]))
    out = net(x, outputs=["embedding"])
    assert joined[0].shape == [2, 11, 8, 10]
    np.testing.assert_array_equal(net.embedding(joined[0]), out["embedding"])


@pytest.mark.parametrize("kind, name", [
    ("sum", "embedding"), ("gated", "aux"), ("joint_norm", "embedding"),
    ("pyramid", "fetures")])
def test_output_that_is_not_there(kind, name):
    with pytest.raises(ArgumentError) as caught:
        build(kind)(image(*X), outputs=["logits", name])
    assert str(caught.value) == (
        f"outputs = '{name}' is not allowed; allowed: " +
        ", ".join(build(kind).output_names()))


@pytest.mark.parametrize("kind, options, message", [
    ("joint_norm", {"backbone_indices": [0, 3]},
     "backbone_indices = [0, 3] is not allowed; allowed: 0 to 2, the "
     "features of Tiny"),
    ("joint_norm", {"backbone_indices": []}, "backbone_indices = []"),
    ("projection", {"aux_index": 3},
     "aux_index = 3 is not allowed; allowed: null or 0 to 2"),
    ("pyramid", {"aux_index": 7}, "aux_index = 7"),
    ("pyramid", {"backbone_index": 3}, "backbone_index = 3 is not"),
    ("sum", {"backbone_index": 4}, "backbone_index = 4 is not"),
    ("sum", {"head": "mean"}, "head = 'mean'"),
    ("pyramid", {"embedding": "representation"}, "allowed: null, projection"),
])
def test_wrong_arguments(kind, options, message):
    with pytest.raises(ArgumentError) as caught:
        build(kind, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)
