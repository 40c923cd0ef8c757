# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Xception-65: strides, dilations, first weights and names."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.models import Xception65


@pytest.fixture(scope="module")
def published():
    """As published: stride 16."""
    paddle.seed(0)
    return Xception65()


def lazy(**options):
    with paddle.LazyGuard():
        return Xception65(**options)


def depthwise(block):
    return [(c.depthwise._dilation[0], c.depthwise._stride[0])
            for c in (block.sepconv1, block.sepconv2, block.sepconv3)]


def test_features_of_an_odd_size(published):
    found = [f.shape for f in published(paddle.zeros([1, 3, 33, 49]))]
    assert found == [[1, 256, 9, 13], [1, 256, 5, 7], [1, 728, 3, 4],
                     [1, 2048, 3, 4]]
    assert published.feat_channels == [s[1] for s in found]


def test_first_feature_may_be_negative(published):
    early = published(paddle.rand([1, 3, 33, 49]))[0]
    assert float(early.min()) < 0


@pytest.mark.parametrize("stride, options, third, middle, twentieth, last", [
    (32, {}, 2, 1, 2, 1),
    (16, {}, 2, 1, 1, 1),
    (16, {"exit_dilation": 2}, 2, 1, 1, 2),
    (8, {}, 1, 2, 1, 2),
    (8, {"exit_dilation": 2}, 1, 2, 1, 4),
])
def test_dilation_takes_the_place_of_strides(stride, options, third, middle,
                                             twentieth, last):
    net = lazy(output_stride=stride, **options)
    assert depthwise(net.block2) == [(1, 1), (1, 1), (1, 2)]
    assert depthwise(net.block3) == [(1, 1), (1, 1), (1, third)]
    for i in (4, 19):
        assert depthwise(getattr(net, f"block{i}")) == [(middle, 1)] * 3
    assert depthwise(net.block20) == [(middle, 1), (middle, 1),
                                      (middle, twentieth)]
    for part in (net.conv3, net.conv4, net.conv5):
        assert part.depthwise._dilation == [last, last]


@pytest.mark.parametrize("stride, sizes", [
    (32, [[9, 13], [5, 7], [3, 4], [2, 2]]),
    (8, [[9, 13], [5, 7], [5, 7], [5, 7]]),
])
def test_sizes_of_other_strides(stride, sizes):
    net = Xception65(output_stride=stride)
    with paddle.no_grad():
        found = net(paddle.zeros([1, 3, 33, 49]))
    assert [f.shape[2:] for f in found] == sizes


def test_first_weights_and_norms(published):
    value = published.conv5.pointwise.weight.numpy()
    np.testing.assert_allclose(value.std(), (2 / 2048) ** 0.5, rtol=0.03)
    value = published.conv4.depthwise.weight.numpy()
    # One filter a channel: 9 numbers out.
    np.testing.assert_allclose(value.std(), (2 / 9) ** 0.5, rtol=0.05)
    norm = published.block7.sepconv2.bn2
    assert (norm._momentum, norm._epsilon) == (0.9997, 1e-5)


def test_names_of_files():
    theirs = dict.fromkeys(["conv1.weight", "bn2.bias", "block4.x", "fc.bias",
                            "bn3.weight", "head.conv.weight"], 0)
    assert list(Xception65.rename(theirs)) == ["conv1.weight", "bn2.bias",
                                               "block4.x"]


def test_wrong_arguments():
    with pytest.raises(ArgumentError, match="8, 16, 32"):
        Xception65(output_stride=4)
