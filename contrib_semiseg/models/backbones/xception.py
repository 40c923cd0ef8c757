# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Aligned Xception-65."""

import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.weights import load_pretrained
from contrib_semiseg.models.layers import INIT, batch_norm, conv

_MIDDLE = range(4, 20)


class SeparableConv(nn.Layer):
    """Depthwise 3x3, norm, 1x1, norm; the ReLUs before or between."""

    def __init__(self, in_channels, out_channels, *, stride=1, dilation=1,
                 norm, init, relu_first):
        super().__init__()
        self.depthwise = conv(in_channels, in_channels, 3, stride=stride,
                              dilation=dilation, groups=in_channels,
                              init=init)
        self.bn1 = norm(in_channels)
        self.pointwise = conv(in_channels, out_channels, 1, init=init)
        self.bn2 = norm(out_channels)
        self.relu_first = relu_first

    def forward(self, x):
        if self.relu_first:
            return self.bn2(self.pointwise(self.bn1(self.depthwise(
                F.relu(x)))))
        x = F.relu(self.bn1(self.depthwise(x)))
        return F.relu(self.bn2(self.pointwise(x)))


class XceptionBlock(nn.Layer):
    """Three separable convolutions and a shortcut.

    Args:
        in_channels, out_channels (int): where they differ, or for a stride,
            the shortcut is a 1x1 and a norm of the raw input; else it is
            ReLU(input), as the published weights were trained with (the
            first ReLU worked in place).
        stride (int): of the third convolution and of the shortcut.
        dilation (int): of the three 3x3.
        grow_last (bool): the first convolution keeps `in_channels`.
        norm (callable): channels to a layer.
        init (str): law of the convolutions.
    """

    def __init__(self, in_channels, out_channels, *, stride=1, dilation=1,
                 grow_last=False, norm, init="kaiming_fan_out"):
        super().__init__()
        first = in_channels if grow_last else out_channels
        options = dict(dilation=dilation, norm=norm, init=init,
                       relu_first=True)
        self.skip = self.skipbn = None
        if in_channels != out_channels or stride != 1:
            self.skip = conv(in_channels, out_channels, 1, stride=stride,
                             init=init)
            self.skipbn = norm(out_channels)
        self.sepconv1 = SeparableConv(in_channels, first, **options)
        self.sepconv2 = SeparableConv(first, out_channels, **options)
        self.sepconv3 = SeparableConv(out_channels, out_channels,
                                      stride=stride, **options)

    def forward(self, x):
        """Result and the second convolution's output, before any ReLU."""
        shortcut = F.relu(x) if self.skip is None else \
            self.skipbn(self.skip(x))
        early = self.sepconv2(self.sepconv1(x))
        return self.sepconv3(early) + shortcut, early


@manager.register(manager.BACKBONES)
class Xception65(nn.Layer):
    """Aligned Xception-65 without its classifier.

    Args:
        pretrained (str, optional): a file, a URL or a known name.
        output_stride (int): 8, 16 or 32.
        exit_dilation (int): of the three last convolutions, beyond that of
            the middle; the published networks at stride 16 have 1, DeepLab's
            own 2.
        bn_momentum (float): share of the old value in running statistics.
        bn_eps (float): added to the variance.
        init (str): law of the convolutions before weights are loaded.
        in_channels (int): channels of the picture.

    `feat_channels` is [256, 256, 728, 2048]; the first feature is taken
    inside block 2 and may be negative.

    Source: Chollet, arXiv 1610.02357, as changed by Chen et al., arXiv
    1802.02611.
    """

    @check.arguments
    def __init__(self, *, pretrained: check.Text(optional=True) = None,
                 output_stride: check.OneOf(8, 16, 32) = 16,
                 exit_dilation: check.Range(1, integer=True) = 1,
                 bn_momentum: check.PROBABILITY = 0.9997,
                 bn_eps: check.Range(0.0, exclude_low=True) = 1e-5,
                 init: INIT = "kaiming_fan_out",
                 in_channels: check.Range(1, integer=True) = 3):
        super().__init__()
        norm = batch_norm(momentum=bn_momentum, eps=bn_eps)
        stride3 = 2 if output_stride > 8 else 1
        stride20 = 2 if output_stride > 16 else 1
        middle = 2 // stride3

        def block(*channels, **options):
            return XceptionBlock(*channels, norm=norm, init=init, **options)

        self.conv1 = conv(in_channels, 32, 3, stride=2, init=init)
        self.bn1 = norm(32)
        self.conv2 = conv(32, 64, 3, init=init)
        self.bn2 = norm(64)
        self.block1 = block(64, 128, stride=2)
        self.block2 = block(128, 256, stride=2)
        self.block3 = block(256, 728, stride=stride3)
        for i in _MIDDLE:
            setattr(self, f"block{i}", block(728, 728, dilation=middle))
        self.block20 = block(728, 1024, stride=stride20, dilation=middle,
                             grow_last=True)
        last = dict(dilation=middle * exit_dilation, norm=norm, init=init,
                    relu_first=False)
        self.conv3 = SeparableConv(1024, 1536, **last)
        self.conv4 = SeparableConv(1536, 1536, **last)
        self.conv5 = SeparableConv(1536, 2048, **last)
        self.feat_channels = [256, 256, 728, 2048]
        load_pretrained(self, pretrained, self.rename)

    def forward(self, x):
        """Four features of an image batch.

        Args:
            x (Tensor): [N, in_channels, H, W] float32.

        Returns:
            list of Tensor: [N, feat_channels[i], ceil(H / s), ceil(W / s)]
            for s = 4, 8, 16, 32, s being at most `output_stride`.
        """
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x, _ = self.block1(x)
        x, early = self.block2(x)
        features = [early, x]
        x, _ = self.block3(x)
        for i in _MIDDLE:
            x, _ = getattr(self, f"block{i}")(x)
        features.append(x)
        x, _ = self.block20(x)
        features.append(self.conv5(self.conv4(self.conv3(x))))
        return features

    @staticmethod
    def rename(state):
        """The names are ours; what is no part of the backbone is dropped."""
        return {k: v for k, v in state.items()
                if k.startswith(("conv", "bn1.", "bn2.", "block"))}
