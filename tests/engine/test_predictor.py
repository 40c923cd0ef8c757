# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import json
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.engine import legend, predictor

PALETTE = np.array([[9, 8, 7], [200, 100, 0]], np.uint8)
IMAGE = np.full((3, 4, 3), 50, np.uint8)
CLASSES = np.array([[0, 0, 0, 1]] * 3, np.uint8)
SURE = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


def outputs(folder, **options):
    return predictor.Outputs(folder, **{"names": ["sky", "road"],
                                        "palette": PALETTE, **options})


def files(folder):
    return sorted(os.path.relpath(os.path.join(where, name), folder)
                  for where, _, names in os.walk(folder) for name in names)


def test_the_files_of_a_picture(tmp_path):
    out = outputs(tmp_path)
    for name in ("a", "s/c"):
        out.save(name, f"{name}.jpg", IMAGE, CLASSES)
    assert files(tmp_path) == [
        "class_map/a.png", "class_map/s/c.png", "color/a.png",
        "color/s/c.png", "overlay/a.jpg", "overlay/s/c.jpg"]
    assert files(tmp_path)[::2] == sorted(os.path.relpath(
        p, tmp_path) for p in out.paths("a"))
    with Image.open(tmp_path / "class_map/a.png") as image:
        assert image.mode == "P"  # colours to look at, indices to read
        assert np.array(image).tolist() == [[0, 0, 0, 1]] * 3
        assert image.convert("RGB").getpixel((3, 0)) == (200, 100, 0)
    color = cv2.imread(str(tmp_path / "color/a.png"))[:, :, ::-1]
    np.testing.assert_array_equal(color[0], PALETTE[[0, 0, 0, 1]])


@pytest.mark.parametrize("bits, most", [(8, 255), (16, 65535)])
def test_confidence_is_grey(tmp_path, bits, most):
    outputs(tmp_path, kinds=["confidence"], confidence_bits=bits).save(
        "a", "a.jpg", IMAGE, CLASSES, SURE)
    found = cv2.imread(str(tmp_path / "confidence/a.png"),
                       cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.dtype(f"uint{bits}")
    np.testing.assert_array_equal(found, np.rint(SURE * most))


def test_an_overlay_has_its_legend_below():
    image = np.full((30, 90, 3), 50, np.uint8)
    classes = np.zeros((30, 90), np.uint8)
    plain = outputs("x", with_legend=False).shown("overlay", image, classes)
    told = outputs("x").shown("overlay", image, classes)
    np.testing.assert_array_equal(told[:30], plain)
    strip = told[30:]
    assert strip.shape[0] > 0 and strip.shape[1:] == (90, 3)
    for color in PALETTE:  # a swatch of each class
        assert (strip == color).all(axis=2).sum() >= 100
    assert outputs("x").shown("color", image, classes).shape == image.shape


def test_a_legend_breaks_into_rows_and_is_cut_off():
    names = ["a long name of a class"] * 3
    rows = [legend.strip(width, names).shape for width in (1000, 250, 20)]
    assert [w for _, w, _ in rows] == [1000, 250, 20]
    assert rows[0][0] * 3 == rows[1][0] == rows[2][0]


def test_polygons_of_several_pictures_become_one_file(tmp_path):
    out = outputs(tmp_path, kinds=["polygons"], min_area=0, tolerance=0)
    for name in ("a", "b"):
        out.save(name, f"{name}.jpg", IMAGE, CLASSES)
    out.join_polygons(["b", "broken", "a"])
    found = json.loads((tmp_path / "polygons.json").read_text())
    assert [(i["id"], i["file_name"]) for i in found["images"]] == [
        (1, "b.jpg"), (2, "a.jpg")]
    rows = found["annotations"]
    assert [row["id"] for row in rows] == [1, 2, 3, 4]
    assert [row["image_id"] for row in rows] == [1, 1, 2, 2]
    assert [row["category_id"] for row in rows] == [1, 2, 1, 2]
    assert [c["name"] for c in found["categories"]] == ["sky", "road"]
    assert rows[1]["bbox"] == [3, 0, 1, 3] and rows[1]["area"] == 3


def test_names_that_differ_in_the_suffix_alone_stay_apart():
    assert predictor.output_names(["a.jpg", "a.png", "b.png", "s/a.png"]) == [
        "a.jpg", "a.png", "b", "s/a"]
    with pytest.raises(DataError, match="no name of an output"):
        predictor.output_names(["../a.png"])


def test_a_failed_write_leaves_no_half_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(predictor.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        outputs(tmp_path).save("a", "a.jpg", IMAGE, CLASSES)
    assert not files(tmp_path)
