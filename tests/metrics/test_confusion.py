# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from contrib_semiseg.metrics.confusion import Scores, confusion


def test_counts_rows_as_truth_and_leaves_out_what_has_no_class():
    label = np.array([[0, 0, 1], [255, 2, 7]], np.uint8)
    pred = np.array([[0, 1, 1], [2, 2, 0]], np.uint8)
    matrix = confusion(pred, label, 3, ignore_index=255)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_an_ignored_class_inside_the_range_is_left_out():
    label, pred = np.array([0, 1, 1]), np.array([0, 0, 1])
    assert confusion(pred, label, 2, ignore_index=0).tolist() == [[0, 0],
                                                                  [1, 1]]


def test_refuses_another_shape():
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\)"):
        confusion(np.zeros(2, int), np.zeros(3, int), 2)


def test_scores_by_hand():
    # Truth: 4 of class 0, 2 of class 1; class 2 is predicted once and class
    # 3 occurs nowhere.
    scores = Scores([[3, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(scores.iou, [3 / 4, 1 / 3, 0, np.nan])
    assert scores.miou == pytest.approx((3 / 4 + 1 / 3 + 0) / 3)
    assert scores.miou_no_background == pytest.approx((1 / 3 + 0) / 2)
    assert scores.accuracy == pytest.approx(4 / 6)
    np.testing.assert_allclose(scores.class_accuracy,
                               [3 / 4, 1 / 2, np.nan, np.nan])
    np.testing.assert_allclose(scores.class_share, [4 / 6, 2 / 6, 0, 0])
    chance = (4 * 3 + 2 * 2) / 36
    assert scores.kappa == pytest.approx((4 / 6 - chance) / (1 - chance))


def test_nothing_labelled_is_undefined_and_no_error():
    scores = Scores(np.zeros((2, 2), int))
    assert np.isnan([scores.miou, scores.accuracy, scores.kappa]).all()
    assert scores.as_dict()["miou"] is None


def test_table_names_every_class():
    scores = Scores([[3, 1], [0, 0]], ["road", "pavement"])
    lines = scores.table().splitlines()
    assert len(lines) == 3 and len({len(line) for line in lines}) == 1
    assert lines[1].split() == ["road", "0.7500", "0.7500", "1.0000"]
    assert lines[2].split() == ["pavement", "0.0000", "-", "0.0000"]
