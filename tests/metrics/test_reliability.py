# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Reliability by hand."""

import numpy as np
import pytest

from contrib_semiseg.metrics.reliability import (
    agreement,
    most_reliable,
    reliability,
)

A = np.array([[0, 0, 1, 1]], np.uint8)
B = np.array([[0, 0, 0, 2]], np.uint8)


def test_classes_of_either_map_count():
    # class 0: 2 of 3, class 1: 0 of 2, class 2: 0 of 1; 3 to 20 are absent.
    assert agreement(A, B, 21) == pytest.approx((2 / 3) / 3)
    assert agreement(A, A, 21) == 1


def test_no_class_is_ignored():
    high = np.full((1, 4), 255, np.uint8)
    assert agreement(high, high, 256) == 1
    assert agreement(high, A, 256) == 0


def test_earlier_maps_are_compared_with_the_last():
    score, each = reliability([A, B, B], 3)
    assert each.tolist() == [pytest.approx(2 / 9), 1]
    assert score == pytest.approx((2 / 9 + 1) / 2)
    with pytest.raises(ValueError, match="1 maps; allowed: 2 or more"):
        reliability([A], 3)


def test_the_better_half_comes_first_and_ties_keep_their_order():
    assert most_reliable([0.1, 0.9, 0.5, 0.9, 0.5]) == ([1, 3], [2, 4, 0])
    assert most_reliable([0.3]) == ([], [0])
    # So many that an unstable sort would mix them.
    scores = [0.5, 0.25] * 500
    assert sum(most_reliable(scores), []) == [*range(0, 1000, 2),
                                              *range(1, 1000, 2)]
