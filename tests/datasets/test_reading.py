# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.datasets.reading import (
    count_values,
    mask_histogram,
    open_image,
    read_image,
    read_mask,
)

DEEP = (np.arange(48).reshape(6, 8) * 1300).astype(np.uint16)


def deep_rgb(path):
    """RGB of values from 590 to 710, saved with 16 bits a channel."""
    values = DEEP // 650 + 590
    colors = np.dstack([values, values + 1, values + 26])
    cv2.imwrite(str(path), colors[..., ::-1])
    return colors


def turned(path, orientation, array, kind="JPEG"):
    image = Image.fromarray(array)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, kind, exif=exif)
    return path


@pytest.mark.parametrize("name", ["g.png", "g.tif"])
def test_16_bit_grey_is_scaled_evenly(tmp_path, name):
    cv2.imwrite(str(tmp_path / name), DEEP)
    expected = np.rint(DEEP / 257).astype(np.uint8)
    found = read_image(str(tmp_path / name))
    np.testing.assert_array_equal(found, np.dstack([expected] * 3))


@pytest.mark.parametrize("name", ["c.png", "c.tif"])
def test_16_bit_colours_keep_their_precision(tmp_path, name):
    colors = deep_rgb(tmp_path / name)
    found = read_image(str(tmp_path / name), image_range=(600, 700))
    expected = np.clip(np.rint((colors - 600.0) * 2.55), 0, 255)
    np.testing.assert_array_equal(found, expected.astype(np.uint8))
    assert len(np.unique(found)) > 60  # 8 bits would leave 2


def test_16_bits_with_alpha(tmp_path):
    values = np.dstack([DEEP, DEEP, DEEP, np.full_like(DEEP, 9)])
    cv2.imwrite(str(tmp_path / "a.png"), values)
    assert read_image(str(tmp_path / "a.png")).shape == (6, 8, 3)


def test_a_range_leaves_8_bits_alone(tmp_path):
    image = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    Image.fromarray(image).save(tmp_path / "x.png")
    np.testing.assert_array_equal(
        read_image(tmp_path / "x.png", image_range=(0, 10)), image)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_becomes_upright(tmp_path, orientation):
    array = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    path = turned(tmp_path / "t.png", orientation, array, "PNG")
    with Image.open(path) as image:
        expected = np.array(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(read_image(path)[..., 0], expected)
    np.testing.assert_array_equal(read_mask(path), expected)
    np.testing.assert_array_equal(read_mask(path, upright=False), array)
    np.testing.assert_array_equal(read_image(path, upright=False)[..., 1],
                                  array)
    assert mask_histogram(path)[0] == expected.shape[::-1]
    assert mask_histogram(path, upright=False)[0] == (6, 4)


def test_16_bits_are_turned_too(tmp_path):
    path = turned(tmp_path / "t.png", 6, DEEP, "PNG")
    np.testing.assert_array_equal(
        read_image(path)[..., 0], np.rot90(np.rint(DEEP / 257), -1))


def test_a_tag_that_says_nothing_is_passed_over(tmp_path):
    path = turned(tmp_path / "t.jpg", 77, np.zeros((4, 6, 3), np.uint8))
    assert read_image(path).shape == (4, 6, 3)


def test_a_small_jpeg_reads_the_whole_file(tmp_path):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 255, (64, 80, 3), dtype=np.uint8)
    path = tmp_path / "x.jpg"
    Image.fromarray(array).save(path)
    opened = open_image(path, shrink=8)
    assert opened.image.size == (10, 8) and opened.size() == (80, 64)
    turned(path, 6, array)
    assert open_image(path, shrink=8).image.size == (80, 64)
    Image.fromarray(array).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match="x.jpg"):
        open_image(path, shrink=8)


def test_masks_of_one_bit_hold_0_and_1(tmp_path):
    mask = np.array([[True, False], [True, True]])
    Image.fromarray(mask).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), mask)


def test_masks_of_16_bits_do_if_they_fit(tmp_path):
    cv2.imwrite(str(tmp_path / "m.png"), np.array([[3, 255]], np.uint16))
    assert read_mask(tmp_path / "m.png").tolist() == [[3, 255]]
    size, counts = mask_histogram(tmp_path / "m.png")
    assert size == (2, 1) and counts[[3, 255]].tolist() == [1, 1]
    cv2.imwrite(str(tmp_path / "m.png"), np.array([[3, 256]], np.uint16))
    with pytest.raises(DataError, match=r"m.png: .*3 to 256; allowed: 0..255"):
        read_mask(tmp_path / "m.png")


def test_alpha_of_a_mask_must_be_opaque(tmp_path):
    mask = np.array([[[1, 255], [2, 255]]], np.uint8)
    Image.fromarray(mask, "LA").save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[1, 2]]
    mask[0, 1, 1] = 254
    Image.fromarray(mask, "LA").save(tmp_path / "m.png")
    with pytest.raises(DataError, match="m.png: .*transparent in 1 pixels"):
        read_mask(tmp_path / "m.png")


@pytest.mark.parametrize("mask", [
    np.random.default_rng(0).integers(0, 256, (9, 70), dtype=np.uint8),
    np.repeat(np.arange(6, dtype=np.uint8), 40).reshape(5, 48),
    np.zeros((1, 1), np.uint8)])
def test_values_are_counted(mask):
    np.testing.assert_array_equal(
        count_values(mask), np.bincount(mask.ravel(), minlength=256))
