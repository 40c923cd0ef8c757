# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Contrast of pixels with banks of good features, class by class."""

import paddle
import paddle.nn.functional as F
from paddle.autograd import PyLayer

_CHUNK = 512  # anchors that are compared with the bank at once
_EPS = 1e-8  # least length of a feature


def unit_rows(rows):
    """Rows [n, D] brought to length 1; zeros stay zeros and learn nothing."""
    square = rows.square().sum(axis=1, keepdim=True)
    length = square.clip(min=_EPS**2).sqrt()
    return rows * paddle.where(square > _EPS**2, 1 / length,
                               paddle.zeros_like(length))


def bank_rows(bank):
    """A bank [C, R, D] as rows of length 1 [C R, D] with labels [C R]."""
    classes, slots, width = bank.shape
    label = paddle.arange(classes).unsqueeze(1).expand([classes, slots])
    return unit_rows(bank.reshape([-1, width])), label.flatten()


@paddle.no_grad()
def _value_and_gradient(anchor, label, bank, bank_label, temperature):
    """Loss [n] of some anchors, and its gradient [n, D] by them."""
    power = paddle.matmul(anchor, bank, transpose_y=True) / temperature
    own = label.unsqueeze(1) == bank_label
    others = paddle.where(own, paddle.full([], -float("inf")), power)
    total = paddle.logsumexp(others, axis=1, keepdim=True)
    share = own.astype(power.dtype)
    count = share.sum(axis=1, keepdim=True).clip(min=1.0)
    excess = total - power
    value = (F.softplus(excess) * share).sum(axis=1) / count.squeeze(1)
    # Of each positive's term, the part that its negatives hold.
    part = F.sigmoid(excess) * share
    factor = part.sum(axis=1, keepdim=True) * paddle.exp(others - total) - part
    return value, paddle.matmul(factor / count, bank) / temperature


class _BankContrast(PyLayer):
    """`bank_contrast`, whose gradient is found on the way forward.

    Nothing of the size anchors x bank is ever kept.
    """

    @staticmethod
    def forward(ctx, anchor, label, bank, bank_label, temperature):
        parts = []
        with paddle.amp.auto_cast(enable=False):
            for start in range(0, len(anchor), _CHUNK):
                some = slice(start, start + _CHUNK)
                parts.append(_value_and_gradient(
                    anchor[some], label[some], bank, bank_label,
                    temperature))
        value, gradient = (paddle.concat(part) for part in zip(*parts))
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    def backward(ctx, upstream):
        gradient, = ctx.saved_tensor()
        return upstream.unsqueeze(1) * gradient, None, None, None


def bank_contrast(anchor, label, bank, bank_label, *, temperature):
    """-log of each positive's share among itself and all negatives.

    With s_ij = <a_i, m_j> / T, the positives P_i of anchor i being the rows
    of its own label and the negatives N_i all others:

        value_i = mean_{j in P_i} -log(e^s_ij / (e^s_ij + sum_{k in N_i}
        e^s_ik))

    so that positives do not compete with each other. Memory is linear in the
    number of anchors.

    Args:
        anchor (Tensor): [n, D] float32, rows of length 1, n >= 1; the only
            input with a gradient.
        label (Tensor): [n] int64; each label has rows in the bank, and not
            all rows.
        bank (Tensor): [M, D] float32, rows of length 1.
        bank_label (Tensor): [M] int64.
        temperature (float): T > 0.

    Returns: [n] float32, nats, in (0, ln(M) + 2 / T).
    Source: the high-level contrast of CTT (arXiv 2209.01327), its release.
    """
    return _BankContrast.apply(anchor, label, bank.detach(), bank_label,
                               temperature)


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
