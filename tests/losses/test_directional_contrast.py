# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The contrast against its formula, tile by tile; what has no anchor."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.losses import directional_contrast as module
from contrib_semiseg.losses.directional_contrast import (
    contrast,
    directional_contrast,
)

N, M, C = 11, 23, 5


def units(rng, *shape):
    rows = rng.normal(size=shape)
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows.astype("float32")


@pytest.fixture(params=[0, 1])
def rows(request):
    """Anchors, positives, labels, memory and its labels."""
    rng = np.random.default_rng(request.param)
    found = [units(rng, N, C), units(rng, N, C), rng.integers(0, 3, N),
             units(rng, M, C), rng.integers(0, 3, M)]
    return [paddle.to_tensor(v) for v in found]


def expected(rows, temperature, numerics, block):
    """The formula, with the gradient of autograd."""
    anchor, positive, label, bank, bank_label = rows
    p = (anchor * positive).sum(axis=1) / temperature
    s = anchor @ bank.T / temperature
    other = (label.unsqueeze(1) != bank_label).astype("float32")
    if numerics == "logsumexp":
        whole = paddle.concat([p.unsqueeze(1), s + paddle.log(other)], axis=1)
        return paddle.logsumexp(whole, axis=1) - p
    m = paddle.maximum(p, s[:, :block].max(axis=1)).detach()
    e = paddle.exp(p - m)
    total = e + (other * paddle.exp(s - m.unsqueeze(1))).sum(axis=1)
    return -paddle.log(e / (total + 1e-8) + 1e-8)


def value_and_gradient(rows, loss):
    """Values, and gradients of anchors, positives and memory."""
    rows = [row.clone().detach() for row in rows]
    for i in (0, 1, 3):
        rows[i].stop_gradient = False
    value = loss(rows)
    # Every anchor with a weight of its own.
    (value * paddle.arange(1.0, len(value) + 1)).sum().backward()
    return value.numpy(), rows[0].grad.numpy(), rows[1].grad, rows[3].grad


@pytest.mark.parametrize("numerics", ["release", "logsumexp"])
@pytest.mark.parametrize("temperature", [0.03, 0.5])
@pytest.mark.parametrize("block, chunk", [(8000, 512), (7, 4), (23, 11),
                                          (1, 1)])
def test_value_and_gradient(rows, numerics, temperature, block, chunk,
                            monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    monkeypatch.setattr(module, "_CHUNK", chunk)
    value, grad, positive, bank = value_and_gradient(
        rows, lambda r: contrast(*r, temperature=temperature,
                                 numerics=numerics))
    assert positive is None and bank is None
    wanted, wanted_grad, _, _ = value_and_gradient(
        rows, lambda r: expected(r, temperature, numerics, block))
    np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(grad, wanted_grad, rtol=1e-3,
                               atol=1e-5 * np.abs(wanted_grad).max())


def test_what_far_anchors_learn_depends_on_the_numerics(rows):
    anchor, _, label, bank, bank_label = rows
    far = [anchor, -anchor, label, bank, bank_label]
    release, clean = (value_and_gradient(far, lambda r, k=kind: contrast(
        *r, temperature=0.02, numerics=k))
        for kind in ("release", "logsumexp"))
    np.testing.assert_allclose(release[0], -np.log(1e-8), rtol=1e-5)
    assert np.abs(release[1]).max() < 1e-6 * np.abs(clean[1]).max()
    assert (clean[0] > 40).all() and np.isfinite(clean[1]).all()


def test_only_those_that_learn_count(rows):
    anchor, *others = rows
    learns = paddle.arange(N) % 3 == 1
    anchor.stop_gradient = False
    loss = directional_contrast(anchor, others[0], others[1], learns,
                                *others[2:])
    loss.backward()
    each = contrast(anchor, *others).numpy()
    assert float(loss) == pytest.approx(each[learns.numpy()].mean(), rel=1e-5)
    moved = np.abs(anchor.grad.numpy()).max(axis=1) > 0
    np.testing.assert_array_equal(moved, learns.numpy())


@pytest.mark.parametrize("count", [N, 0])
def test_without_anchors_loss_and_gradient_are_zero(rows, count):
    anchor, positive, label, bank, bank_label = rows
    leaf = anchor.clone().detach()
    leaf.stop_gradient = False
    index = paddle.arange(count)
    some = [paddle.gather(v, index) for v in (leaf, positive, label)]
    loss = directional_contrast(*some, paddle.zeros([count], "bool"), bank,
                                bank_label)
    loss.backward()
    assert float(loss) == 0
    # A gradient of 0 and not none: weight decay goes on, as in the release.
    assert not leaf.grad.numpy().any()


@pytest.mark.parametrize("numerics", ["release", "logsumexp"])
def test_without_negatives_only_the_maximum_can_matter(rows, numerics):
    anchor, _, label, bank, _ = rows
    alone = [anchor, anchor, paddle.zeros_like(label), bank,
             paddle.zeros([M], "int64")]
    value, grad, *_ = value_and_gradient(
        alone, lambda r: contrast(*r, numerics=numerics))
    assert np.abs(value).max() < 1e-6 and np.abs(grad).max() < 1e-4
    assert np.isfinite(value).all() and np.isfinite(grad).all()
