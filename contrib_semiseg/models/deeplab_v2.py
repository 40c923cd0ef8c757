# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""DeepLabV2, with its classic head and with a gated one."""

import math

import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.weights import load_pretrained
from contrib_semiseg.models.layers import (
    INIT,
    conv,
    dropout_layers,
    weight_law,
)
from contrib_semiseg.models.segmentor import Segmentor

_COUNT = check.Range(1, integer=True)
_NORM_EPS = 1e-12


class SumClassifier(nn.LayerList):
    """The sum of dilated 3x3 classifiers."""

    def __init__(self, in_channels, num_classes, dilations, init):
        super().__init__([
            conv(in_channels, num_classes, 3, dilation=rate, bias=True,
                 init=init) for rate in dilations])

    def forward(self, x):
        """[N, in_channels, h, w] -> scores [N, num_classes, h, w]."""
        return sum(layer(x) for layer in self)


class GatedPyramid(nn.Layer):
    """Dilated convolutions, gated channel by channel, reduced by a 3x3.

    1x1 and 3x3s with biases, GroupNorm and ReLU, concatenated; a gate (mean
    over the map, two linear layers, sigmoid) on each channel; a 3x3 and a
    GroupNorm without activation; channel dropout.

    Args:
        in_channels, channels (int): of the input, of a branch and the result.
        dilations (list of int): of the 3x3 branches.
        reduction (int): channels over the gate's hidden units.
        groups (int): of all GroupNorms.
        drop (float): probability of the channel dropout.
        init (str): law of the convolutions.

    Source: the release of cross teacher training (Xiao et al., arXiv
    2209.01327).
    """

    def __init__(self, *, in_channels, channels, dilations, reduction, groups,
                 drop, init):
        super().__init__()

        def branch(kernel, dilation=1):
            return nn.Sequential(
                conv(in_channels, channels, kernel, dilation=dilation,
                     bias=True, init=init),
                nn.GroupNorm(groups, channels), nn.ReLU())

        self.branches = nn.LayerList(
            [branch(1)] + [branch(3, rate) for rate in dilations])
        width = channels * len(self.branches)
        hidden = width // reduction
        self.gate = nn.Sequential(
            _linear(width, hidden), nn.ReLU(), _linear(hidden, width),
            nn.Sigmoid())
        self.project = nn.Sequential(
            conv(width, channels, 3, bias="zero", init=init),
            nn.GroupNorm(groups, channels), *dropout_layers(drop, True))

    def forward(self, x):
        """[N, in_channels, h, w] -> [N, channels, h, w]."""
        x = paddle.concat([branch(x) for branch in self.branches], axis=1)
        gate = self.gate(x.mean(axis=[2, 3]))
        return self.project(x * gate.unsqueeze([2, 3]))


def _linear(inputs, outputs):
    def law():
        return paddle.ParamAttr(
            initializer=weight_law("uniform", inputs, outputs))
    return nn.Linear(inputs, outputs, weight_attr=law(), bias_attr=law())


@manager.register(manager.MODELS)
class DeepLabV2(Segmentor):
    """DeepLabV2: one deep feature, dilated convolutions, no decoder.

    Args:
        num_classes (int): classes C.
        backbone (paddle.nn.Layer): has `feat_channels` and returns a list of
            features; published with output stride 8.
        head (str): "sum" of dilated classifiers (ST), whose feature is the
            backbone's; or "gated" (CTT), whose output `feature` has length 1
            at each pixel, while the classifier reads it before that.
        dilations (list of int): of the 3x3s.
        channels (int): "gated" only: of a branch and of the feature.
        dropout (float): "gated" only: whole maps before the classifier.
        backbone_index (int): the feature that is read.
        align_corners (bool): of the enlargement of the logits.
        init (str): law of the convolutions of the head.
        pretrained (str, optional): weights of the whole network.

    Parts: `backbone`, `classifier`, and for "gated" `pyramid`.

    Source: Chen et al., arXiv 1606.00915.
    """

    @check.arguments
    def __init__(self, *, num_classes: check.Range(2, integer=True), backbone,
                 head: check.OneOf("sum", "gated") = "sum",
                 dilations: check.ListOf(_COUNT) = (6, 12, 18, 24),
                 channels: _COUNT = 256,
                 dropout: check.PROBABILITY = 0.1,
                 backbone_index: check.Range(0, integer=True) = 3,
                 align_corners: check.BOOL = True,
                 init: INIT = "gaussian",
                 pretrained: check.Text(optional=True) = None):
        super().__init__(backbone=backbone, taps=backbone_index,
                         align_corners=align_corners)
        width = backbone.feat_channels[backbone_index]
        self.pyramid = None
        if head == "gated":
            self.pyramid = GatedPyramid(
                in_channels=width, channels=channels, dilations=dilations,
                reduction=16, groups=math.gcd(32, channels), drop=dropout,
                init=init)
            self.classifier = conv(channels, num_classes, 1, init=init)
        else:
            self.classifier = SumClassifier(width, num_classes, dilations,
                                            init)
        load_pretrained(self, pretrained, self.rename)

    def decode(self, taps):
        feature = taps[0] if self.pyramid is None else self.pyramid(taps[0])
        return feature, feature

    def forward(self, x, outputs=None, perturb=()):
        """As every network's; the gated head's `feature` has length 1."""
        result = super().forward(x, outputs, perturb)
        if self.pyramid is not None and outputs and "feature" in outputs:
            result["feature"] = F.normalize(result["feature"], axis=1,
                                            epsilon=_NORM_EPS)
        return result

    @staticmethod
    def rename(state):
        """Names of the COCO file of DeepLabV2 to ours.

        The classifiers stand there as `layer5.conv2d_list.K`, the rest
        without `backbone`; other files have our names already.
        """
        result = {}
        for key, value in state.items():
            if key.startswith("layer5.conv2d_list."):
                key = "classifier." + key[len("layer5.conv2d_list."):]
            elif not key.startswith(("backbone.", "classifier.", "pyramid.")):
                key = "backbone." + key
            result[key] = value
        return result
