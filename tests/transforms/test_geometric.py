# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.transforms.geometric import (
    CenterPad,
    RandomCrop,
    RandomMirror,
    RandomScale,
)
from tests.transforms.test_pipeline import sample


def test_mirror_turns_image_and_label_about_half_of_the_time():
    flips = [RandomMirror(prob=0.3).draw(np.random.default_rng(i))
             for i in range(1000)]
    assert 0.25 < np.mean(flips) < 0.35
    before, after = sample(), RandomMirror(prob=1.0)(sample())
    np.testing.assert_array_equal(after["img"], before["img"][:, ::-1])
    np.testing.assert_array_equal(after["label"], before["label"][:, ::-1])


def test_scale_draws_every_factor_and_truncates_the_size():
    op = RandomScale(factors=[0.53, 1.0, 1.9])
    rng = np.random.default_rng(0)
    assert {op.draw(rng) for _ in range(50)} == {0.53, 1.0, 1.9}
    data = op.apply(sample(side=17), 0.53)
    assert data["img"].shape == (9, 9, 3)
    assert data["label"].shape == (9, 9)
    assert set(np.unique(data["label"])) <= {0, 1, 2, 3}
    with pytest.raises(ArgumentError, match="factors"):
        RandomScale(factors=[])


def test_crop_starts_reach_one_past_the_last_full_window():
    op = RandomCrop(crop_size=[8, 30])  # width, height
    rng = np.random.default_rng(0)
    starts = [op.draw(rng, 20, 20) for _ in range(400)]
    assert {top for top, _ in starts} == {0}
    assert {left for _, left in starts} == set(range(14))
    whole = sample()["label"]
    data = op.apply(sample(), 0, 13)
    np.testing.assert_array_equal(data["label"], whole[:, 13:])
    assert data["img"].shape == (20, 7, 3)


def test_pad_is_centred_and_marked():
    data = sample(side=5)
    data["img"] = data["img"].astype(np.float32) + 1
    label = data["label"]
    data = CenterPad(size=[8, 4], ignore_index=7)(data)
    assert data["img"].shape == (5, 8, 3)
    np.testing.assert_array_equal(data["label"][:, 1:6], label)
    assert (data["label"][:, [0, 6, 7]] == 7).all()
    assert (data["img"][~data["valid"]] == 0).all()
    assert (data["img"][data["valid"]] >= 1).all()
    np.testing.assert_array_equal(data["valid"][0],
                                  [0, 1, 1, 1, 1, 1, 0, 0])
