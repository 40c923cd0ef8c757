# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""PSPNet: the pyramid, its enlargement and the dropout."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from contrib_semiseg.models import PyramidNet
from tests.support.networks import Tiny, image, short


def tiny(**options):
    paddle.seed(0)
    return PyramidNet(num_classes=5, backbone=Tiny(), backbone_index=2,
                      channels=8, bins=[1, 2, 3], **options)


@pytest.mark.parametrize("align", [True, False])
def test_pyramid_stands_behind_its_input(align):
    net = tiny(pyramid_align_corners=align)
    net.eval()
    x = image(2, 6, 7, 9)
    out = net.pyramid(x)
    assert out.shape == [2, 6 + 3 * 8, 7, 9]
    np.testing.assert_array_equal(out[:, :6], x)
    for i, cells in enumerate((1, 2, 3)):
        level = net.pyramid.levels[i](F.adaptive_avg_pool2d(x, cells))
        assert level.shape == [2, 8, cells, cells]
        wanted = F.interpolate(level, [7, 9], mode="bilinear",
                               align_corners=align)
        np.testing.assert_array_equal(out[:, 6 + 8 * i:14 + 8 * i], wanted)


@pytest.mark.parametrize("channelwise", [True, False])
def test_dropout_stands_before_the_classifier(channelwise):
    net = tiny(dropout=0.5, dropout_channels=channelwise)
    read = []
    net.classifier.register_forward_pre_hook(
        lambda layer, inputs: read.append(inputs[0]))
    feature = net(image(8, 3, 33, 41),
                  outputs=["feature", "scores"])["feature"].numpy()
    dropped = read[0].numpy()
    gone = ((feature > 1e-6) & (dropped == 0)).reshape(64, -1)
    kept = (dropped > 0).reshape(64, -1)
    assert gone.any() and kept.any()
    np.testing.assert_allclose(dropped[dropped > 0],
                               2 * feature[dropped > 0], rtol=1e-5)
    both = (gone.any(axis=1) & kept.any(axis=1)).any()
    assert both != channelwise
    net.eval()
    out = net(image(8, 3, 33, 41), outputs=["feature", "scores"])
    np.testing.assert_array_equal(read[1], out["feature"])


def test_first_weights_of_the_head_are_uniform():
    paddle.seed(0)
    net = short("pspnet_resnet50_cac")
    layers = [(n, m) for n, m in net.named_sublayers()
              if isinstance(m, nn.Conv2D) and not n.startswith("backbone")]
    assert len(layers) == 4 + 1 + 1 + 2
    for name, layer in layers:
        limit = float(np.prod(layer.weight.shape[1:])) ** -0.5
        value = abs(layer.weight.numpy()).max()
        assert limit * 0.9 < value <= limit * (1 + 1e-6), name


def test_norms_outside_the_backbone():
    norms = [m for m in tiny(bn_momentum=0.3, bn_eps=1e-2).sublayers()
             if isinstance(m, nn.BatchNorm2D)]
    assert [(m._momentum, m._epsilon) for m in norms] == [(0.3, 1e-2)] * 4
