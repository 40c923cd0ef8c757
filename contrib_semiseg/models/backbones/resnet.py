# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Dilated ResNets of bottlenecks, with the standard or the deep stem."""

import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.weights import load_pretrained
from contrib_semiseg.models.layers import INIT, batch_norm, conv

_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_WIDTHS = (64, 128, 256, 512)
_EXPANSION = 4
_COUNT = check.Range(1, integer=True)


def layer_layout(*, blocks, output_stride, dilations, multi_grid,
                 first_dilation):
    """Stride and dilations of each layer's blocks.

    Args:
        blocks (list of int): blocks of the four layers.
        output_stride (int): 8, 16 or 32; strides beyond it are left out.
        dilations (list of int, optional): of the four layers; None doubles
            it for each stride left out.
        multi_grid (list of int): factors on the last layer's dilations, one
            a block, where it is dilated; the last of them holds for further
            blocks.
        first_dilation (str): "own", or "previous": the first block of a
            layer keeps the dilation of the layer before.

    Returns:
        list of (stride, list of int): `stride` is that of the first block.
    """
    rows, reached, rate = [], 4, 1
    for number, (count, stride) in enumerate(zip(blocks, (1, 2, 2, 2))):
        previous = rate
        if stride == 2 and reached == output_stride:
            stride, rate = 1, rate * 2
        reached *= stride
        if dilations is not None:
            rate = dilations[number]
        rates = [rate] * count
        if first_dilation == "previous":
            rates[0] = previous
        if number == 3 and rate > 1:
            grid = list(multi_grid) + [multi_grid[-1]] * count
            rates = [r * g for r, g in zip(rates, grid)]
        rows.append((stride, rates))
    return rows


class Bottleneck(nn.Layer):
    """1x1, 3x3 and a 1x1 to four times the width, and a shortcut.

    Args:
        in_channels, width (int): the result has 4 x width channels.
        stride, dilation (int): of the 3x3.
        project (bool): 1x1 and norm on the shortcut.
        norm (callable): channels to a layer.
        stride_in_1x1 (bool): put the stride on the first 1x1 instead.
        init (str): law of the convolutions.
        zero_init (bool): the last norm starts with weight 0, so that the
            block starts as its shortcut.
    """

    def __init__(self, in_channels, width, *, stride=1, dilation=1,
                 project=False, norm, stride_in_1x1=False,
                 init="kaiming_fan_out", zero_init=False):
        super().__init__()
        out_channels = width * _EXPANSION
        first, second = (stride, 1) if stride_in_1x1 else (1, stride)
        self.conv1 = conv(in_channels, width, 1, stride=first, init=init)
        self.bn1 = norm(width)
        self.conv2 = conv(width, width, 3, stride=second, dilation=dilation,
                          init=init)
        self.bn2 = norm(width)
        self.conv3 = conv(width, out_channels, 1, init=init)
        self.bn3 = norm(out_channels)
        if zero_init:
            nn.initializer.Constant(0.0)(self.bn3.weight)
        self.downsample = nn.Sequential(
            conv(in_channels, out_channels, 1, stride=stride, init=init),
            norm(out_channels)) if project else None

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else
                           self.downsample(x)))


