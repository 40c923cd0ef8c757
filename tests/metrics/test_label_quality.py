# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Coverage and precision of labels, counted by hand."""

import numpy as np
import pytest

from contrib_semiseg.metrics.label_quality import ROWS, LabelQuality

TRUTH = np.array([[0, 0, 0, 1], [1, 2, 9, 255]])
LABEL = np.array([[0, 0, 1, 1], [0, 2, 2, 2]])
WEIGHT = np.array([[1, 1, 0, 1], [1, 0, 1, 1]])


def figures(*maps):
    quality = LabelQuality(3, 255)
    for each in maps:
        quality.add(*each)
    return quality, quality.as_dict(["a", "b", "c"])


def test_weights_of_zero_and_one():
    _, found = figures((TRUTH, LABEL, WEIGHT))
    # Six pixels are known: four have a label, of which three are right.
    assert found["coverage"] == pytest.approx(4 / 6)
    assert found["precision"] == pytest.approx(3 / 4)
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["class_coverage"] == pytest.approx(
        {"a": 2 / 3, "b": 1.0, "c": 0.0})
    assert found["class_precision"]["a"] == pytest.approx(2 / 3)
    assert found["class_precision"]["b"] == 1.0
    assert found["class_precision"]["c"] is None, "it has no label"


def test_parts_of_a_weight():
    _, found = figures((TRUTH, LABEL, np.where(TRUTH == 0, 0.5, 0.25)))
    assert found["coverage"] == pytest.approx((3 * .5 + 3 * .25) / 6)
    assert found["precision"] == pytest.approx((2 * .5 + 2 * .25) / 2.25)


def test_pixels_without_a_label():
    """Ones that nobody labelled, and ones with the value for that."""
    label = np.where(LABEL == 2, 255, LABEL)
    _, found = figures((TRUTH, label))
    assert found["coverage"] == pytest.approx(5 / 6)
    assert found["precision"] == found["accuracy"] == pytest.approx(3 / 5)
    _, found = figures((TRUTH,))
    assert found["coverage"] == 0
    assert found["precision"] is None and found["accuracy"] is None


def test_counts_add_up_over_maps_and_processes():
    both, _ = figures((TRUTH, LABEL, WEIGHT), (TRUTH, TRUTH))
    one, _ = figures((TRUTH, LABEL, WEIGHT))
    two, _ = figures((TRUTH, TRUTH))
    total = LabelQuality(3, 255, one.counts + two.counts)
    np.testing.assert_array_equal(both.counts, total.counts)
    kept = total.as_dict("abc")["counts"]
    again = LabelQuality(3, 255, [kept[name] for name in ROWS])
    np.testing.assert_array_equal(again.counts, both.counts)
    assert LabelQuality(3).counts.sum() == 0
