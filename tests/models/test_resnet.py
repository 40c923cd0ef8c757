# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""ResNet: strides, dilations, first weights and names of torch files.

Its numbers are pinned by the golden vectors.
"""

import numpy as np
import paddle
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.models import ResNet
from contrib_semiseg.models.backbones.resnet import layer_layout

_ONES = [1, 1, 1]
_SMALL = [1, 1, 1, 1]


def layout(output_stride, first_dilation="previous", grid=_ONES,
           dilations=None, blocks=(3, 4, 6, 3)):
    return layer_layout(blocks=blocks, output_stride=output_stride,
                        dilations=dilations, multi_grid=grid,
                        first_dilation=first_dilation)


@pytest.mark.parametrize("stride, first, third, fourth", [
    (32, "previous", (2, [1] * 6), (2, [1, 1, 1])),
    (32, "own", (2, [1] * 6), (2, [1, 1, 1])),
    (16, "previous", (2, [1] * 6), (1, [1, 2, 2])),
    (16, "own", (2, [1] * 6), (1, [2, 2, 2])),
    (8, "previous", (1, [1] + [2] * 5), (1, [2, 4, 4])),
    (8, "own", (1, [2] * 6), (1, [4, 4, 4])),
])
def test_dilation_takes_the_place_of_strides(stride, first, third, fourth):
    assert layout(stride, first) == [
        (1, [1] * 3), (2, [1] * 4), third, fourth]


@pytest.mark.parametrize("stride, first, grid, fourth", [
    (16, "own", [1, 2, 4], [2, 4, 8]),
    (8, "own", [1, 2, 4], [4, 8, 16]),
    (8, "previous", [2, 2, 4], [4, 8, 16]),
    (16, "previous", [1, 2, 4], [1, 4, 8]),
    # Without a stride left out there is no dilation to multiply.
    (32, "own", [1, 2, 4], [1, 1, 1]),
])
def test_grid_multiplies_the_last_layer_alone(stride, first, grid, fourth):
    rows = layout(stride, first, grid)
    assert rows[3][1] == fourth
    assert rows[:3] == layout(stride, first)[:3]


def test_grid_of_shorter_and_longer_layers():
    assert layout(16, "own", [1, 2, 4], blocks=_SMALL)[3] == (1, [2])
    assert layout(16, "own", [1, 2, 4], blocks=[1, 1, 1, 5])[3] == (
        1, [2, 4, 8, 8, 8])


@pytest.mark.parametrize("first, rates", [
    ("own", [[3], [5], [7], [9, 9]]), ("previous", [[1], [3], [5], [7, 9]])])
def test_stated_dilations(first, rates):
    rows = layout(8, first, dilations=[3, 5, 7, 9], blocks=[1, 1, 1, 2])
    assert rows == list(zip((1, 2, 1, 1), rates))


def test_layout_reaches_the_convolutions():
    with paddle.LazyGuard():
        net = ResNet(blocks=[1, 1, 2, 3], output_stride=8,
                     multi_grid=[1, 2, 4])
    rates = [[block.conv2._dilation for block in layer]
             for layer in (net.layer1, net.layer2, net.layer3, net.layer4)]
    assert rates == [[[1, 1]], [[1, 1]], [[1, 1], [2, 2]],
                     [[2, 2], [8, 8], [16, 16]]]
    assert all(block.conv2._updated_padding == block.conv2._dilation
               for block in net.layer4)


@pytest.mark.parametrize("stem", ["standard", "deep"])
@pytest.mark.parametrize("options, sizes", [
    ({"output_stride": 32}, [(9, 13), (5, 7), (3, 4), (2, 2)]),
    ({"output_stride": 16}, [(9, 13), (5, 7), (3, 4), (3, 4)]),
    ({"output_stride": 8}, [(9, 13), (5, 7), (5, 7), (5, 7)]),
    ({"output_stride": 8, "stride_in_1x1": True},
     [(9, 13), (5, 7), (5, 7), (5, 7)]),
])
def test_features_of_odd_sizes(stem, options, sizes):
    net = ResNet(stem=stem, blocks=_SMALL, **options)
    found = [f.shape for f in net(paddle.zeros([2, 3, 33, 49]))]
    assert found == [[2, c, *s] for c, s in zip(net.feat_channels, sizes)]
    assert net.feat_channels == [256, 512, 1024, 2048]


def test_ceil_mode_rounds_the_pooling_up():
    x = paddle.zeros([1, 3, 34, 48])
    sizes = [ResNet(blocks=_SMALL, pool_ceil_mode=ceil)(x)[0].shape[2:]
             for ceil in (False, True)]
    assert sizes == [[9, 12], [9, 13]]


def test_stride_moves_to_the_first_1x1():
    with paddle.LazyGuard():
        nets = [ResNet(blocks=_SMALL, stride_in_1x1=s)
                for s in (False, True)]
    strides = [[getattr(n.layer2[0], f"conv{i}")._stride[0]
                for i in (1, 2, 3)] for n in nets]
    assert strides == [[1, 2, 1], [2, 1, 1]]


def test_depth_stem_norms_and_channels():
    with paddle.LazyGuard():
        net = ResNet(depth=101, stem="deep", bn_eps=1e-3, bn_momentum=0.7,
                     in_channels=4)
    assert [len(layer) for layer in (net.layer1, net.layer2, net.layer3,
                                     net.layer4)] == [3, 4, 23, 3]
    assert net.conv1[0].weight.shape == [64, 4, 3, 3]
    for norm in (net.conv1[1], net.bn1, net.layer4[2].bn3,
                 net.layer1[0].downsample[1]):
        assert (norm._epsilon, norm._momentum) == (1e-3, 0.7)


@pytest.mark.parametrize("init, std", [
    # 64 filters of 7x7 and 512 of 3x3 in the last block.
    ("kaiming_fan_out", [(2 / (64 * 49)) ** 0.5, (2 / (512 * 9)) ** 0.5]),
    ("kaiming", [(2 / (3 * 49)) ** 0.5, (2 / (512 * 9)) ** 0.5]),
    ("gaussian", [0.01, 0.01]),
])
def test_first_weights_are_normal(init, std):
    paddle.seed(0)
    net = ResNet(blocks=_SMALL, init=init)
    for layer, wanted in zip((net.conv1, net.layer4[0].conv2), std):
        value = layer.weight.numpy()
        np.testing.assert_allclose(value.std(), wanted, rtol=0.03)
        # A uniform law of this deviation ends at 1.73 of it.
        assert abs(value).max() > 3 * value.std()
    assert (net.bn1.weight.numpy() == 1).all()


def test_default_law_is_of_the_fan_out():
    paddle.seed(0)
    value = ResNet(blocks=_SMALL).layer4[0].conv1.weight.numpy()
    np.testing.assert_allclose(value.std(), (2 / 512) ** 0.5, rtol=0.03)


@pytest.mark.parametrize("zero", [True, False])
def test_zero_init_residual(zero):
    net = ResNet(blocks=[1, 1, 1, 2], zero_init_residual=zero)
    for block in (net.layer1[0], net.layer4[1]):
        assert (block.bn3.weight.numpy() == (0 if zero else 1)).all()
        assert (block.bn2.weight.numpy() == 1).all()
    x = paddle.rand([1, 2048, 3, 4])
    # Such a block starts as its shortcut.
    assert np.array_equal(net.layer4[1](x), x) == zero


@pytest.mark.parametrize("theirs", [
    {"stem.0.weight": 0, "stem.4.running_mean": 1, "stem.7.bias": 2},
    {"conv1.weight": 0, "bn2.running_mean": 1, "bn3.bias": 2,
     "conv3.weight": 5},
    {"conv1.0.weight": 0, "conv1.4.running_mean": 1, "bn1.bias": 2},
])
def test_names_of_torch_files(theirs):
    theirs.update({"layer1.0.conv1.weight": 3, "fc.weight": 4,
                   "layer5.conv2d_list.0.weight": 6})
    ours = ResNet.rename(theirs)
    assert ours.pop("conv1.6.weight", None) == theirs.get("conv3.weight")
    assert ours == {"conv1.0.weight": 0, "conv1.4.running_mean": 1,
                    "bn1.bias": 2, "layer1.0.conv1.weight": 3}


@pytest.mark.parametrize("name, value, allowed", [
    ("depth", 34, "50, 101"),
    ("stem", "vd", "standard, deep"),
    ("output_stride", 4, "8, 16, 32"),
    ("multi_grid", [1, 2], "3 of an integer"),
    ("dilations", [1, 1, 2], "4 of an integer"),
    ("first_dilation", "next", "own, previous"),
    ("init", "xavier", "kaiming, kaiming_fan_out, uniform, gaussian"),
    ("blocks", [3, 4, 6], "4 of an integer"),
])
def test_wrong_arguments(name, value, allowed):
    with pytest.raises(ArgumentError) as caught:
        ResNet(**{name: value})
    message = str(caught.value)
    assert message.startswith(f"{name} = ") and allowed in message
    assert "\n" not in message
