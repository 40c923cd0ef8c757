# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Confusion matrix of a whole data set, and every score that comes from it."""

import warnings

import numpy as np


def confusion(pred, label, num_classes, ignore_index=255):
    """Count the pixels of each (true class, predicted class).

    Args:
        pred (ndarray): integers in [0, num_classes), any shape.
        label (ndarray): integers, shape of `pred`. Pixels equal to
            `ignore_index`, and any outside [0, num_classes), are left out.
        num_classes (int): C.
        ignore_index (int): the label of pixels without a class.

    Returns: int64 [C, C]; rows are the truth, columns the prediction.
    Raises: ValueError if the shapes differ.
    """
    pred, label = np.asarray(pred), np.asarray(label)
    if pred.shape != label.shape:
        raise ValueError(f"confusion: the prediction is {pred.shape}, the "
                         f"label {label.shape}")
    label = label.astype(np.int64, copy=False)
    valid = ((label >= 0) & (label < num_classes) & (label != ignore_index))
    # One bin past the end collects what is left out: cheaper than indexing.
    bins = np.where(valid, label * num_classes + pred, num_classes**2)
    counts = np.bincount(bins.ravel(), minlength=num_classes**2 + 1)
    return counts[:-1].reshape(num_classes, num_classes).astype(np.int64)


def ratio(part, whole):
    """part / whole as float64, NaN where `whole` is 0."""
    part = np.asarray(part, np.float64)
    return np.divide(part, whole, out=np.full(part.shape, np.nan),
                     where=np.asarray(whole) != 0)


def plain(value):
    """A number for JSON: None where it is not defined."""
    return None if np.isnan(value) else float(value)


def _nanmean(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN gives NaN
        return float(np.nanmean(values)) if len(values) else float("nan")


class Scores:
    """The scores of a confusion matrix; all in [0, 1], NaN where undefined.

    A class that occurs in neither truth nor prediction has no IoU (NaN) and
    takes no part in the mean; one that is only predicted counts as 0.

    Args:
        matrix (ndarray): int [C, C], rows truth, columns prediction.
        class_names (list[str], optional): C names for the table.

    Source: CPS (CVPR 2021), the evaluation of its release.
    """

    def __init__(self, matrix, class_names=None):
        self.matrix = np.asarray(matrix, np.int64)
        self.class_names = list(class_names or
                                map(str, range(len(self.matrix))))

    @property
    def iou(self):
        """float64 [C], intersection over union of each class."""
        hit = np.diag(self.matrix)
        return ratio(hit, self.matrix.sum(0) + self.matrix.sum(1) - hit)

    @property
    def class_accuracy(self):
        """float64 [C], share of the pixels of a class that were found."""
        return ratio(np.diag(self.matrix), self.matrix.sum(1))

    @property
    def class_share(self):
        """float64 [C], share of each class in the labelled pixels."""
        return ratio(self.matrix.sum(1), self.matrix.sum())

    @property
    def miou(self):
        return _nanmean(self.iou)

    @property
    def miou_no_background(self):
        """mIoU over the classes from 1 on."""
        return _nanmean(self.iou[1:])

    @property
    def accuracy(self):
        """Share of the labelled pixels that are right."""
        return float(ratio(np.trace(self.matrix), self.matrix.sum()))

    @property
    def kappa(self):
        """Cohen's kappa; in [-1, 1]."""
        total = self.matrix.sum()
        if not total:
            return float("nan")
        rows, columns = self.matrix.sum(1) / total, self.matrix.sum(0) / total
        chance = float(rows @ columns)
        return float(ratio(self.accuracy - chance, 1.0 - chance))

    def as_dict(self):
        """Plain values for JSON; an undefined score is None."""
        names = ("miou", "miou_no_background", "accuracy", "kappa")
        values = {name: plain(getattr(self, name)) for name in names}
        values["class_iou"] = {name: plain(iou) for name, iou in
                               zip(self.class_names, self.iou)}
        return values

    def summary(self):
        """Return one line with the scores of the whole set."""
        return (f"mIoU {self.miou:.4f}  accuracy {self.accuracy:.4f}  "
                f"kappa {self.kappa:.4f}  mIoU without class 0 "
                f"{self.miou_no_background:.4f}")

    def table(self):
        """Return a text table: IoU, accuracy and pixel share per class."""
        width = max([5] + [len(name) for name in self.class_names])
        lines = [f"{'class':<{width}}     IoU  accuracy  share of pixels"]
        rows = zip(self.class_names, self.iou, self.class_accuracy,
                   self.class_share)
        for name, *values in rows:
            iou, accuracy, share = ("-" if np.isnan(v) else f"{v:.4f}"
                                    for v in values)
            lines.append(f"{name:<{width}}  {iou:>6}  {accuracy:>8}  "
                         f"{share:>15}")
        return "\n".join(lines)
