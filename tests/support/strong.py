# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A small network and a batch of weak and strong views."""

import paddle

from contrib_semiseg.losses.cross_entropy import cross_entropy
from contrib_semiseg.models import DeepLabV3Plus, SmallResNet
from tests.support.replay import MainLogits

CLASSES, SIZE = 3, 24


def network():
    return DeepLabV3Plus(
        num_classes=CLASSES, backbone=SmallResNet(channels=[4, 6, 8, 8, 8]),
        aspp="branch_norm", aspp_channels=8, aspp_rates=[1, 2],
        low_channels=4, decoder_channels=8)


def criterion():
    return MainLogits(lambda out, label: cross_entropy(out, label, 255))


def batch(boxes=((True, False), (True, True)), count=2):
    """Random images; a quarter of each is boxed where `boxes` says so.

    Args:
        boxes: for each image, whether mask1 and mask2 hold a box.
    """
    def image():
        return paddle.randn([count, 3, SIZE, SIZE])

    def stream():
        return {"weak": image(), "strong1": image(), "strong2": image(),
                "valid": paddle.ones([count, SIZE, SIZE], dtype="bool")}

    own = stream()
    for k in "12":
        own[f"mask{k}"] = paddle.zeros([count, 1, SIZE, SIZE], dtype="uint8")
    for row, flags in enumerate(boxes):
        for k, flag in zip("12", flags):
            own[f"mask{k}"][row, :, :SIZE // 2, :SIZE // 2] = int(flag)
    label = paddle.randint(0, CLASSES, [count, SIZE, SIZE])
    return {"labeled": {"img": image(), "label": label},
            "unlabeled": own, "source": stream()}
