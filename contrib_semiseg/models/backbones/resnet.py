# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Dilated ResNet-50 and ResNet-101 with a stem of three 3x3 convolutions."""

import paddle
import paddle.nn as nn
import paddle.nn.functional as F

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.weights import load_pretrained

_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_WIDTHS = (64, 128, 256, 512)
_EXPANSION = 4


def _conv(in_channels, out_channels, kernel, stride=1, dilation=1):
    return nn.Conv2D(
        in_channels, out_channels, kernel, stride=stride,
        padding=kernel // 2 * dilation, dilation=dilation, bias_attr=False,
        weight_attr=paddle.ParamAttr(
            initializer=nn.initializer.KaimingNormal()))


def layer_strides(output_stride, multi_grid):
    """Stride and dilations of the four layers.

    Args:
        output_stride (int): 8, 16 or 32; the strides of 2 beyond it are left
            out and the layer dilated instead.
        multi_grid (list of int): factors on the dilations of the last
            layer's blocks, where it is dilated.

    Returns:
        list of (stride, dilations): `dilations` has one number for each
        block, or a single one for all of them.
    """
    rows, reached, dilation = [], 4, 1
    for stride in (1, 2, 2, 2):
        if stride == 2 and reached == output_stride:
            stride, dilation = 1, dilation * 2
        reached *= stride
        rows.append((stride, [dilation]))
    if dilation > 1:
        rows[-1] = (rows[-1][0], [dilation * g for g in multi_grid])
    return rows


class Bottleneck(nn.Layer):
    """1x1, 3x3 (with the stride), 1x1 to four times the width; shortcut."""

    def __init__(self, in_channels, width, stride, dilation, project, norm):
        super().__init__()
        out_channels = width * _EXPANSION
        self.conv1, self.bn1 = _conv(in_channels, width, 1), norm(width)
        self.conv2 = _conv(width, width, 3, stride, dilation)
        self.bn2 = norm(width)
        self.conv3, self.bn3 = _conv(width, out_channels, 1), norm(
            out_channels)
        self.downsample = nn.Sequential(
            _conv(in_channels, out_channels, 1, stride),
            norm(out_channels)) if project else None

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else
                           self.downsample(x)))


class ResNetDeep(nn.Layer):
    """ResNet of bottlenecks with the stem 3 -> 64 -> 64 -> 128.

    Args:
        depth (int): 50 or 101.
        pretrained (str, optional): file of weights; of a torch file of the
            v1c family the classifier is left out.
        output_stride (int): 8, 16 or 32.
        multi_grid (list of int): dilation factors of the last three blocks.
        bn_momentum (float): share of the old value in running statistics.
        bn_eps (float): added to the variance.

    `feat_channels` is [256, 512, 1024, 2048].

    Source: He et al., arXiv 1512.03385; stem of He et al., arXiv 1812.01187.
    """

    def __init__(self, *, depth, pretrained, output_stride, multi_grid,
                 bn_momentum, bn_eps):
        super().__init__()

        def norm(channels):
            return nn.BatchNorm2D(channels, momentum=bn_momentum,
                                  epsilon=bn_eps)

        self.conv1 = nn.Sequential(
            _conv(3, 64, 3, 2), norm(64), nn.ReLU(),
            _conv(64, 64, 3), norm(64), nn.ReLU(), _conv(64, 128, 3))
        self.bn1 = norm(128)
        width_in = 128
        rows = layer_strides(output_stride, multi_grid)
        for number, (count, width, (stride, dilations)) in enumerate(
                zip(_BLOCKS[depth], _WIDTHS, rows), start=1):
            if len(dilations) == 1:
                dilations = dilations * count
            blocks = []
            for i, dilation in enumerate(dilations):
                blocks.append(Bottleneck(
                    width_in, width, stride if i == 0 else 1, dilation,
                    i == 0, norm))
                width_in = width * _EXPANSION
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
        self.feat_channels = [w * _EXPANSION for w in _WIDTHS]
        load_pretrained(self, pretrained, _rename)

    def forward(self, x):
        """Outputs of the four layers.

        Args:
            x (Tensor): [N, 3, H, W] float32.

        Returns:
            list of Tensor: [N, feat_channels[i], ceil(H / s), ceil(W / s)]
            for s = 4, 8, 16, 32, s being at most `output_stride`.
        """
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        features = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            features.append(x)
        return features


@manager.register(manager.BACKBONES)
class ResNet50Deep(ResNetDeep):
    """ResNet-50 of `ResNetDeep`; see there for the arguments."""

    @check.arguments
    def __init__(self, *, pretrained: check.Text(optional=True) = None,
                 output_stride: check.OneOf(8, 16, 32) = 16,
                 multi_grid: check.ListOf(
                     check.Range(1, integer=True), 3) = (1, 2, 4),
                 bn_momentum: check.Range(0.0, 1.0) = 0.9,
                 bn_eps: check.Range(0.0, exclude_low=True) = 1e-5):
        super().__init__(depth=50, pretrained=pretrained,
                         output_stride=output_stride, multi_grid=multi_grid,
                         bn_momentum=bn_momentum, bn_eps=bn_eps)


@manager.register(manager.BACKBONES)
class ResNet101Deep(ResNetDeep):
    """ResNet-101 of `ResNetDeep`; see there for the arguments."""

    @check.arguments
    def __init__(self, *, pretrained: check.Text(optional=True) = None,
                 output_stride: check.OneOf(8, 16, 32) = 16,
                 multi_grid: check.ListOf(
                     check.Range(1, integer=True), 3) = (1, 2, 4),
                 bn_momentum: check.Range(0.0, 1.0) = 0.9,
                 bn_eps: check.Range(0.0, exclude_low=True) = 1e-5):
        super().__init__(depth=101, pretrained=pretrained,
                         output_stride=output_stride, multi_grid=multi_grid,
                         bn_momentum=bn_momentum, bn_eps=bn_eps)


def _rename(state):
    """Names of common torch files to ours; the classifier is dropped."""
    result = {}
    for key, value in state.items():
        for prefix in ("module.", "backbone."):
            if key.startswith(prefix):
                key = key[len(prefix):]
        if key.startswith("stem."):
            _, index, last = key.split(".")
            # One sequence of nine there: its last norm is our bn1.
            key = f"bn1.{last}" if index == "7" else f"conv1.{index}.{last}"
        if not key.startswith(("fc.", "decode_head.", "auxiliary_head.")):
            result[key] = value
    return result
