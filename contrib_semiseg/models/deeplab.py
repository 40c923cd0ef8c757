# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""DeepLabV3+ with one normalisation over the whole pyramid."""

import paddle
import paddle.nn as nn
import paddle.nn.functional as F

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.cvlibs.weights import load_pretrained

_SLOPE = 0.01


def _conv(in_channels, out_channels, kernel, dilation=1, groups=1):
    """Convolution of equal size without bias, Kaiming normal over fan-in."""
    return nn.Conv2D(
        in_channels, out_channels, kernel, padding=kernel // 2 * dilation,
        dilation=dilation, groups=groups, bias_attr=False,
        weight_attr=paddle.ParamAttr(
            initializer=nn.initializer.KaimingNormal()))


class ASPP(nn.Layer):
    """Dilated convolutions side by side, and an image-level branch.

    The branches have no normalisation of their own: one BatchNorm acts on
    their concatenation. The image-level branch is added, not concatenated.

    Args:
        in_channels (int): channels of the backbone's deepest feature.
        out_channels (int): channels of the result.
        hidden (int): channels of each branch.
        rates (list of int): dilations of the 3x3 branches; a 1x1 is first.

    Source: Chen et al., arXiv 1802.02611, as changed by the CPS release.
    """

    def __init__(self, *, in_channels, out_channels, hidden, rates):
        super().__init__()
        self.branches = nn.LayerList(
            [_conv(in_channels, hidden, 1)] +
            [_conv(in_channels, hidden, 3, rate) for rate in rates])
        self.norm = nn.BatchNorm2D(hidden * (len(rates) + 1))
        self.project = _conv(hidden * (len(rates) + 1), out_channels, 1)
        self.pool_conv = _conv(in_channels, hidden, 1)
        self.pool_norm = nn.BatchNorm2D(hidden)
        self.pool_project = _conv(hidden, out_channels, 1)
        self.out_norm = nn.BatchNorm2D(out_channels)

    def forward(self, x):
        """[N, in_channels, h, w] -> [N, out_channels, h, w]."""
        maps = paddle.concat([branch(x) for branch in self.branches], axis=1)
        maps = self.project(self._leaky(self.norm(maps)))
        pooled = self.pool_conv(x.mean(axis=[2, 3], keepdim=True))
        pooled = self.pool_project(self._leaky(self.pool_norm(pooled)))
        return self._leaky(self.out_norm(maps + pooled))

    def _leaky(self, x):
        if self.training:
            return F.leaky_relu(x, _SLOPE)
        # The same numbers; paddle2onnx 2.1.0 loses the slope of leaky_relu.
        return paddle.maximum(x, x * _SLOPE)


def _conv_norm_relu(in_channels, out_channels, kernel, separable=False):
    layers = [_conv(in_channels, out_channels, kernel)]
    if separable:
        layers = [_conv(in_channels, in_channels, kernel, groups=in_channels),
                  _conv(in_channels, out_channels, 1)]
    return nn.Sequential(*layers, nn.BatchNorm2D(out_channels), nn.ReLU())


@manager.register(manager.MODELS)
class DeepLabV3Plus(nn.Layer):
    """DeepLabV3+: backbone, ASPP, and a decoder at a quarter of the size.

    Args:
        num_classes (int): classes C.
        backbone (paddle.nn.Layer): has `feat_channels` and returns a list of
            features.
        aspp_rates (list of int): dilations of the 3x3 ASPP branches.
        aspp_channels (int): channels inside ASPP and of its result.
        low_channels (int): channels to which the early feature is reduced.
        decoder_channels (int): channels of the decoder's feature.
        dropout (float): share of the decoder's feature channels dropped
            before the classifier, in training.
        separable (bool): depthwise-separable 3x3s in the decoder.
        backbone_indices (list of int): early and deep feature used.
        align_corners (bool): of both bilinear enlargements.
        pretrained (str, optional): file with the weights of the whole
            network.

    Parts: `backbone`, `aspp`, `reduce`, `last_conv`, `classifier`.

    Source: Chen et al., arXiv 1802.02611; head of Chen et al., arXiv
    2106.01226.
    """

    @check.arguments
    def __init__(self, *, num_classes: check.Range(2, integer=True), backbone,
                 aspp_rates: check.ListOf(check.Range(1, integer=True)) = (
                     6, 12, 18),
                 aspp_channels: check.Range(1, integer=True) = 256,
                 low_channels: check.Range(1, integer=True) = 48,
                 decoder_channels: check.Range(1, integer=True) = 256,
                 dropout: check.Range(0.0, 1.0) = 0.0,
                 separable: check.BOOL = False,
                 backbone_indices: check.ListOf(
                     check.Range(0, integer=True), 2) = (0, 3),
                 align_corners: check.BOOL = True,
                 pretrained: check.Text(optional=True) = None):
        super().__init__()
        channels = backbone.feat_channels
        if max(backbone_indices) >= len(channels):
            raise ArgumentError(
                "backbone_indices", list(backbone_indices),
                f"0 to {len(channels) - 1}, the features of "
                f"{type(backbone).__name__}")
        low, deep = backbone_indices
        self.indices, self.align_corners = (low, deep), align_corners
        self.backbone = backbone
        self.aspp = ASPP(in_channels=channels[deep],
                         out_channels=aspp_channels, hidden=aspp_channels,
                         rates=aspp_rates)
        self.reduce = _conv_norm_relu(channels[low], low_channels, 1)
        self.last_conv = nn.Sequential(
            _conv_norm_relu(aspp_channels + low_channels, decoder_channels,
                            3, separable),
            _conv_norm_relu(decoder_channels, decoder_channels, 3,
                            separable))
        self.dropout = nn.Dropout2D(dropout) if dropout else None
        bound = decoder_channels ** -0.5
        self.classifier = nn.Conv2D(
            decoder_channels, num_classes, 1,
            weight_attr=paddle.ParamAttr(
                initializer=nn.initializer.KaimingNormal()),
            bias_attr=paddle.ParamAttr(
                initializer=nn.initializer.Uniform(-bound, bound)))
        load_pretrained(self, pretrained)

    def _enlarge(self, x, size):
        return F.interpolate(x, size, mode="bilinear",
                             align_corners=self.align_corners)

    def decode(self, features):
        """Backbone features to the decoder's feature.

        Args:
            features (list of Tensor): what `backbone` returns.

        Returns:
            Tensor: [N, decoder_channels, h, w], the size of the early one.
        """
        low, deep = (features[i] for i in self.indices)
        deep = self._enlarge(self.aspp(deep), low.shape[2:])
        return self.last_conv(
            paddle.concat([deep, self.reduce(low)], axis=1))

    def classify(self, feature, size):
        """The decoder's feature to logits [N, C, *size]."""
        if self.dropout is not None:
            feature = self.dropout(feature)
        return self._enlarge(self.classifier(feature), size)

    def forward(self, x):
        """Logits of an image batch.

        Args:
            x (Tensor): [N, 3, H, W] float32.

        Returns:
            list of one Tensor: [N, C, H, W] float32 logits.
        """
        return [self.classify(self.decode(self.backbone(x)), x.shape[2:])]
