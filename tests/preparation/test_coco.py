# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.datasets.coco import CLASS_NAMES
from contrib_semiseg.datasets.label_ids import KNOWN
from contrib_semiseg.preparation import coco
from tests.preparation.prepared import lines, mask, prepare
from tests.support import official_trees as trees

pytest.importorskip("pycocotools")


def check_masks(root, masks):
    found = sorted((root / "masks").rglob("*.png"))
    assert len(found) == len(masks)
    for path in found:
        inside = path.relative_to(root / "masks").with_suffix("").as_posix()
        assert np.array_equal(mask(path), masks[inside]), inside


def test_the_table_of_classes():
    ids = KNOWN["coco"]
    assert len(ids) == len(CLASS_NAMES) == 81 and ids[0] == 0
    known = {1: "person", 11: "fire hydrant", 13: "stop sign", 25: "giraffe",
             27: "backpack", 44: "bottle", 46: "wine glass", 65: "bed",
             67: "dining table", 70: "toilet", 82: "refrigerator",
             84: "book", 90: "toothbrush"}
    assert {i: CLASS_NAMES[ids.index(i)] for i in known} == known


def test_instances_are_painted_the_small_ones_on_top(tmp_path):
    masks = trees.coco(tmp_path, CLASS_NAMES, crowd=6)
    prepare("coco", tmp_path, tmp_path / "coco")
    check_masks(tmp_path / "coco", masks)
    assert lines(tmp_path / "coco/train.txt")[0] == (
        "train2017/000000000009.jpg\tmasks/train2017/000000000009.png")
    assert len(lines(tmp_path / "coco/train.txt")) == 3
    assert len(lines(tmp_path / "coco/val.txt")) == 2


def test_crowds_may_be_ignored(tmp_path):
    masks = trees.coco(tmp_path, CLASS_NAMES, crowd=255)
    prepare("coco", tmp_path, tmp_path / "coco", "--ignore_crowd", workers=2)
    check_masks(tmp_path / "coco", masks)
    with pytest.raises(DataError, match="ignore_crowd True, and not with "
                       "masks instances, ignore_crowd False"):
        prepare("coco", tmp_path, tmp_path / "coco")


def test_panoptic_things_have_their_classes(tmp_path):
    masks = trees.coco_panoptic(tmp_path, CLASS_NAMES)
    prepare("coco", tmp_path, tmp_path / "coco", "--masks", "panoptic")
    check_masks(tmp_path / "coco", masks)
    assert not list((tmp_path / "coco").glob("*.zip"))
    # The same of what the user has unpacked.
    archive = tmp_path / "panoptic_annotations_trainval2017.zip"
    trees.unpack(archive, tmp_path / "open")
    archive.unlink()
    for part in ("train2017", "val2017"):
        trees.unpack(tmp_path / f"open/annotations/panoptic_{part}.zip",
                     tmp_path / "open/annotations")
        trees.unpack(tmp_path / f"{part}.zip", tmp_path / "open")
    prepare("coco", tmp_path / "open", tmp_path / "other", "--masks",
            "panoptic")
    check_masks(tmp_path / "other", masks)


def test_panoptics_void_and_crowds_may_be_ignored(tmp_path):
    trees.coco_panoptic(tmp_path, CLASS_NAMES)
    prepare("coco", tmp_path, tmp_path / "coco", "--masks", "panoptic",
            "--ignore_crowd")
    found = mask(tmp_path / "coco/masks/val2017/000000000139.png")
    assert set(np.unique(found)) == {0, 80, 255}
    assert np.mean(found == 255) == pytest.approx(0.5, abs=0.03)


def test_an_image_that_the_archive_lacks_is_named(tmp_path):
    trees.coco(tmp_path, CLASS_NAMES)
    trees.write_zip(tmp_path / "val2017.zip", {
        "val2017/000000000285.jpg": trees.jpeg(trees.picture(0))})
    with pytest.raises(DataError, match="val2017/000000000139.jpg is in the "
                       "annotations, and not in val2017.zip"):
        prepare("coco", tmp_path, tmp_path / "coco")


def test_other_categories_are_refused(tmp_path):
    names = [*CLASS_NAMES]
    names[3] = "lorry"
    trees.coco(tmp_path, names)
    with pytest.raises(DataError, match="category 3 is 'lorry'.*'car'"):
        prepare("coco", tmp_path, tmp_path / "coco")


def test_an_unknown_category_of_an_annotation_is_named():
    with pytest.raises(DataError, match="annotation 5 has the category 99"):
        coco._class({1: 1}, {"id": 5, "category_id": 99})


def test_run_lengths_that_are_packed():
    from pycocotools import mask as coder

    shape = np.zeros((6, 5), bool)
    shape[2:4, 1:3] = True
    packed = coder.encode(np.asfortranarray(shape.astype(np.uint8)))
    packed["counts"] = packed["counts"].decode()
    found = coco.paint(6, 5, [(7, packed, 4, False, 1)], False)
    assert np.array_equal(found, np.where(shape, 7, 0))


def test_equal_areas_are_painted_in_order_of_their_numbers():
    shapes = [(c, trees.square(0, 0, 4, 4), 16, False, i)
              for c, i in ((1, 20), (2, 10))]
    assert (coco.paint(4, 4, shapes, False) == 1).all()
    assert (coco.paint(4, 4, shapes[::-1], False) == 1).all()
