# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Chosen classes: their law, and their mask by hand."""

import numpy as np
import paddle

from contrib_semiseg.mixing.class_mask import (
    choose_half,
    class_mask,
    classes_present,
)


def test_mask_of_the_chosen_classes():
    label = paddle.to_tensor([[[0, 1, 2], [255, -1, 1]],
                              [[2, 2, 0], [0, 0, 0]]])
    present = classes_present(label, 4)
    assert present.tolist() == [[True, True, True, False],
                                [True, False, True, False]]
    chosen = paddle.to_tensor([[True, False, True, False],
                               [False, False, False, True]])
    mask = class_mask(label, chosen)
    assert mask.shape == [2, 1, 2, 3]
    assert mask[:, 0].astype("int64").tolist() == [
        [[1, 0, 1], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]


def test_every_class_is_chosen_as_often():
    paddle.seed(0)
    present = paddle.to_tensor([[True, False, True, True, True, True],
                                [False, False, True, False, False, False],
                                [True, True, True, True, False, False]])
    rows = np.stack([choose_half(present, paddle.rand([3, 6])).numpy()
                     for _ in range(2000)])
    assert (rows.sum(axis=2) == [2, 0, 2]).all()
    share = rows.mean(axis=0)
    assert abs(share[0, [0, 2, 3, 4, 5]] - 0.4).max() < 0.04
    assert abs(share[2, :4] - 0.5).max() < 0.04
    assert not rows[:, ~present.numpy()].any()
    # The two are drawn independently of each other but for their number.
    both = (rows[:, 0, 0] & rows[:, 0, 2]).mean()
    assert abs(both - 0.1) < 0.03
