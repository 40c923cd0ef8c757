# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""VOC, Cityscapes (in both layouts) and COCO."""

import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs import signature
from contrib_semiseg.cvlibs.errors import ArgumentError, DataError
from contrib_semiseg.datasets import cityscapes
from contrib_semiseg.datasets.base import without_file_check
from contrib_semiseg.datasets.cityscapes import Cityscapes
from contrib_semiseg.datasets.coco import COCO
from contrib_semiseg.datasets.palettes import voc_colors, voc_palette
from contrib_semiseg.datasets.voc import VOC
from tests.support.official_trees import write_lists

RAW = np.array([[7, 8, 33, 0, 3], [11, 26, 18, 29, 12]], np.uint8)
CLASSES = np.array([[0, 1, 18, 255, 255], [2, 13, 255, 255, 3]], np.uint8)
KEYS = ("train/aachen/aachen_000000_000019",
        "train/bremen/bremen_000000_000019", "val/lindau/lindau_000000_000019")


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listed(key):
    return (f"leftImg8bit/{key}_leftImg8bit.png",
            f"gtFine/{key}_gtFine_labelTrainIds.png")


def write_cityscapes(here, layout, mask):
    """data/cityscapes of three images, and its split mini/one."""
    root = here / "data/cityscapes"
    for key in KEYS:
        part, _, name = key.split("/")
        image, label = {
            "cps": (f"images/{part}/{name}.png",
                    f"segmentation/{part}/{name}_gtFine.png"),
            "official": listed(key),
            "raw": (listed(key)[0], f"gtFine/{key}_gtFine_labelIds.png"),
        }[layout]
        save(root / image, np.full((2, 5, 3), 9, np.uint8))
        save(root / label, mask)
    write_lists("data/splits/cityscapes/mini", {
        "one/labeled": [listed(KEYS[0])],
        "one/unlabeled": [listed(KEYS[1])[:1]], "val": [listed(KEYS[2])]})
    return root


def make(kind=Cityscapes, role="labeled", split="mini/one", **options):
    return kind(role=role, split=split, **options)


@pytest.mark.parametrize("layout, mask", [
    ("official", CLASSES), ("raw", RAW), ("cps", CLASSES), ("cps", RAW)])
def test_both_layouts_and_both_numberings_give_classes(here, layout, mask):
    write_cityscapes(here, layout, mask)
    for role in ("labeled", "val"):
        image, label = make(role=role).read(0)
        assert image.shape == (2, 5, 3) and (image == 9).all()
        assert np.array_equal(label, CLASSES)
    unlabeled = make(role="unlabeled")
    assert unlabeled.read(0)[1] is None
    assert unlabeled.name(0) == listed(KEYS[1])[0]  # that of the list


@pytest.mark.parametrize("layout, mask", [("official", CLASSES),
                                          ("raw", RAW)])
def test_another_ignored_value(here, layout, mask):
    write_cityscapes(here, layout, mask)
    _, label = make(ignore_index=250).read(0)
    assert np.array_equal(label, np.where(CLASSES == 255, 250, CLASSES))


def test_a_folder_of_images_beside_the_official_ones_is_not_cps(here):
    root = write_cityscapes(here, "official", CLASSES)
    (root / "images").mkdir()
    assert np.array_equal(make().read(0)[1], CLASSES)


def test_training_ids_win_where_both_masks_are_there(here):
    root = write_cityscapes(here, "official", CLASSES)
    for key in KEYS:
        save(root / f"gtFine/{key}_gtFine_labelIds.png", RAW * 0)
    assert np.array_equal(make().read(0)[1], CLASSES)


def test_the_first_telling_mask_decides(here):
    root = write_cityscapes(here, "cps", RAW)
    # Road, sidewalk and building, or 7, 8 and 11? It does not say.
    silent = np.array([[7, 8, 11, 7, 7]] * 2, np.uint8)
    first = root / "segmentation/train/aachen_000000_000019_gtFine.png"
    save(first, silent)
    write_lists("data/splits/cityscapes/mini", {
        "one/labeled": [listed(KEYS[0]), listed(KEYS[1])],
        "one/unlabeled": []})
    dataset = make()
    assert np.array_equal(dataset.read(0)[1], [[0, 1, 2, 0, 0]] * 2)
    assert np.array_equal(dataset.read(1)[1], CLASSES)
    assert np.array_equal(make(mask_ids="classes").read(0)[1], silent)
    save(root / "segmentation/train/bremen_000000_000019_gtFine.png", silent)
    assert np.array_equal(make().read(0)[1], silent)  # nothing says raw
    assert make(mask_ids="raw").read(0)[1].max() == 2


def test_what_a_mask_says():
    assert cityscapes.says_raw(RAW) is True
    assert cityscapes.says_raw(np.array([[19]], np.uint8)) is True
    assert cityscapes.says_raw(CLASSES) is False
    assert cityscapes.says_raw(np.array([[18, 0]], np.uint8)) is None
    assert cityscapes.says_raw(np.array([[34, 255]], np.uint8)) is False


