# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Contrast of pixels with banks of good features, class by class."""

import paddle
import paddle.nn.functional as F
from paddle.autograd import PyLayer

from contrib_semiseg.losses.chunks import in_chunks

_CHUNK = 256  # anchors that are compared with the bank at once
_EPS = 1e-8  # least length of a feature


def unit_rows(rows):
    """Rows [..., D] brought to length 1; zeros stay zeros and learn nothing.
    """
    square = rows.square().sum(axis=-1, keepdim=True)
    length = square.clip(min=_EPS**2).sqrt()
    return rows * paddle.where(square > _EPS**2, 1 / length,
                               paddle.zeros_like(length))


def labeled_rows(bank):
    """A bank [C, R, D] as rows [C R, D] with their classes, int64 [C R]."""
    classes, slots, width = bank.shape
    label = paddle.arange(classes).unsqueeze(1).expand([classes, slots])
    return bank.reshape([-1, width]), label.flatten()


@paddle.no_grad()
def _value_and_gradient(anchor, label, bank, temperature):
    """Loss [n] of some anchors, and its gradient [n, D] by them."""
    slots = bank.shape[1]
    rows = bank.flatten(0, 1)
    power = paddle.matmul(anchor / temperature, rows, transpose_y=True)
    places = label.unsqueeze(1) * slots + paddle.arange(slots)
    own = paddle.take_along_axis(power, places, 1)
    others = paddle.put_along_axis(
        power, places, paddle.full([], -float("inf")), 1)
    most = others.max(axis=1, keepdim=True)
    others = others.subtract_(most).exp_()
    total = others.sum(axis=1, keepdim=True)
    excess = most + paddle.log(total) - own
    # Of each positive's term, the part that its negatives hold.
    part = F.sigmoid(excess) / slots
    factor = others * (part.sum(axis=1, keepdim=True) / total)
    factor = paddle.put_along_axis(factor, places, -part, 1)
    return (F.softplus(excess).mean(axis=1),
            paddle.matmul(factor, rows) / temperature)


class _BankContrast(PyLayer):
    """`bank_contrast`, whose gradient is found on the way forward.

    Nothing of the size anchors x bank is ever kept.
    """

    @staticmethod
    def forward(ctx, anchor, label, bank, temperature):
        value, gradient = in_chunks(
            lambda *rows: _value_and_gradient(*rows, bank, temperature),
            _CHUNK, anchor, label)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    def backward(ctx, upstream):
        gradient, = ctx.saved_tensor()
        return upstream.unsqueeze(1) * gradient, None, None


def bank_contrast(anchor, label, bank, *, temperature):
    """-log of each positive's share among itself and all negatives.

    With s_ij = <a_i, m_j> / T, the positives P_i of anchor i being the rows
    of its own class and the negatives N_i those of all others:

        value_i = mean_{j in P_i} -log(e^s_ij / (e^s_ij + sum_{k in N_i}
        e^s_ik))

    so that positives do not compete with each other. Memory is linear in the
    number of anchors.

    Args:
        anchor (Tensor): [n, D] float32, rows of length 1, n >= 1; the only
            input with a gradient.
        label (Tensor): [n] int64 in [0, C), C >= 2.
        bank (Tensor): [C, R, D] float32, rows of length 1.
        temperature (float): T > 0.

    Returns: [n] float32, nats, in (0, ln(C R) + 2 / T).
    Source: the high-level contrast of CTT (arXiv 2209.01327), its release.
    """
    return _BankContrast.apply(anchor, label, bank.detach(), temperature)


def class_mean(value, label, num_classes):
    """Mean over the classes found of the mean over each class' rows.

    Args:
        value (Tensor): [n] float32, n >= 1.
        label (Tensor): [n] int64 in [0, C).
        num_classes (int): C.

    Returns: scalar in the unit of `value`.
    """
    count = paddle.bincount(label, minlength=num_classes).astype(value.dtype)
    found = (count > 0).astype(value.dtype).sum()
    return (value / paddle.gather(count, label)).sum() / found
