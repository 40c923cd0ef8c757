# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""DeepLabV2: outputs of the gated head, first weights, names of files."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from contrib_semiseg.models import DeepLabV2
from tests.support.networks import Tiny, image, short


@pytest.fixture(scope="module")
def gated():
    """CTT's network with a narrow head."""
    paddle.seed(0)
    return short("deeplabv2_resnet101_ctt")


def test_feature_has_length_one_but_the_classifier_reads_it_before(gated):
    gated.eval()
    x = image(2, 3, 33, 41)
    out = gated(x, outputs=["feature", "scores", "backbone"])
    feature = out["feature"]
    np.testing.assert_allclose((feature**2).sum(axis=1), 1, rtol=1e-5)
    whole = gated.pyramid(out["backbone"][3])
    assert not np.allclose((whole**2).sum(axis=1), 1, rtol=0.01)
    np.testing.assert_array_equal(gated.classifier(whole), out["scores"])
    np.testing.assert_array_equal(F.normalize(whole, axis=1), feature)


def test_dropout_of_whole_maps_is_part_of_the_feature(gated):
    gated.train()
    drops = [m for m in gated.sublayers()
             if isinstance(m, (nn.Dropout, nn.Dropout2D))]
    assert [type(d) for d in drops] == [nn.Dropout2D]
    assert drops[0].p == 0.1
    paddle.seed(0)
    feature = gated(image(8, 3, 33, 41), outputs=["feature"])["feature"]
    gone = (feature == 0).numpy().reshape(8 * 32, -1)
    assert 0.03 < gone.all(axis=1).mean() < 0.2
    assert (gone.all(axis=1) == gone.any(axis=1)).all()


def test_feature_of_the_sum_is_the_backbones():
    net = DeepLabV2(num_classes=5, backbone=Tiny(), backbone_index=1,
                    dilations=[1, 2, 3])
    net.eval()
    out = net(image(2, 3, 33, 41), outputs=["feature", "backbone", "scores"])
    np.testing.assert_array_equal(out["feature"], out["backbone"][1])
    parts = [layer(out["feature"]) for layer in net.classifier]
    assert len(parts) == 3
    np.testing.assert_allclose(sum(parts), out["scores"], atol=1e-7)


def uniform(value, fan_in):
    limit = fan_in ** -0.5
    return limit * (1 - 12 / value.size) < abs(value).max() <= limit * (
        1 + 1e-6) and value.min() < 0 < value.max()


def test_gated_head_starts_as_published(gated):
    """Normal weights; uniform biases of the branches and of the gate."""
    for layer in gated.sublayers():
        if isinstance(layer, nn.Conv2D):
            value = layer.weight.numpy()
            np.testing.assert_allclose(
                value.std(), 0.01, rtol=0.3 if value.size < 1000 else 0.05)
            assert value.size < 1000 or abs(value).max() > 0.025
    for branch in gated.pyramid.branches:
        fan_in = np.prod(branch[0].weight.shape[1:])
        assert uniform(branch[0].bias.numpy(), fan_in)
    for layer in (gated.pyramid.gate[0], gated.pyramid.gate[2]):
        for value in (layer.weight.numpy(), layer.bias.numpy()):
            assert uniform(value, layer.weight.shape[0])
    assert (gated.pyramid.project[0].bias.numpy() == 0).all()
    assert gated.classifier.bias is None


def test_gate_is_one_number_a_channel(gated):
    gate = gated.pyramid.gate
    # Five branches of 32 and a sixteenth of that.
    assert gate[0].weight.shape == [160, 10]
    assert gate[2].weight.shape == [10, 160]
    assert [b[0]._dilation[0] for b in gated.pyramid.branches] == [
        1, 6, 12, 18, 24]
    assert [b[1]._num_groups for b in gated.pyramid.branches] == [32] * 5


def test_groups_divide_any_width():
    for channels in (24, 33):
        net = DeepLabV2(num_classes=5, backbone=Tiny(), head="gated",
                        backbone_index=2, channels=channels, dilations=[1])
        assert net(image(2, 3, 33, 41))[0].shape == [2, 5, 33, 41]


def test_names_of_the_coco_file():
    theirs = ["conv1.weight", "layer1.0.bn1.running_mean",
              "layer5.conv2d_list.3.bias", "backbone.bn1.weight",
              "classifier.0.weight", "pyramid.gate.0.weight"]
    assert list(DeepLabV2.rename(dict.fromkeys(theirs, 0))) == [
        "backbone.conv1.weight", "backbone.layer1.0.bn1.running_mean",
        "classifier.3.bias", "backbone.bn1.weight", "classifier.0.weight",
        "pyramid.gate.0.weight"]
