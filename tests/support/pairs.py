# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CAC on a small network, and a batch of overlapping crops."""

import numpy as np
import paddle

from contrib_semiseg.losses.cross_entropy import cross_entropy
from contrib_semiseg.methods.cac import CAC, VIEWS
from contrib_semiseg.models import DeepLabV3Plus, SmallResNet
from contrib_semiseg.transforms.crops import OverlapCrops
from tests.support.replay import MainLogits

CLASSES, SIZE, COUNT = 2, 32, 2
CELLS = COUNT * (SIZE // 8) ** 2
CRITERION = MainLogits(lambda out, label: cross_entropy(out, label, 255))


def network(**changes):
    options = dict(
        num_classes=CLASSES, backbone=SmallResNet(channels=[4, 6, 8, 8, 8]),
        aspp="branch_norm", aspp_channels=8, aspp_rates=[1, 2],
        low_channels=4, decoder_channels=8, embedding="projection",
        embedding_channels=[8, 6])
    return DeepLabV3Plus(**{**options, **changes})


def method(model=None, *, size=SIZE, stride=8, **options):
    """A CAC in training mode; without a threshold, from the first epoch."""
    if model is None:
        paddle.seed(0)
        model = network()
    options = {**dict(criterion=CRITERION, start_epoch=0, conf_thresh=0.0,
                      batch_size=COUNT), **options}
    found = CAC(model=model, crops=OverlapCrops(
        crop_size=[size, size], stride=stride, min_iou=0.0), **options)
    found.train()
    return found


def batch(label=None, seed=0):
    """Random crops with their places, and labels of the two classes."""
    rng = np.random.default_rng(seed)
    crops = OverlapCrops(crop_size=[SIZE, SIZE])
    images = rng.normal(size=(COUNT, 48, 56, 3)).astype("float32")
    pairs = [crops.draw(rng, 48, 56) for _ in images]
    views = [crops.apply(image, pair) for image, pair in zip(images, pairs)]
    places = [crops.geometry(pair, 48, 56) for pair in pairs]
    unlabeled = {}
    for v, name in enumerate(VIEWS):
        unlabeled[name] = np.stack([row[v] for row in views]).transpose(
            0, 3, 1, 2)
        for key in crops.adds:
            unlabeled[f"{name}_{key}"] = np.stack([row[v][key]
                                                   for row in places])
    if label is None:
        label = rng.integers(0, CLASSES, (COUNT, SIZE, SIZE))
    image = rng.normal(size=(COUNT, 3, SIZE, SIZE)).astype("float32")
    return {stream: {k: paddle.to_tensor(np.ascontiguousarray(v))
                     for k, v in keys.items()}
            for stream, keys in (("labeled", {"img": image, "label": label}),
                                 ("unlabeled", unlabeled))}
