# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.engine import predictor

PALETTE = np.array([[9, 8, 7], [200, 100, 0]], np.uint8)


def read(path):
    if "broken" in path:
        raise DataError(f"{path} is broken")
    return np.full((3, 4, 3), 50, np.uint8)


def one_right_column(image):
    classes = np.zeros(image.shape[:2], np.uint8)
    classes[:, -1] = 1
    return classes, None


def files(folder):
    return sorted(os.path.relpath(os.path.join(where, name), folder)
                  for where, _, names in os.walk(folder) for name in names)


def test_three_pictures_per_image_under_its_own_name(tmp_path):
    broken = predictor.predict(
        one_right_column, [("x/a.jpg", "a.jpg"), ("x/broken.png", "b.png"),
                           ("x/s/c.png", "s/c.png")],
        read=read, save_dir=str(tmp_path), palette=PALETTE)
    assert broken == ["x/broken.png"]
    assert files(tmp_path) == [
        "class_map/a.png", "class_map/s/c.png", "color/a.png",
        "color/s/c.png", "overlay/a.jpg", "overlay/s/c.jpg"]
    with Image.open(tmp_path / "class_map/a.png") as image:
        assert image.mode == "P"  # colours to look at, indices to read
        assert np.array(image).tolist() == [[0, 0, 0, 1]] * 3
        assert image.convert("RGB").getpixel((3, 0)) == (200, 100, 0)
    color = cv2.imread(str(tmp_path / "color/a.png"))[:, :, ::-1]
    np.testing.assert_array_equal(color[0], PALETTE[[0, 0, 0, 1]])


def test_names_that_differ_in_the_suffix_alone_stay_apart():
    assert predictor.output_names(["a.jpg", "a.png", "b.png", "s/a.png"]) == [
        "a.jpg", "a.png", "b", "s/a"]


def test_a_failed_write_leaves_no_half_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(predictor.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        predictor.predict(one_right_column, [("a.jpg", "a.jpg")], read=read,
                          save_dir=str(tmp_path))
    assert not files(tmp_path)
