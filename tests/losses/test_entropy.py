# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Entropies by hand, and percentiles bit for bit as numpy's."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.losses.entropy import entropy, percentiles


def test_entropy_by_hand():
    probability = np.array([[1, 0, 0], [0.25, 0.25, 0.5]], np.float32)
    logits = paddle.to_tensor(np.log(probability + 1e-30).T[None, :, :, None])
    logits.stop_gradient = False
    found = entropy(logits)
    assert found.shape == [1, 2, 1] and found.stop_gradient
    assert float(found[0, 0, 0]) == pytest.approx(0, abs=1e-6)
    assert float(found[0, 1, 0]) == pytest.approx(1.5 * np.log(2), rel=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 50, 4097])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_percentiles_are_numpys(count, share):
    rng = np.random.default_rng(count)
    values = rng.gamma(0.5, size=(1, count)).astype("float32")
    used = rng.random((1, count)) < share
    used[0, 0] = True
    percents = [0, 100, 50, 80, 89.25, 7.3, *rng.uniform(0, 100, 30)]
    found = percentiles(paddle.to_tensor(values), paddle.to_tensor(used),
                        percents)
    expected = [np.float32(np.percentile(values[used], p)) for p in percents]
    assert [float(x) for x in found] == [float(x) for x in expected]


def test_percentiles_of_nothing():
    found = percentiles(paddle.ones([2, 3]), paddle.zeros([2, 3], "bool"),
                        [0, 50, 100])
    assert [float(x) for x in found] == [np.inf] * 3
