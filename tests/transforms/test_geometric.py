# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.transforms.geometric import (
    CenterPad,
    PadRandomCrop,
    RandomCrop,
    RandomLongSide,
    RandomMirror,
    RandomScale,
    RandomSpreadScale,
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


def test_scaling_by_the_factor_rounds_the_size():
    op = RandomScale(factors=[1.6], by_factor=True)
    # 52 * 1.6 = 83.2 and 7 * 1.6 = 11.2: the grid is not stretched to them.
    ramp = np.tile(np.arange(52, dtype=np.float32)[None, :, None], (7, 1, 3))
    data = {"img": ramp, "label": ramp[..., 0].astype(np.uint8),
            "gt_fields": ["label"], "rng": np.random.default_rng(0)}
    data = op(data)
    assert data["img"].shape == (11, 83, 3) and data["label"].shape == (
        11, 83)
    places = (np.arange(83) + 0.5) / 1.6 - 0.5
    np.testing.assert_allclose(data["img"][3, :, 0], places.clip(0, 51),
                               atol=0.02)
    assert abs(data["label"][3] - places).max() <= 1


def test_spread_scales_shrink_as_often_as_they_enlarge():
    op, rng = RandomSpreadScale(min_scale=0.4, max_scale=3.0), \
        np.random.default_rng(0)
    drawn = np.array([op.draw(rng) for _ in range(4000)])
    assert 0.4 <= drawn.min() < 0.41 and 2.99 < drawn.max() <= 3.0
    small = drawn < 1
    assert abs(small.mean() - 0.5) < 0.03
    assert abs(drawn[small].mean() - 0.7) < 0.02
    assert abs(drawn[~small].mean() - 2.0) < 0.05
    with pytest.raises(ArgumentError, match="max_scale"):
        RandomSpreadScale(max_scale=0.9)


def test_labels_of_a_spread_scale_are_the_pixels_before():
    data = sample(side=45)
    data["img"] = data["img"].astype(np.float32) / 7
    data["label"] = np.repeat(np.arange(45, dtype=np.uint8)[:, None], 45, 1)
    data = RandomSpreadScale().apply(data, 0.56)
    assert data["img"].shape == (25, 25, 3)
    assert data["img"].dtype == np.float32
    # 45 / 25 of row 5 is exactly 9.
    assert data["label"][:6, 3].tolist() == [0, 1, 3, 5, 7, 9]


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
    inside = RandomCrop(crop_size=[8, 20], inside=True)
    starts = [inside.draw(rng, 20, 20) for _ in range(400)]
    assert {top for top, _ in starts} == {0}
    assert {left for _, left in starts} == set(range(13))


def test_pad_is_centred_and_marked():
    data = sample(side=5)
    data["img"] = data["img"].astype(np.float32) + 1
    label = data["label"]
    data = CenterPad(size=[8, 4], ignore_index=7)(data)
    assert data["img"].shape == (5, 8, 3)
    np.testing.assert_array_equal(data["label"][:, 1:6], label)
    assert (data["label"][:, [0, 6, 7]] == 7).all()
    other = CenterPad(size=[8, 4], ignore_index=7, pad_label=0)(sample(side=5))
    assert not other["label"][:, [0, 6, 7]].any()
    assert (data["img"][data["valid"] == 0] == 0).all()
    assert (data["img"][data["valid"] == 1] >= 1).all()
    np.testing.assert_array_equal(data["valid"][0],
                                  [0, 1, 1, 1, 1, 1, 0, 0])


def test_the_longer_side_is_drawn_and_the_other_one_follows():
    op, rng = RandomLongSide(min_scale=0.5, max_scale=1.3), \
        np.random.default_rng(0)
    for shape in ((21, 15), (15, 21)):
        sides = {op.draw(rng, *shape) for _ in range(600)}
        assert sides == set(range(10, 28))  # int(10.5) to int(27.3)
    data = sample(side=20)
    data["img"], data["label"] = data["img"][:, :13], data["label"][:, :13]
    # 13 * 30 / 20 = 19.5, rounded half up.
    assert op.apply(data, 30)["img"].shape == (30, 20, 3)
    assert data["label"].shape == (30, 20)
    assert set(np.unique(data["label"])) <= {0, 1, 2, 3}


def test_shrinking_smooths_the_image_and_picks_labels():
    board = (np.indices((16, 16)).sum(axis=0) % 2).astype(np.uint8)
    data = dict(img=np.repeat(255 * board[..., None], 3, axis=2),
                label=9 * board, gt_fields=["label"])
    data = RandomLongSide().apply(data, 8)
    assert data["img"].min() > 100 and data["img"].max() < 155
    assert set(np.unique(data["label"])) <= {0, 9}


def test_a_thin_image_keeps_a_pixel():
    data = dict(img=np.zeros((40, 1, 3), np.uint8))
    assert RandomLongSide().apply(data, 10)["img"].shape == (10, 1, 3)


def test_pad_crop_starts_at_every_place_of_a_full_window():
    op, rng = PadRandomCrop(crop_size=[8, 30]), np.random.default_rng(0)
    starts = [op.draw(rng, 20, 20) for _ in range(400)]
    assert {top for top, _ in starts} == {0}
    assert {left for _, left in starts} == set(range(13))
    before = sample()
    image, label = before["img"], before["label"]
    data = op.apply(before, 0, 12)
    assert data["img"].shape == (30, 8, 3)
    np.testing.assert_array_equal(data["label"][:20], label[:, 12:])
    np.testing.assert_array_equal(data["img"][:20], image[:, 12:])
    assert not data["img"][20:].any() and (data["label"][20:] == 255).all()
    assert (data["valid"][:20] == 1).all() and not data["valid"][20:].any()


def test_padding_has_the_colour_asked_for():
    data = {"img": np.zeros((2, 3, 3), np.uint8), "rng":
            np.random.default_rng(0), "gt_fields": []}
    data = PadRandomCrop(crop_size=[4, 3], fill=[9, 8, 7])(data)
    assert data["img"].shape == (3, 4, 3)
    assert data["img"][2, 0].tolist() == data["img"][0, 3].tolist() == [
        9, 8, 7]
    assert not data["img"][:2, :3].any()
    with pytest.raises(ArgumentError, match="fill"):
        PadRandomCrop(crop_size=[4, 3], fill=[0.5, 0.5, 0.5])


def test_padding_stays_marked_through_what_follows():
    data = PadRandomCrop(crop_size=[12, 10])(sample(side=9))
    data = CenterPad(size=[14, 10], ignore_index=1)(
        RandomMirror(prob=1.0)(data))
    # Three columns on the right, mirrored to the left; then one each side.
    np.testing.assert_array_equal(data["valid"][0],
                                  [0] * 4 + [1] * 9 + [0])
    assert not data["valid"][9].any()
    assert data["gt_fields"] == ["label", "valid"]
    whole = PadRandomCrop(crop_size=[5, 5])(sample(side=9))["valid"]
    assert whole.shape == (5, 5) and (whole == 1).all()


def test_scales_in_the_wrong_order():
    with pytest.raises(ArgumentError, match="max_scale = 2.0"):
        RandomLongSide(min_scale=3.0)


def test_the_long_side_may_come_from_one_size_for_all_images():
    op, rng = RandomLongSide(base_size=40, min_scale=0.5, max_scale=1.1), \
        np.random.default_rng(0)
    for shape in ((21, 15), (300, 400)):
        sides = {op.draw(rng, *shape) for _ in range(900)}
        assert sides == set(range(20, 45))
    assert op.size(30, 20, 13) == (30, 20) and op.size(30, 13, 20) == (20, 30)
