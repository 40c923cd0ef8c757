# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Cross-entropy over valid pixels, plain and on hard examples only."""

import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.cvlibs import check, manager


def _check_sizes(logits, label):
    if logits.shape[2:] != label.shape[1:]:
        raise ValueError(
            f"cross_entropy: logits are {logits.shape[2:]}, label "
            f"{label.shape[1:]} (H, W); upsample the logits first")


# Paddle's kernel for the CPU raises what lies more than 64 below the largest
# logit to that: the loss of an utterly wrong pixel would stay near 64. Its
# gradient is right.
_CUT = 60.0


@paddle.no_grad()
def cut_off(logits, label):
    """What the kernel leaves out of the value of each pixel.

    Args:
        logits (Tensor): [N, C, H, W] float32.
        label (Tensor): [N, H, W] int64.

    Returns: [N, H, W] in nats, to be added; None where nothing is left out,
        as on a GPU.
    """
    if not logits.place.is_cpu_place() or \
            float(logits.max() - logits.min()) < _CUT:
        return None
    label = label.clip(0, logits.shape[1] - 1)
    own = paddle.take_along_axis(logits, label.unsqueeze(1), axis=1)
    exact = paddle.logsumexp(logits, axis=1) - own.squeeze(1)
    return exact - F.cross_entropy(logits, label, axis=1,
                                   reduction="none").reshape(label.shape)


def pixel_cross_entropy(logits, label):
    """Cross-entropy of each pixel, its whole value: [N, H, W] in nats.

    Args:
        logits (Tensor): [N, C, H, W] float32.
        label (Tensor): [N, H, W] int64 in [0, C).
    """
    ce = F.cross_entropy(logits, label, axis=1, reduction="none")
    rest = cut_off(logits, label)
    ce = ce.reshape(label.shape)
    return ce if rest is None else ce + rest


def _per_pixel(logits, label, ignore_index, weight=None):
    """CE of each pixel [N, H, W] (0 where ignored) and its valid mask."""
    _check_sizes(logits, label)
    valid = label != ignore_index
    ce = F.cross_entropy(logits, label, weight=weight, axis=1,
                         ignore_index=ignore_index, reduction="none")
    ce = ce.reshape(label.shape)
    rest = cut_off(logits, label)
    if rest is not None:
        if weight is not None:
            rest = rest * _weight_of(weight, label, valid)
        ce = ce + rest * valid.astype(ce.dtype)
    return ce, valid


def _weight_of(weight, label, valid):
    """The weight of each pixel's class, that of class 0 where ignored."""
    index = paddle.where(valid, label, paddle.zeros_like(label))
    return paddle.gather(weight, index.flatten()).reshape(label.shape)


def cross_entropy(logits, label, ignore_index=None):
    """Mean cross-entropy over the pixels whose label is not `ignore_index`.

    Args:
        logits (Tensor): [N, C, H, W] float32, before softmax; the only input
            with a gradient.
        label (Tensor): [N, H, W] int64 in [0, C) or `ignore_index`.
        ignore_index (int, optional): label left out; None counts every pixel.

    Returns: scalar, nats per valid pixel of the whole batch; 0 with a zero
        gradient if no pixel is valid (the CPS release: NaN).
    Raises: ValueError if logits and label differ in H or W.
    Source: CPS (CVPR 2021) eq. 1; the mean over the batch is the release's.
    """
    _check_sizes(logits, label)
    ignore_index = -100 if ignore_index is None else ignore_index
    loss = F.cross_entropy(logits, label, axis=1, reduction="mean",
                           ignore_index=ignore_index)
    rest = cut_off(logits, label)
    if rest is not None:
        valid = (label != ignore_index).astype(loss.dtype)
        loss = loss + (rest * valid).sum() / valid.sum().clip(min=1.0)
    return loss


