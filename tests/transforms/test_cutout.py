# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Cutout: where its box lies, what it changes, and what it refuses."""

import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.transforms.cutout import RandomCutout


def sample():
    return dict(img=np.full((20, 30, 3), 7, np.uint8),
                label=np.ones((20, 30), np.uint8),
                valid=np.ones((20, 30), np.uint8),
                gt_fields=["label", "valid"])


def test_the_box_gets_noise_and_no_label():
    noise = np.full((3, 5, 3), 200.9)
    before = sample()
    image, label = before["img"], before["label"]
    data = RandomCutout(ignore_index=9).apply(before, ((4, 2, 5, 3), noise))
    assert (data["img"][2:5, 4:9] == 200).all()  # cut to integers
    assert (data["label"][2:5, 4:9] == 9).all()
    assert (data["img"] == 7).sum() == 3 * (600 - 15)
    assert (data["label"] == 1).sum() == 600 - 15
    assert (data["valid"] == 1).all()
    assert (image == 7).all() and (label == 1).all()  # what came is unchanged


def test_boxes_stay_inside_and_keep_their_limits():
    op, rng = RandomCutout(prob=1.0), np.random.default_rng(0)
    for _ in range(500):
        (x, y, w, h), noise = op.draw(rng, 40, 60)
        assert x >= 0 and x + w <= 60 and y >= 0 and y + h <= 40
        assert w * h <= 0.4 * 2400 and noise.shape == (h, w, 3)
        assert (w + 1) * (h + 1) > 0.02 * 2400
        assert (h + 1) / w > 0.3 and h / (w + 1) < 1 / 0.3
        assert noise.min() >= 0 and noise.max() < 255


def test_probability():
    rng = np.random.default_rng(0)
    assert RandomCutout(prob=0.0).draw(rng, 9, 9) is None
    share = np.mean([RandomCutout(prob=0.3).draw(rng, 9, 9) is not None
                     for _ in range(2000)])
    assert abs(share - 0.3) < 0.04


@pytest.mark.parametrize("limits, name", [
    (dict(min_area=0.5), "min_area"), (dict(min_ratio=4), "min_ratio")])
def test_limits_in_the_wrong_order(limits, name):
    with pytest.raises(ArgumentError, match=name):
        RandomCutout(**limits)


def test_a_box_that_never_fits_ends_the_search():
    op = RandomCutout(prob=1.0, min_area=1.0, max_area=1.0, min_ratio=9,
                      max_ratio=9)
    with pytest.raises(ArgumentError, match="a box fits into 30 x 20"):
        op.draw(np.random.default_rng(0), 20, 30)
