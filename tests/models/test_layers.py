# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Laws of initial weights, padding, dropout and separable convolutions."""

import numpy as np
import paddle
import pytest
from paddle import nn

from contrib_semiseg.models.layers import (
    batch_norm,
    conv,
    conv_norm_relu,
    dropout_layers,
)


@pytest.mark.parametrize("init, std", [
    ("kaiming", (2 / (32 * 9)) ** 0.5),
    ("kaiming_fan_out", (2 / (64 * 9)) ** 0.5),
    ("gaussian", 0.01),
])
def test_normal_laws(init, std):
    paddle.seed(0)
    value = conv(32, 64, 3, init=init).weight.numpy()
    np.testing.assert_allclose(value.std(), std, rtol=0.03)
    assert abs(value.mean()) < 5 * std / np.sqrt(value.size)
    assert abs(value).max() > 3 * std


def test_uniform_law_and_bias():
    paddle.seed(0)
    layer = conv(32, 64, 3, bias=True, init="uniform")
    bound = (32 * 9) ** -0.5
    for value in (layer.weight.numpy(), layer.bias.numpy()):
        assert abs(value).max() <= bound * (1 + 1e-6)
        assert abs(value).max() > bound * (1 - 12 / value.size)
        assert value.min() < 0 < value.max()
    zero = conv(32, 64, 3, bias="zero", init="uniform")
    assert (zero.bias.numpy() == 0).all()
    assert conv(32, 64, 3).bias is None


def test_fans_are_those_of_a_group():
    paddle.seed(0)
    value = conv(4096, 4096, 3, groups=4096).weight.numpy()
    np.testing.assert_allclose(value.std(), (2 / 9) ** 0.5, rtol=0.03)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride, dilation", [(1, 1), (1, 6), (2, 1), (2, 2)])
def test_size_is_rounded_up(kernel, stride, dilation):
    layer = conv(2, 3, kernel, stride=stride, dilation=dilation)
    for height, width in ((33, 49), (32, 47)):
        out = layer(paddle.zeros([1, 2, height, width]))
        assert out.shape[2:] == [-(-height // stride), -(-width // stride)]


def test_norm_factory():
    norm = batch_norm(momentum=0.6, eps=1e-2)(7)
    assert (norm._momentum, norm._epsilon) == (0.6, 1e-2)
    assert norm.weight.shape == [7]


@pytest.mark.parametrize("channelwise", [True, False])
def test_dropout_of_elements_or_of_maps(channelwise):
    paddle.seed(0)
    drop, = dropout_layers(0.25, channelwise)
    out = drop(paddle.ones([4, 100, 5, 5])).numpy()
    assert set(np.unique(out)) == {np.float32(0), np.float32(4 / 3)}
    assert 0.65 < (out > 0).mean() < 0.85
    maps = out.reshape(400, 25)
    # A map is gone or kept as one, or almost never.
    whole = maps.min(axis=1) == maps.max(axis=1)
    assert whole.all() if channelwise else whole.mean() < 0.01
    drop.eval()
    assert (drop(paddle.ones([1, 2, 3, 3])).numpy() == 1).all()
    assert dropout_layers(0, channelwise) == []


def test_separable_is_depthwise_and_1x1():
    layer = conv_norm_relu(6, 4, 3, norm=batch_norm(), separable=True,
                           bias=True, init="uniform")
    first, second, norm, relu = layer
    assert (first.weight.shape, first._groups) == ([6, 1, 3, 3], 6)
    assert (second.weight.shape, second._groups) == ([4, 6, 1, 1], 1)
    assert first.bias is not None and second.bias is not None
    assert isinstance(norm, nn.BatchNorm2D) and isinstance(relu, nn.ReLU)
