# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The catalogue of networks, shortened where a test shall take seconds."""

import json

import numpy as np
import paddle
from paddle import nn

from tests.golden.build import MODELS, network, section

NAMES = sorted(path.stem for path in MODELS.glob("*.yml"))


# Of the decoders, where the published ones have 256 or 512.
_NARROW = {"DeepLabV3Plus": {"aspp_channels": 32, "decoder_channels": 32},
           "DeepLabV2": {"channels": 32}, "PyramidNet": {"channels": 32}}


def short(name, num_classes=5, **changes):
    """A network of the catalogue with a narrow decoder.

    A ResNet has one block in each layer.
    """
    tree = section(name)
    if tree["backbone"]["type"] == "ResNet":
        changes["backbone"] = {"blocks": [1, 1, 1, 1],
                               **changes.get("backbone", {})}
    return network(name, num_classes, **_NARROW[tree["type"]], **changes)


def distinct():
    """Names of which no two give the same shortened network."""
    found = {}
    for name in NAMES:
        tree = section(name)
        # Blocks take the place of the depth; weights are not loaded.
        tree["backbone"].pop("depth", None)
        found.setdefault(json.dumps(tree, sort_keys=True), name)
    return sorted(found.values())


class Tiny(nn.Layer):
    """A backbone of three features, at strides 4, 8 and 8."""

    feat_channels = [4, 5, 6]

    def __init__(self):
        super().__init__()
        self.convs = nn.LayerList([
            nn.Conv2D(3, 4, 4, stride=4), nn.Conv2D(4, 5, 2, stride=2),
            nn.Conv2D(5, 6, 3, padding=1)])

    def forward(self, x):
        features = []
        for conv in self.convs:
            x = conv(x)
            features.append(x)
        return features


def image(*shape):
    """Normal numbers, the same at each call."""
    return paddle.to_tensor(
        np.random.RandomState(1).randn(*shape).astype("float32"))
