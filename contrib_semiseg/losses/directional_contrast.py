# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Contrast of one view's cells with another's, against a memory of cells."""

import paddle
from paddle.autograd import PyLayer

from contrib_semiseg.losses.chunks import in_chunks

# Rows of the memory that are compared at once. In "release" numerics the
# largest similarity is that of the first such block.
BLOCK = 8000
_CHUNK = 512  # anchors that are compared at once
_EPS = 1e-8


@paddle.no_grad()
def masked_sums(anchor, positive, label, bank, bank_label, *, temperature,
                numerics):
    """What the loss of some anchors and its gradient are made of.

    With p_i = <a_i, b_i> / T and s_ij = <a_i, n_j> / T, all after the
    largest exponent m_i was taken off:

    Args: see `contrast`.

    Returns: (p, m, total, pull): float32 [n, 1] three times and [n, C]:
        total_i = exp(p_i - m_i) + sum of exp(s_ij - m_i) over the rows j of
        another label, and pull_i = that second sum with n_j as factors.
    """
    release = numerics == "release"
    similar = (anchor * positive).sum(axis=1, keepdim=True) / temperature
    most, label = similar, label.unsqueeze(1)
    total, pull = paddle.zeros_like(similar), paddle.zeros_like(anchor)
    for start in range(0, len(bank), BLOCK):
        rows = bank[start:start + BLOCK]
        power = paddle.matmul(anchor, rows, transpose_y=True) / temperature
        other = label != bank_label[start:start + BLOCK]
        if not release:
            power = paddle.where(other, power,
                                 paddle.full([], -float("inf")))
        if not release or start == 0:
            before = most
            most = paddle.maximum(most, power.max(axis=1, keepdim=True))
            shrink = paddle.exp(before - most)
            total, pull = total * shrink, pull * shrink
        power = power.subtract_(most).exp_() * other.astype(power.dtype)
        total = total + power.sum(axis=1, keepdim=True)
        pull = pull + paddle.matmul(power, rows)
    return similar, most, total + paddle.exp(similar - most), pull


def _value_and_gradient(anchor, positive, label, bank, bank_label,
                        temperature, numerics):
    """Loss [n] of some anchors, and its gradient [n, C] by them."""
    similar, most, total, pull = masked_sums(
        anchor, positive, label, bank, bank_label, temperature=temperature,
        numerics=numerics)
    if numerics == "release":
        total = total + _EPS
        ratio = paddle.exp(similar - most) / total
        value, weight = -paddle.log(ratio + _EPS), ratio / (ratio + _EPS)
    else:
        # The ratio may underflow, its logarithm does not.
        ratio = paddle.exp(similar - most) / total
        value, weight = most + paddle.log(total) - similar, 1.0
    gradient = weight * (pull / total - (1 - ratio) * positive)
    return value.squeeze(1), gradient / temperature


class _Contrast(PyLayer):
    """`contrast`, whose gradient is found on the way forward.

    Only the anchors have one, and it is a sum over the memory as the value
    is: so nothing of the size anchors x memory is ever kept.
    """

    @staticmethod
    def forward(ctx, anchor, positive, label, bank, bank_label, temperature,
                numerics):
        value, gradient = in_chunks(
            lambda *rows: _value_and_gradient(*rows, bank, bank_label,
                                              temperature, numerics),
            _CHUNK, anchor, positive, label)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    def backward(ctx, upstream):
        gradient, = ctx.saved_tensor()
        return upstream.unsqueeze(1) * gradient, None, None, None, None


def contrast(anchor, positive, label, bank, bank_label, *, temperature=0.1,
             numerics="release"):
    """-log of the positive's share among itself and the negatives.

    For anchor a_i, its positive b_i and the rows n_j of the memory, with
    p_i = <a_i, b_i> / T, s_ij = <a_i, n_j> / T:

        D_i = exp(p_i - m_i) + sum_{j: y_j != y_i} exp(s_ij - m_i)
        value_i = -log(exp(p_i - m_i) / (D_i + 1e-8) + 1e-8)

    m_i is the largest of p_i and s_ij over the first `BLOCK` rows, those of
    the anchor's own label among them. The second 1e-8 caps the value at
    18.42, where an anchor far from its positive gets no gradient any more.

    Memory is linear in n and in M: one tile of similarities exists at a
    time.

    Args:
        anchor (Tensor): [n, C] float32, rows of length 1, n >= 1; the only
            input with a gradient.
        positive (Tensor): [n, C] float32, rows of length 1.
        label (Tensor): [n] int64, the ANCHORS' labels.
        bank (Tensor): [M, C] float32, rows of length 1.
        bank_label (Tensor): [M] int64.
        temperature (float): T > 0.
        numerics (str): "release" as above, or "logsumexp": exactly
            -p_i + log(exp(p_i) + sum exp(s_ij)), without the two 1e-8.

    Returns: [n] float32, nats.
    Source: CAC (CVPR 2021); blocks and constants are the release's.
    """
    return _Contrast.apply(anchor, positive.detach(), label, bank.detach(),
                           bank_label, temperature, numerics)


def directional_contrast(anchor, positive, label, learns, bank, bank_label, *,
                         temperature=0.1, numerics="release"):
    """Mean `contrast` of the anchors that learn.

    Args:
        learns (Tensor): [n] bool, n may be 0; the others cost nothing.
        The others: see `contrast`.

    Returns: scalar, nats per anchor that learns; 0, with a gradient of 0,
        if none does.
    """
    rows = learns.nonzero().flatten()
    if len(rows) == 0:
        return (anchor * 0).sum()
    return contrast(
        paddle.gather(anchor, rows), paddle.gather(positive, rows),
        paddle.gather(label, rows), bank, bank_label,
        temperature=temperature, numerics=numerics).mean()
