# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Reliable pixels against memories of unreliable ones, class by class."""

import paddle
from paddle import nn

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.losses.prototype_contrast import (
    class_means,
    class_pixels,
    negative_masks,
    pixel_rows,
    prototype_contrast,
)
from contrib_semiseg.methods.class_memory import ClassMemory


class ClassContrast(nn.Layer):
    """Draws anchors to their class' mean and away from its memory.

    Args:
        num_classes (int): C.
        width (int): D, numbers in a feature.
        low_rank, high_rank, largest, by_label: see `negative_masks`.
        by_position (bool): as in the U2PL release: the memory is that of the
            k-th class found in the batch, but anchors and mean are those of
            class k, and averages start anew for a class that is not used.
        anchor_thresh (float): anchors have a larger probability.
        queries (int): anchors drawn for a class.
        negatives (int): memory rows drawn for each anchor.
        temperature (float): see `prototype_contrast`.
        capacities (list of int), device: see `ClassMemory`.
        average (bool): keep a running average of the means.

    Raises: ArgumentError for ranks that no class can have.
    """

    def __init__(self, *, num_classes, width, low_rank, high_rank, largest,
                 by_label, by_position, anchor_thresh, queries, negatives,
                 temperature, capacities, device=None, average=False):
        super().__init__()
        last = num_classes - 1
        if low_rank > last:
            raise ArgumentError(
                "low_rank", low_rank, f"1 to {last} with num_classes = "
                f"{num_classes}, whose least likely class has rank {last}: "
                "beyond it nothing is a negative and the loss stays 0")
        if high_rank <= low_rank:
            raise ArgumentError("high_rank", high_rank,
                                f"more than low_rank = {low_rank}")
        self.rule = dict(low_rank=low_rank, high_rank=high_rank,
                         largest=largest, by_label=by_label)
        self.by_position, self.anchor_thresh = by_position, anchor_thresh
        self.queries, self.negatives = queries, negatives
        self.temperature = temperature
        self.memory = ClassMemory(capacities=capacities, width=width,
                                  device=device)
        self.average = average
        if average:
            self.register_buffer("means", paddle.zeros([num_classes, width]))

    def forward(self, features, teacher_features, probability, masks, low,
                high, *, labeled, count=0):
        """The loss of a batch, whose negatives enter the memories first.

        Args:
            features (Tensor): [N, D, h, w]; the only input with a gradient.
            teacher_features (Tensor): [N, D, h, w].
            probability (Tensor): [N, C, h, w], the teacher's softmax.
            masks (Tensor): bool [N, C, h, w], see `class_masks`.
            low, high (Tensor): bool [N, 1, h, w], pixels of low and of high
                entropy; of labelled images, where there is a label.
            labeled (int): images with labels, at the start of the batch.
            count (int): iterations before this one, for the average.

        Returns: scalar, nats per anchor, the mean over the classes found,
            of which those without anchors or memory add 0; 0 if there are
            less than two.
        """
        # Sums over a whole batch are no matter for half precision.
        with paddle.amp.auto_cast(enable=False):
            features, teacher_features, probability = (
                x.astype("float32") for x in (
                    features, teacher_features, probability))
            self.memory.append(teacher_features, negative_masks(
                probability, masks, high, labeled, **self.rule))
            reliable = masks & low
            found = reliable.any(axis=[0, 2, 3]).nonzero().flatten().tolist()
            if len(found) < 2:
                return 0.0 * features.sum()
            anchors = class_pixels(reliable &
                                   (probability > self.anchor_thresh))
            pairs = [(own, c) for own, c in zip(
                range(len(found)) if self.by_position else found, found)
                if len(anchors[own]) and len(self.memory.queues[c])]
            positives = self.positives(
                class_means(teacher_features, reliable), pairs, count)
            rows = pixel_rows(features)
            terms = [self.term(rows, anchors[own], mean, c)
                     for (own, c), mean in zip(pairs, positives)]
            return (sum(terms) if terms else
                    0.0 * features.sum()) / len(found)

    def term(self, rows, pixels, mean, c):
        """The loss of drawn anchors against drawn rows of memory c."""
        queue = self.memory.queues[c]
        drawn = self.draw(len(pixels), self.queries)
        anchors = paddle.gather(rows, paddle.gather(pixels, drawn))
        ages = self.draw(len(queue), self.queries * self.negatives)
        negatives = queue.take("feature", ages).reshape(
            [self.queries, self.negatives, -1])
        return prototype_contrast(anchors, mean, negatives, self.temperature)

    @staticmethod
    def draw(count, n):
        """`n` of `count` places, with replacement: int64 [n]."""
        return paddle.randint(0, count, [n], dtype="int64")

    @paddle.no_grad()
    def positives(self, means, pairs, count):
        """The class' mean of each pair, or its running average.

        The average of iteration i keeps min(1 - 1 / i, 0.999).
        """
        positives = [means[own] for own, _ in pairs]
        if not self.average:
            return positives
        if self.means.any():
            keep = min(1 - 1 / max(1, count), 0.999)
            positives = [(1 - keep) * mean + keep * self.means[c]
                         for mean, (_, c) in zip(positives, pairs)]
        if self.by_position:
            self.means.zero_()
        for mean, (_, c) in zip(positives, pairs):
            self.means[c] = mean
        return positives
