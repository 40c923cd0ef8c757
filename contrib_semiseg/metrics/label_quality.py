# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""How many pseudo-labels there are, and how many of them are right."""

import numpy as np

from contrib_semiseg.metrics.confusion import plain, ratio

# What is counted, in pixels by class: of all pixels and of those that some
# network labelled by true class, the weights of the labels by true class and
# by label, those that are right, and the pixels whose label is right.
ROWS = ("pixels", "labelled", "given", "claimed", "right", "correct")


class LabelQuality:
    """Coverage and precision of weighted labels over many images.

    Args:
        num_classes (int): C.
        ignore_index (int): value of pixels without a known class; like any
            outside [0, C) they are left out.
        counts (array, optional): float64 [6, C], see `ROWS`; default 0.
    """

    def __init__(self, num_classes, ignore_index=255, counts=None):
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.counts = np.zeros((len(ROWS), num_classes)) if counts is None \
            else np.array(counts, np.float64).reshape(len(ROWS), -1)

    def add(self, truth, label=None, weight=1.0):
        """Count one map.

        Args:
            truth (ndarray): integers, any shape.
            label (ndarray, optional): integers of that shape, those outside
                [0, C) being no label; None: nothing was labelled.
            weight (ndarray|float): how much each label counts, in [0, 1].
        """
        classes = self.num_classes
        truth = np.asarray(truth).astype(np.int64, copy=False)
        known = ((truth >= 0) & (truth < classes) &
                 (truth != self.ignore_index))
        self._count("pixels", truth[known])
        if label is None:
            return
        label = np.asarray(label)
        weight = np.broadcast_to(np.asarray(weight, np.float64), truth.shape)
        there = known & (label >= 0) & (label < classes)
        truth, label, weight = truth[there], label[there], weight[there]
        same = truth == label
        self._count("labelled", truth)
        self._count("given", truth, weight)
        self._count("claimed", label, weight)
        self._count("right", truth[same], weight[same])
        self._count("correct", truth[same])

    def _count(self, row, classes, weight=None):
        self.counts[ROWS.index(row)] += np.bincount(
            classes.astype(np.int64), weight, minlength=self.num_classes)

    def as_dict(self, class_names):
        """Plain values for JSON; an undefined one is None.

        coverage: mean weight over all pixels, and over those of each class.
        precision: share of right labels by weight, of all and of each class
        of labels. accuracy: of all labels, whatever they weigh. counts: see
        `ROWS`.
        """
        rows = dict(zip(ROWS, self.counts))
        all_of = {name: row.sum() for name, row in rows.items()}

        def named(part, whole):
            return {name: plain(value) for name, value in zip(
                class_names, ratio(rows[part], rows[whole]))}

        return {
            "coverage": plain(ratio(all_of["given"], all_of["pixels"])),
            "precision": plain(ratio(all_of["right"], all_of["claimed"])),
            "accuracy": plain(ratio(all_of["correct"], all_of["labelled"])),
            "class_coverage": named("given", "pixels"),
            "class_precision": named("right", "claimed"),
            "counts": {name: row.tolist() for name, row in rows.items()},
        }