def test_pseudo_masks_hold_classes_whatever_the_masks_hold(here):
    root = write_cityscapes(here, "raw", RAW)
    dataset = make()
    assert dataset.read(0)[1][0, 0] == 0
    pseudo = root / "pseudo.png"
    save(pseudo, CLASSES)
    unlabeled = make(role="unlabeled").with_masks(
        {listed(KEYS[1])[0]: str(pseudo)})
    assert np.array_equal(unlabeled.read(0)[1], CLASSES)
    again = dataset.with_masks({listed(KEYS[0])[0]: str(pseudo)})
    assert np.array_equal(again.read(0)[1], CLASSES)
    assert np.array_equal(dataset.read(0)[1], CLASSES)  # still of raw ones
    raw = make(mask_ids="raw").with_masks({listed(KEYS[0])[0]: str(pseudo)})
    assert np.array_equal(raw.read(0)[1], CLASSES)


def test_foreign_numbers_are_still_refused(here):
    write_cityscapes(here, "official", np.full((2, 5), 19, np.uint8))
    with pytest.raises(DataError, match="holds 19; allowed: 0..18 and 255"):
        make().read(0)


def test_a_split_that_does_not_fit_names_the_tool(here):
    root = write_cityscapes(here, "official", CLASSES)
    (root / listed(KEYS[0])[0]).unlink()
    with pytest.raises(DataError, match="mini/one.*1 of 1 images are missing"
                       ".*tools/prepare_cityscapes.py"):
        make()
    with without_file_check():
        assert len(make()) == 1


def test_without_a_split_every_training_image_is_labelled(here):
    root = write_cityscapes(here, "official", CLASSES)
    with pytest.raises(DataError, match="train.txt: there is no such file.*"
                       "tools/prepare_cityscapes.py prepares it"):
        make(split=None)
    write_lists(root, {"train": map(listed, KEYS[:2]),
                       "val": [listed(KEYS[2])]})
    assert [len(make(role=r, split=None)) for r in ("labeled", "val")] == [
        2, 1]
    with pytest.raises(ArgumentError, match="split = None.*name of a split"):
        make(role="unlabeled", split=None)
    with pytest.raises(DataError, match="dataset_root = no: there is no such "
                       "folder.*prepare_cityscapes"):
        make(split=None, dataset_root="no")


def test_a_list_of_ones_own_wins_over_the_split(here):
    root = write_cityscapes(here, "official", CLASSES)
    write_lists(root, {"mine": map(listed, KEYS[:2])})
    assert len(make(list_file="mine.txt")) == 2
    write_lists(root, {"bare": [listed(KEYS[0])[:1]]})
    assert len(make(role="unlabeled", list_file="bare.txt")) == 1
    with pytest.raises(DataError, match="no such file, here or in .*; did "
                       "you mean 'mine.txt'"):
        make(list_file="mime.txt")


@pytest.mark.parametrize("kind, name, classes, first, last", [
    (VOC, "voc", 21, "background", "tvmonitor"),
    (Cityscapes, "cityscapes", 19, "road", "bicycle"),
    (COCO, "coco", 81, "background", "toothbrush")])
def test_classes_colours_and_defaults(kind, name, classes, first, last):
    assert name == kind.NAME and len(kind.CLASS_NAMES) == classes
    assert (kind.CLASS_NAMES[0], kind.CLASS_NAMES[-1]) == (first, last)
    assert len(set(kind.CLASS_NAMES)) == classes
    assert len(kind.PALETTE) == classes
    known = signature.of(kind)
    assert not known.is_open and "joint_order" in known.arguments
    assert known.arguments["dataset_root"].default == f"data/{name}"
    with pytest.raises(ArgumentError, match=f"allowed: {classes}"):
        kind(role="labeled", num_classes=5)


def test_voc_and_coco_read_their_rows(here):
    mask = np.array([[0, 20, 255]], np.uint8)
    save(here / "data/voc/JPEGImages/a.jpg", np.zeros((1, 3, 3), np.uint8))
    save(here / "data/voc/SegmentationClassAug/a.png", mask)
    row = ("JPEGImages/a.jpg", "SegmentationClassAug/a.png")
    write_lists("data/voc", {"train_aug": [row]})
    assert np.array_equal(make(VOC, split=None).read(0)[1], mask)
    for part in ("train2017", "val2017"):
        save(here / f"data/coco/{part}/1.jpg", np.zeros((1, 3, 3), np.uint8))
        save(here / f"data/coco/masks/{part}/1.png", mask)
        name = "train" if part == "train2017" else "val"
        write_lists("data/coco", {name: [(f"{part}/1.jpg",
                                          f"masks/{part}/1.png")]})
    assert np.array_equal(make(COCO, split=None).read(0)[1], mask)
    # UniMatch offers masks that lie in one folder.
    for part in ("train2017", "val2017"):
        (here / f"data/coco/masks/{part}/1.png").rename(
            here / "data/coco/masks/1.png")
        (here / f"data/coco/masks/{part}").rmdir()
    for role in ("labeled", "val"):
        assert make(COCO, role, split=None).read(0)[1].tolist() == [
            [0, 20, 255]]


def test_vocs_colours():
    colors = voc_colors()
    assert len(colors) == 22 and colors[(224, 224, 192)] == 255
    assert colors[(192, 128, 128)] == 15 and colors[(0, 64, 128)] == 20
    assert all(tuple(voc_palette(21)[i]) == c for c, i in colors.items()
               if i < 255)
