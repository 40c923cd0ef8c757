# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Two students' features against banks of good ones and each other's."""

from typing import NamedTuple

import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.losses.bank_contrast import (
    bank_contrast,
    class_mean,
    labeled_rows,
    unit_rows,
)
from contrib_semiseg.losses.directional_contrast import contrast
from contrib_semiseg.losses.prototype_contrast import (
    class_masks,
    class_pixels,
    nearest,
    pixel_rows,
)
from contrib_semiseg.methods.class_memory import ClassMemory


class Seen(NamedTuple):
    """What the contrast knows of one student; all maps are of one size.

    Attributes:
        labeled, unlabeled (Tensor): float32 [B, D, h, w], its features.
        scores (Tensor): float32 [B, C, h, w], of the unlabelled images.
        conf (Tensor): float32 [B, h, w], of their soft labels.
        label (Tensor): int64 [B, h, w], their pseudo-labels.
    """

    labeled: paddle.Tensor
    unlabeled: paddle.Tensor
    scores: paddle.Tensor
    conf: paddle.Tensor
    label: paddle.Tensor


def surest_pixels(scores, label, *, least, quota, ignore_index=255):
    """Places of each class' pixels that are right and sure.

    Their label is the class of the largest score, which is at least `least`.
    Of `quota` or more of a class the surest stay, best first; fewer stay in
    the order of (image, y, x).

    Args:
        scores (Tensor): float32 [N, C, h, w].
        label (Tensor): int64 [N, h, w] in [0, C) or `ignore_index`.

    Returns: list of C tensors, int64 [n] in [0, N h w).
    """
    sure = scores.max(axis=1)
    right = (scores.argmax(axis=1) == label) & (sure >= least)
    masks = class_masks(label, scores.shape[1], ignore_index)
    found, sure = class_pixels(masks & right.unsqueeze(1)), sure.flatten()
    for c, pixels in enumerate(found):
        if len(pixels) >= quota:
            best = paddle.topk(paddle.gather(sure, pixels), quota)[1]
            found[c] = paddle.gather(pixels, best)
    return found


def map_size(out):
    """(h, w) of the maps of a network's outputs."""
    return out["scores"].shape[2:]


class PeerContrast(nn.Layer):
    """The contrastive terms of CTT, and a bank of features for each student.

    Args:
        num_classes, ignore_index (int): of the labels.
        width (int): D, channels of the features.
        rows (int): of a class in a bank.
        quota (int): rows that a batch may add to a class.
        score (str): "logit" or "softmax", what `least` is compared with.
        least (float): see `surest_pixels`.
        conf_thresh (float): pixels of at least this confidence meet the
            bank, the others the peer.
        temperatures (list of float): of the high and of the low level.
        low_pixels (str): "all" less sure ones, or "directional", those of
            which the peer is surer than the student, and sure enough.
        weights (dict): of the terms "high" and "low"; 0 leaves one out.
    """

    def __init__(self, *, num_classes, ignore_index, width, rows, quota,
                 score, least, conf_thresh, temperatures, low_pixels,
                 weights):
        super().__init__()
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.quota, self.score, self.least = quota, score, least
        self.conf_thresh, self.low_pixels = conf_thresh, low_pixels
        self.temperatures, self.weights = temperatures, weights
        self.banks = nn.LayerList([
            ClassMemory(capacities=[rows] * num_classes, width=width)
            for _ in range(2)])

    def forward(self, labeled, unlabeled, views, label):
        """The weighted terms, once both banks are full, and how full they are.

        Args:
            labeled, unlabeled (sequence of dict): "scores" and "feature" of
                both students.
            views (sequence of MixedView): what they saw.
            label (Tensor): int64 [B, H, W], of the labelled images.

        Returns: dict of terms.
        """
        fill = (self.banks[0].fill() + self.banks[1].fill()) / 2
        terms = {"bank_fill": fill}
        if float(fill) < 1:
            return terms
        size = map_size(unlabeled[0])
        # Sums over a whole batch are no matter for half precision.
        with paddle.amp.auto_cast(enable=False):
            seen = [Seen(*(x.astype("float32") for x in (
                        one["feature"], two["feature"], two["scores"])),
                         nearest(view.conf, size), nearest(view.label, size))
                    for one, two, view in zip(labeled, unlabeled, views)]
            label = nearest(label, size)
            for k, name in enumerate("lr"):
                if self.weights["high"]:
                    terms[f"loss_high_{name}"] = \
                        self.weights["high"] * self.high(k, seen, label)
                if self.weights["low"]:
                    terms[f"loss_low_{name}"] = \
                        self.weights["low"] * self.low(k, seen)
        return terms

    @paddle.no_grad()
    def remember(self, number, out, label):
        """Put a teacher's good features into the bank of student `number`.

        Args:
            out (dict): its "scores" and "feature" of labelled images.
            label (Tensor): int64 [B, H, W].
        """
        label, scores = nearest(label, map_size(out)), out["scores"].astype(
            "float32")
        if self.score == "softmax":
            scores = F.softmax(scores, axis=1)
        self.banks[number].add(
            pixel_rows(out["feature"].astype("float32")), surest_pixels(
                scores, label, least=self.least, quota=self.quota,
                ignore_index=self.ignore_index))

    def high(self, number, seen, label):
        """Labelled and sure pixels of a student against its own bank.

        Args:
            number (int): 0 or 1.
            seen (sequence of Seen): of both students.
            label (Tensor): int64 [B, h, w] of the labelled images.

        Returns: scalar, nats, the mean over the classes found; 0 if none is.
        """
        own = seen[number]
        known = label != self.ignore_index
        used = paddle.concat([known, own.conf >= self.conf_thresh])
        pixels = used.flatten().nonzero().flatten()
        rows = pixel_rows(paddle.concat([own.labeled, own.unlabeled]))
        if len(pixels) == 0:
            return (rows * 0).sum()
        label = paddle.gather(paddle.concat([label, own.label]).flatten(),
                              pixels)
        value = bank_contrast(
            unit_rows(paddle.gather(rows, pixels)), label,
            unit_rows(self.banks[number].rows()),
            temperature=self.temperatures[0])
        return class_mean(value, label, self.num_classes)

    def low(self, number, seen):
        """Less sure pixels of a student against its peer and both banks.

        The class is the peer's own prediction; see `high`.
        """
        own, peer = seen[number], seen[1 - number]
        used = own.conf < self.conf_thresh
        if self.low_pixels == "directional":
            used = used & self.peer_is_surer(number, own, peer)
        pixels = used.flatten().nonzero().flatten()
        rows = pixel_rows(own.unlabeled)
        if len(pixels) == 0:
            return (rows * 0).sum()
        label = paddle.gather(peer.scores.argmax(axis=1).flatten(), pixels)
        both = paddle.concat([bank.rows() for bank in self.banks], axis=1)
        value = contrast(
            unit_rows(paddle.gather(rows, pixels)),
            unit_rows(paddle.gather(pixel_rows(peer.unlabeled.detach()),
                                    pixels)),
            label, *labeled_rows(unit_rows(both)),
            temperature=self.temperatures[1], numerics="logsumexp")
        return class_mean(value, label, self.num_classes)

    @paddle.no_grad()
    def peer_is_surer(self, number, own, peer):
        """Where the peer is right to be followed: bool [B, h, w]."""
        sure, other = (F.softmax(x.scores, axis=1).max(axis=1)
                       for x in (own, peer))
        # Of equals, the second student follows.
        surer = other > sure if number == 0 else other >= sure
        return surer & (other >= self.conf_thresh)
