# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Mixed, strongly changed images with a teacher's soft labels of them."""

from typing import NamedTuple

import numpy as np
import paddle
import paddle.nn.functional as F

from contrib_semiseg.losses.consistency import (
    weighted_cross_entropy,
    weighted_squares,
)
from contrib_semiseg.methods.batch_mixing import BatchMixing
from contrib_semiseg.methods.pseudo_labels import confidence, pixel_weight
from contrib_semiseg.mixing.batch_color import (
    BatchColorJitter,
    BatchGaussianBlur,
    change_batch,
)

_KINDS = {"none": "none", "class": "classmix", "cut": "cutmix",
          "cow": "cowmix"}
MASKS = tuple(_KINDS)
TRANSFORMS = (BatchColorJitter(), BatchGaussianBlur())


class MixedView(NamedTuple):
    """What a student is shown, and what it is to learn of it.

    Attributes:
        images (Tensor): float32 [N, 3, H, W].
        probability (Tensor): float32 [N, C, H, W], mixed.
        conf (Tensor): float32 [N, H, W], the largest of them.
        label (Tensor): int64 [N, H, W], its class.
        mask (Tensor, optional): [N, 1, H, W], where the next image is shown.
    """

    images: paddle.Tensor
    probability: paddle.Tensor
    conf: paddle.Tensor
    label: paddle.Tensor
    mask: paddle.Tensor


class MixedViews:
    """Mixes images with the next ones of the batch, then changes colours.

    Args:
        mask (str): the next image is shown outside half of the "class"es, in
            a "cut" box, in the blotches of a "cow", or it is not: "none".
        transforms (sequence): of `mixing.batch_color`; soft labels stay.
        mirror_prob (float): how often a batch is mirrored left-right, soft
            labels included.
        num_classes (int): C.
        normalization (tuple, optional): mean and deviation of the images'
            channels; None: they are pictures of 0..255.
    """

    def __init__(self, mask, transforms, mirror_prob, *, num_classes,
                 normalization=None):
        self.mixing = BatchMixing(_KINDS[mask], 1.0, num_classes=num_classes,
                                  whole_width=True)
        self.transforms, self.mirror_prob = tuple(transforms), mirror_prob
        self.mean, self.std = normalization or (0.0, 1 / 255)

    @paddle.no_grad()
    def __call__(self, images, logits, mask=None):
        """The view of a batch; draws from the global generators.

        Args:
            images (Tensor): float32 [N, 3, H, W].
            logits (Tensor): float32 [N, C, H, W], of these images.
            mask (Tensor, optional): instead of drawing one.

        Returns: MixedView.
        """
        probability = F.softmax(logits.astype("float32"), axis=1)
        if mask is None:
            mask = self.mixing.draw(probability.argmax(axis=1))
        images, probability = self.mixing.apply(images, probability, mask)
        rng = np.random.default_rng(np.random.randint(2**31))
        # Pictures are no matter for half precision.
        with paddle.amp.auto_cast(enable=False):
            images = change_batch(images, self.transforms, rng, self.mean,
                                  self.std)
        if rng.random() < self.mirror_prob:
            images, probability = (x.flip(axis=[3])
                                   for x in (images, probability))
        return MixedView(images, probability, probability.max(axis=1),
                         probability.argmax(axis=1), mask)


class Consistency:
    """The loss of a student on a MixedView.

    Args:
        kind (str): "ce" with the most likely class, nats per pixel; or "mse"
            of all probabilities.
        weight (float): on the whole term.
        pixel_weight (str), conf_thresh (float), ramp_iters (int): see
            `pixel_weight`.
    """

    def __init__(self, kind, weight, *, pixel_weight, conf_thresh,
                 ramp_iters):
        self.kind, self.weight, self.conf_thresh = kind, weight, conf_thresh
        self.pixel_weight = pixel_weight
        self.ramp_iters = ramp_iters

    def __call__(self, logits, view, step):
        """The weighted term of logits [N, C, H, W] in a Step: a scalar."""
        share = self.share(view.conf, step)
        if self.kind == "mse":
            return self.weight * weighted_squares(logits, view.probability,
                                                  share)
        return self.weight * weighted_cross_entropy(logits, view.label, share)

    def share(self, conf, step):
        """How much each pixel counts, see `pseudo_labels.pixel_weight`."""
        return pixel_weight(self.pixel_weight, conf, step.it,
                            conf_thresh=self.conf_thresh,
                            ramp_iters=self.ramp_iters)

    def labels(self, logits, step):
        """(label, weight) of logits [N, C, H, W]: `Method.pseudo_labels`."""
        conf, label = confidence(logits)
        return label, self.share(conf, step)

    def sure_share(self, view):
        """Share of the pixels that reach `conf_thresh`: scalar in [0, 1]."""
        return (view.conf >= self.conf_thresh).astype("float32").mean()
