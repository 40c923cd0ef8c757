# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Entropy of predictions and its percentiles, where the tensors are."""

import paddle
import paddle.nn.functional as F


@paddle.no_grad()
def entropy(logits):
    """Entropy of each pixel's softmax, without gradient.

    Args:
        logits (Tensor): [N, C, H, W] float32.

    Returns: float32 [N, H, W], nats, in [0, ln C] up to rounding.
    Source: the U2PL release, which adds 1e-10 in the logarithm.
    """
    probability = F.softmax(logits.detach(), axis=1)
    return -(probability * (probability + 1e-10).log()).sum(axis=1)


@paddle.no_grad()
def percentiles(values, used, percents):
    """Percentiles of the used values, as `numpy.percentile` interpolates.

    One sort serves all, and nothing is copied to the host. The value between
    two neighbours a and b is formed in float64 from their float32
    difference, as numpy does, and then rounded: float32 comparisons with it
    come out as with numpy's.

    Args:
        values (Tensor): float32, any shape, finite.
        used (Tensor): bool, the same shape.
        percents (sequence of float): each in [0, 100].

    Returns: list of float32 scalars; +inf if no value is used.
    """
    ordered = paddle.where(used, values, paddle.full_like(
        values, float("inf"))).flatten().sort()
    last = (used.astype("int64").sum() - 1).clip(min=0)
    found = []
    for percent in percents:
        place = last.astype("float64") * (percent / 100)
        below = place.floor()
        share = place - below
        below = below.astype("int64")
        low, high = paddle.gather(ordered, paddle.stack(
            [below, paddle.minimum(below + 1, last)])).unbind()
        gap = (high - low).astype("float64")
        low, high = low.astype("float64"), high.astype("float64")
        between = paddle.where(share < 0.5, low + gap * share,
                               high - gap * (1 - share))
        found.append(paddle.where(share > 0, between, low).astype("float32"))
    return found