@manager.register(manager.BACKBONES)
class ResNet(nn.Layer):
    """ResNet-50 or ResNet-101.

    Args:
        depth (int): 50 or 101.
        stem (str): "standard", one 7x7 to 64 channels; or "deep", three 3x3
            3 -> 64 -> 64 -> 128. The two need different weights, and neither
            is PaddleSeg's `ResNet*_vd`.
        pretrained (str, optional): a file, a URL or a known name.
        output_stride (int): 8, 16 or 32; where a stride is left out, the
            layer is dilated instead.
        dilations (list of int, optional): dilations of the four layers, in
            place of those that follow from `output_stride`.
        multi_grid (list of int): factors on the dilations of the last
            layer's three blocks, where that layer is dilated.
        first_dilation (str): the first block of a dilated layer has its
            layer's "own" dilation (the networks of CPS, CAC and CTT), or
            that of the "previous" layer (torchvision, and the others).
        stride_in_1x1 (bool): strides on the first 1x1 of a block, as in
            Caffe, and not on the 3x3.
        pool_ceil_mode (bool): round the size after the max-pooling up.
        bn_momentum (float): share of the old value in running statistics.
        bn_eps (float): added to the variance.
        init (str): law of the convolutions before weights are loaded.
        zero_init_residual (bool): the last norm of a block starts at 0.
        blocks (list of int, optional): blocks of each layer in place of
            those of `depth`.
        in_channels (int): channels of the picture.

    `feat_channels` is [256, 512, 1024, 2048].

    Source: He et al., arXiv 1512.03385; deep stem of He et al., arXiv
    1812.01187 (there 32, 32, 64 channels); dilation of Chen et al., arXiv
    1706.05587.
    """

    @check.arguments
    def __init__(self, *, depth: check.OneOf(50, 101) = 50,
                 stem: check.OneOf("standard", "deep") = "standard",
                 pretrained: check.Text(optional=True) = None,
                 output_stride: check.OneOf(8, 16, 32) = 16,
                 dilations: check.ListOf(_COUNT, 4, optional=True) = None,
                 multi_grid: check.ListOf(_COUNT, 3) = (1, 1, 1),
                 first_dilation: check.OneOf("own", "previous") = "previous",
                 stride_in_1x1: check.BOOL = False,
                 pool_ceil_mode: check.BOOL = False,
                 bn_momentum: check.PROBABILITY = 0.9,
                 bn_eps: check.Range(0.0, exclude_low=True) = 1e-5,
                 init: INIT = "kaiming_fan_out",
                 zero_init_residual: check.BOOL = False,
                 blocks: check.ListOf(_COUNT, 4, optional=True) = None,
                 in_channels: _COUNT = 3):
        super().__init__()
        norm = batch_norm(momentum=bn_momentum, eps=bn_eps)
        if stem == "deep":
            self.conv1 = nn.Sequential(
                conv(in_channels, 64, 3, stride=2, init=init), norm(64),
                nn.ReLU(), conv(64, 64, 3, init=init), norm(64), nn.ReLU(),
                conv(64, 128, 3, init=init))
        else:
            self.conv1 = conv(in_channels, 64, 7, stride=2, init=init)
        width_in = 128 if stem == "deep" else 64
        self.bn1 = norm(width_in)
        self.pool_ceil_mode = pool_ceil_mode
        rows = layer_layout(
            blocks=blocks or _BLOCKS[depth], output_stride=output_stride,
            dilations=dilations, multi_grid=multi_grid,
            first_dilation=first_dilation)
        for number, (width, (stride, rates)) in enumerate(
                zip(_WIDTHS, rows), start=1):
            layer = []
            for i, rate in enumerate(rates):
                layer.append(Bottleneck(
                    width_in, width, stride=stride if i == 0 else 1,
                    dilation=rate, project=i == 0, norm=norm,
                    stride_in_1x1=stride_in_1x1, init=init,
                    zero_init=zero_init_residual))
                width_in = width * _EXPANSION
            setattr(self, f"layer{number}", nn.Sequential(*layer))
        self.feat_channels = [w * _EXPANSION for w in _WIDTHS]
        load_pretrained(self, pretrained, self.rename)

    def forward(self, x):
        """Outputs of the four layers.

        Args:
            x (Tensor): [N, in_channels, H, W] float32.

        Returns:
            list of Tensor: [N, feat_channels[i], ceil(H / s), ceil(W / s)]
            for s = 4, 8, 16, 32, s being at most `output_stride`; rounding
            at the pooling may differ by one with `pool_ceil_mode`.
        """
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(x, 3, stride=2, padding=1,
                         ceil_mode=self.pool_ceil_mode)
        features = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            features.append(x)
        return features

    @staticmethod
    def rename(state):
        """Names of common torch files to ours; classifiers are dropped.

        Knows torchvision's names and three for the deep stem: ours, one
        sequence `stem.0` to `stem.7`, and `conv1` to `conv3` with `bn1` to
        `bn3`.
        """
        flat = {"conv1": "conv1.0", "bn1": "conv1.1", "conv2": "conv1.3",
                "bn2": "conv1.4", "conv3": "conv1.6", "bn3": "bn1"}
        result = {}
        is_flat = "conv3.weight" in state
        for key, value in state.items():
            first, _, rest = key.partition(".")
            if first == "stem":
                index, _, last = rest.partition(".")
                key = f"bn1.{last}" if index == "7" else f"conv1.{rest}"
            elif is_flat and first in flat:
                key = f"{flat[first]}.{rest}"
            if key.startswith(("conv1.", "bn1.", "layer")) and \
                    not key.startswith("layer5."):
                result[key] = value
        return result
