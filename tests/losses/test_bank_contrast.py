# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The contrast with banks against its formula, chunk by chunk."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.losses import bank_contrast as module
from contrib_semiseg.losses.bank_contrast import (
    bank_contrast,
    class_mean,
    labeled_rows,
    unit_rows,
)

N, C, R, D = 11, 3, 4, 5


@pytest.fixture()
def parts():
    """Anchors, their labels and a bank, the first two of length 1."""
    rng = np.random.default_rng(0)
    anchor, bank = (rng.normal(size=s) for s in ((N, D), (C, R, D)))
    anchor /= np.linalg.norm(anchor, axis=-1, keepdims=True)
    bank /= np.linalg.norm(bank, axis=-1, keepdims=True)
    return anchor, rng.integers(0, C, N), bank


def by_hand(anchor, label, bank, temperature):
    values = []
    for a, c in zip(anchor, label):
        power = np.exp(bank @ a / temperature)
        rest = power.sum() - power[c].sum()
        values.append(np.mean(-np.log(power[c] / (power[c] + rest))))
    return np.array(values)


def tensors(anchor, label, bank):
    anchor = paddle.to_tensor(anchor, dtype="float32", stop_gradient=False)
    return anchor, paddle.to_tensor(label), paddle.to_tensor(
        bank, dtype="float32", stop_gradient=False)


@pytest.mark.parametrize("chunk", [1, 4, 64])
@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_value_and_gradient(parts, chunk, temperature, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    anchor, label, bank = tensors(*parts)
    value = bank_contrast(anchor, label, bank, temperature=temperature)
    np.testing.assert_allclose(value, by_hand(*parts, temperature), rtol=1e-4)
    weight = np.arange(1.0, N + 1)
    (value * paddle.to_tensor(weight, "float32")).sum().backward()
    step = 1e-5
    for i, j in ((0, 0), (N - 1, 2), (5, 4)):
        ends = []
        for sign in (1, -1):
            moved = parts[0].copy()
            moved[i, j] += sign * step
            ends.append(by_hand(moved, *parts[1:], temperature)[i])
        slope = weight[i] * (ends[0] - ends[1]) / (2 * step)
        assert float(anchor.grad[i, j]) == pytest.approx(slope, rel=1e-3)
    assert bank.grad is None, "the bank learns nothing"


def test_far_anchors_and_a_low_temperature_stay_finite():
    anchor = paddle.to_tensor([[1.0, 0], [-1, 0]], stop_gradient=False)
    bank = paddle.to_tensor([[[-1.0, 0]], [[1, 0]]])
    value = bank_contrast(anchor, paddle.to_tensor([0, 1]), bank,
                          temperature=0.001)
    np.testing.assert_allclose(value, [2000, 2000], rtol=1e-5)
    value.sum().backward()
    np.testing.assert_allclose(anchor.grad, [[2000, 0], [-2000, 0]],
                               rtol=1e-5)


def test_rows_of_zeros_stay_and_learn_nothing():
    rows = paddle.to_tensor([[3.0, 4], [0, 0]], stop_gradient=False)
    units = unit_rows(rows)
    np.testing.assert_allclose(units, [[0.6, 0.8], [0, 0]], rtol=1e-6)
    (units * paddle.to_tensor([[1.0, 2], [1, 2]])).sum().backward()
    assert rows.grad[0].abs().sum() > 0 and not rows.grad[1].numpy().any()


def test_rows_carry_their_class():
    bank = paddle.arange(12, dtype="float32").reshape([2, 3, 2])
    rows, label = labeled_rows(bank)
    assert label.tolist() == [0, 0, 0, 1, 1, 1]
    assert rows[3].tolist() == [6, 7]


def test_classes_count_alike():
    value = paddle.to_tensor([1.0, 2, 3, 10])
    label = paddle.to_tensor([2, 2, 2, 0])
    assert float(class_mean(value, label, 5)) == 6.0
