# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Networks with outputs by name: recorded ones, and a tiny one to train."""

import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.models.segmentor import Segmentor
from tests.support.replay import UnbiasedBatchNorm2D


class _Picture(nn.Layer):
    """A backbone whose only feature is the picture."""

    feat_channels = [3]

    def forward(self, x):
        return [x]


class Recorded(Segmentor):
    """Gives recorded scores [N, C, h, w] call by call, enlarged as any
    network's; remembers inputs and modes. Its feature is the scores."""

    def __init__(self, *scores):
        super().__init__(backbone=_Picture(), taps=0, align_corners=True)
        self.scores, self.inputs, self.modes = list(scores), [], []

    def decode(self, taps):
        self.inputs.append(taps[0])
        self.modes.append("train" if self.training else "eval")
        return taps[0], taps[0]

    def score(self, feature):
        return self.scores[len(self.inputs) - 1]


class Pixels(Segmentor):
    """1x1 convolution with stride 4, BatchNorm and ReLU; a 1x1 classifier.
    """

    def __init__(self, classes=4, width=256):
        super().__init__(backbone=_Picture(), taps=0, align_corners=True)
        self.conv = nn.Conv2D(3, width, 1, stride=4, bias_attr=False)
        self.bn = UnbiasedBatchNorm2D(width)
        self.classifier = nn.Conv2D(width, classes, 1)
        self.modes = []

    def decode(self, taps):
        self.modes.append("train" if self.training else "eval")
        feature = F.relu(self.bn(self.conv(taps[0])))
        return feature, feature


def chosen_mask(label, positions, num_classes):
    """The mask of classes given by their places among those of an image.

    Args:
        label (Tensor): int64 [N, H, W].
        positions (array): [N, k], -1 for none.

    Returns: bool [N, C], which classes are chosen.
    """
    chosen = paddle.zeros([len(label), num_classes], dtype="bool")
    for b, row in enumerate(positions):
        found = paddle.unique(label[b]).tolist()
        for place in row[row >= 0]:
            chosen[b, found[int(place)]] = True
    return chosen