def ohem_cross_entropy(logits, label, thresh, min_kept, ignore_index=255):
    """Cross-entropy over hard pixels: true-class probability at most t.

    t = max(thresh, q) with q the `min_kept`-th smallest probability of the
    batch (ignored pixels count as 1), so that at least `min_kept` pixels
    stay. All valid pixels stay if fewer than `min_kept` are valid or
    `min_kept` is 0. The selection carries no gradient.

    Args:
        logits (Tensor): [N, C, H, W] float32, before softmax; the only input
            with a gradient.
        label (Tensor): [N, H, W] int64 in [0, C) or `ignore_index`.
        thresh (float): in (0, 1], inclusive.
        min_kept (int): pixels of the whole batch, >= 0.
        ignore_index (int): label left out.

    Returns: scalar, nats per KEPT pixel; 0 if no pixel is valid (the CPS
        release: NaN).
    Raises: ValueError if logits and label differ in H or W.
    Source: the CPS release's ProbOhem, `p <= t` with ties kept. PaddleSeg's
        loss of the same name keeps `p < t`, one pixel fewer.
    """
    ce, valid = _per_pixel(logits, label, ignore_index)
    keep = valid
    if min_kept > 0:
        # The probability of the true class is exp(-CE). Ignored pixels have
        # a CE of 0 and so count as 1: where too few are valid, the limit is
        # 1 and all of them stay.
        prob = paddle.exp(-ce.detach()).clip(max=1.0)
        kth = paddle.kthvalue(prob.flatten(), min(min_kept, prob.size))[0]
        keep = valid & (prob <= kth.clip(min=thresh))
    keep = keep.astype(ce.dtype)
    return (ce * keep).sum() / keep.sum().clip(min=1.0)


@manager.override(manager.LOSSES)
class CrossEntropyLoss(nn.Layer):
    """PaddleSeg's loss of the same name, working on Paddle 3.

    Args:
        weight (list[float], optional): one weight per class.
        ignore_index (int): label left out.
        top_k_percent_pixels (float): share of the pixels with the largest
            loss that counts, in (0, 1].
        avg_non_ignore (bool): divide by the valid pixels, else by all.
        data_format (str): only "NCHW".
    """

    @check.arguments
    def __init__(self, *,
                 weight: check.ListOf(check.Range(0), optional=True) = None,
                 ignore_index=255,
                 top_k_percent_pixels: check.Range(0, 1,
                                                   exclude_low=True) = 1.0,
                 avg_non_ignore: check.BOOL = True,
                 data_format: check.OneOf("NCHW") = "NCHW"):
        super().__init__()
        self.weight = weight
        self.ignore_index = ignore_index
        self.top_k = top_k_percent_pixels
        self.avg_non_ignore = avg_non_ignore

    def forward(self, logits, label):
        """[N, C, H, W] logits and [N, H, W] int64 label to nats per pixel."""
        if self.weight is None and self.top_k == 1 and self.avg_non_ignore:
            return cross_entropy(logits, label, self.ignore_index)
        weight = (None if self.weight is None else
                  paddle.to_tensor(self.weight, dtype=logits.dtype))
        ce, valid = _per_pixel(logits, label, self.ignore_index, weight)
        # Weighted pixels divide by their summed weights, as PaddleSeg does.
        share = valid.astype(ce.dtype)
        if weight is not None:
            share = share * _weight_of(weight, label, valid)
        if self.top_k < 1:
            count = max(1, int(self.top_k * ce.size))
            ce, index = paddle.topk(ce.flatten(), count)
            share = paddle.gather(share.flatten(), index)
        total = (share.sum().clip(min=1e-8) if self.avg_non_ignore else
                 float(share.size))
        return ce.sum() / total


@manager.override(manager.LOSSES)
class OhemCrossEntropyLoss(nn.Layer):
    """`ohem_cross_entropy` under PaddleSeg's name and arguments.

    Args:
        thresh (float): pixels of at most this probability count.
        min_kept (int): at least so many pixels of the batch on one device
            count; the CPS release uses 50000 per image.
        ignore_index (int): label left out.
    """

    @check.arguments
    def __init__(self, *,
                 thresh: check.Range(0, 1, exclude_low=True) = 0.7,
                 min_kept: check.Range(0, integer=True) = 10000,
                 ignore_index=255):
        super().__init__()
        self.thresh, self.min_kept = thresh, min_kept
        self.ignore_index = ignore_index

    def forward(self, logits, label):
        """[N, C, H, W] logits and [N, H, W] int64 label to nats per pixel."""
        return ohem_cross_entropy(logits, label, self.thresh, self.min_kept,
                                  self.ignore_index)
