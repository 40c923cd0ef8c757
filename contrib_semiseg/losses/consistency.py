# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses on pseudo-labels, and between two views of an image."""

import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.losses.cross_entropy import pixel_cross_entropy


def _same_size(name, logits, other):
    if logits.shape[2:] != other.shape[-2:]:
        raise ValueError(f"{name}: logits are {logits.shape[2:]}, the labels "
                         f"{other.shape[-2:]} (H, W); upsample the logits")


def selected_cross_entropy(logits, label, selected, valid):
    """Cross-entropy on trusted pixels: sum(CE selected valid) / sum(valid).

    Args:
        logits (Tensor): [N, C, H, W] float32, before softmax; the only input
            with a gradient.
        label (Tensor): [N, H, W] int64 in [0, C).
        selected (Tensor): [N, H, W] bool, True where the label is trusted.
        valid (Tensor): [N, H, W] bool, False on padding.

    Returns: scalar, nats per VALID pixel: untrusted ones stay in the
        denominator; 0 if none is valid.
    Raises: ValueError if sizes differ.
    Source: UniMatch (arXiv 2208.09910) eq. 2; the denominator is that of the
        release.
    """
    _same_size("selected_cross_entropy", logits, label)
    ce = pixel_cross_entropy(logits, label)
    trusted = (selected & valid).astype(ce.dtype)
    return (ce * trusted).sum() / valid.astype(ce.dtype).sum().clip(min=1.0)


def kept_cross_entropy(logits, label, kept):
    """Cross-entropy of the kept pixels: sum(CE kept) * pixels / sum(kept)^2.

    The fewer are kept, the more each of them counts: the mean over the kept
    pixels is divided by their share of all pixels.

    Args:
        logits (Tensor): [N, C, H, W] float32, before softmax; the only input
            with a gradient.
        label (Tensor): [N, H, W] int64 in [0, C); any value where not kept.
        kept (Tensor): [N, H, W] bool.

    Returns: scalar, nats per kept pixel over their share; 0 if none is kept
        (the release: not finite).
    Raises: ValueError if sizes differ.
    Source: the unsupervised term of U2PL (arXiv 2203.03884) with its
        adaptive weight, as the release has them.
    """
    _same_size("kept_cross_entropy", logits, label)
    label = paddle.where(kept, label, paddle.zeros_like(label))
    ce = pixel_cross_entropy(logits, label)
    share = kept.astype(ce.dtype)
    count = share.sum().clip(min=1.0)
    return (ce * share).sum() / count * (
        share.size / count)


def soft_dice(logits, label, used, smooth=1e-5):
    """1 - Dice of the softmax probabilities, the mean over all classes.

    Each class over the whole batch: 1 - (2 sum(P Y) + s) / (sum(P^2) +
    sum(Y) + s); classes without a pixel count too.

    Args:
        logits (Tensor): [N, C, H, W] float32; the only input with a gradient.
        label (Tensor): [N, H, W] int64; any value where not used.
        used (Tensor): [N, H, W] bool, False where a pixel is left out.
        smooth (float): s.

    Returns: scalar in [0, 1]; 0 if no pixel is used.
    Raises: ValueError if sizes differ.
    Source: the medical variant of the UniMatch release.
    """
    _same_size("soft_dice", logits, label)
    classes = logits.shape[1]
    share = used.astype(logits.dtype).unsqueeze(1)
    probability = F.softmax(logits, axis=1) * share
    label = paddle.where(used, label, paddle.zeros_like(label))
    truth = F.one_hot(label, classes).transpose([0, 3, 1, 2]) * share
    axes = [0, 2, 3]
    overlap = (probability * truth).sum(axis=axes)
    size = (probability.square() + truth).sum(axis=axes)
    return (1 - (2 * overlap + smooth) / (size + smooth)).mean()


@manager.register(manager.LOSSES)
class SoftDiceLoss(nn.Layer):
    """`soft_dice` over the pixels that have a label.

    Args:
        smooth (float): keeps a class without pixels finite.
        ignore_index (int): label left out.
    """

    @check.arguments
    def __init__(self, *, smooth: check.Range(0, exclude_low=True) = 1e-5,
                 ignore_index=255):
        super().__init__()
        self.smooth, self.ignore_index = smooth, ignore_index

    def forward(self, logits, label):
        """[N, C, H, W] logits and [N, H, W] int64 label to [0, 1]."""
        return soft_dice(logits, label, label != self.ignore_index,
                         self.smooth)


def standardize(logits, eps=0.0):
    """Zero mean and unit deviation over the classes of each pixel.

    Args:
        logits (Tensor): [N, C, H, W] float32; divisor of the variance C - 1.
        eps (float): added to the variance. 0, the published value, gives NaN
            where all classes are equal.
    """
    centred = logits - logits.mean(axis=1, keepdim=True)
    variance = centred.square().sum(axis=1, keepdim=True) / (
        logits.shape[1] - 1)
    return centred / (variance + eps).sqrt()


def alignment(logits1, logits2, *, eps=1e-8, used=None):
    """Mean squared difference of standardised logits; both learn.

    It is 2 (C - 1) / C (1 - rho), rho the correlation of the two vectors of
    logits of a pixel.

    Args:
        logits1, logits2 (Tensor): [N, C, H, W] float32.
        eps (float): see `standardize`.
        used (Tensor, optional): bool [N, H, W]; None takes every pixel.

    Returns: scalar, the mean over classes and pixels; 0 if none is used.
    Source: DSSN's pixel-wise contrastive terms, which have neither negatives
        nor a temperature.
    """
    square = (standardize(logits1, eps) - standardize(logits2, eps)).square()
    if used is None:
        return square.mean()
    share = used.astype(square.dtype)
    per_pixel = square.mean(axis=1)
    return (per_pixel * share).sum() / share.sum().clip(min=1.0)


def weighted_cross_entropy(logits, label, weight, ignore_index=None):
    """Cross-entropy times a weight: sum(w CE) / pixels.

    Args:
        logits (Tensor): [N, C, H, W] float32, before softmax; the only input
            with a gradient.
        label (Tensor): [N, H, W] int64 in [0, C) or `ignore_index`.
        weight (Tensor or float): [N, H, W], or one for all pixels, >= 0.
        ignore_index (int, optional): label left out of the sum.

    Returns: scalar, nats per pixel of ALL N H W, whatever their weight and
        label.
    Raises: ValueError if sizes differ.
    Source: the ClassMix and CTT releases.
    """
    _same_size("weighted_cross_entropy", logits, label)
    if ignore_index is not None:
        used = label != ignore_index
        label = paddle.where(used, label, paddle.zeros_like(label))
        weight = weight * used.astype(logits.dtype)
    ce = pixel_cross_entropy(logits, label)
    return (ce * weight).mean()


def weighted_squares(logits, target, weight):
    """Squared difference of probabilities times a weight, the mean over all.

    Args:
        logits (Tensor): [N, C, H, W] float32, before softmax; the only input
            with a gradient.
        target (Tensor): [N, C, H, W] float32, probabilities.
        weight (Tensor or float): [N, H, W], or one for all pixels, >= 0.

    Returns: scalar, the mean over classes and ALL pixels.
    Raises: ValueError if sizes differ.
    Source: mean teacher (arXiv 1703.01780); the weight is that of the CTT
        release.
    """
    _same_size("weighted_squares", logits, target)
    square = (F.softmax(logits, axis=1) - target.detach()).square()
    return (square.mean(axis=1) * weight).mean()
