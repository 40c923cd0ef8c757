# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError
from tests.preparation.prepared import digests, files, lines, mask, prepare
from tests.support import official_trees as trees

# Of the mini masks: 3 (out of roi), 0 and 18 (bridge's neighbour) have none.
CLASSES = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 26: 13, 33: 18}


@pytest.fixture()
def prepared(tmp_path):
    raw = trees.cityscapes(tmp_path)
    prepare("cityscapes", tmp_path, tmp_path / "cs")
    return tmp_path, tmp_path / "cs", raw


def test_numbers_become_training_classes(prepared):
    _, root, raw = prepared
    assert len(list(root.rglob("*_labelTrainIds.png"))) == len(raw) == 5
    for inside, numbers in raw.items():
        found = mask(root / f"gtFine/{inside}_gtFine_labelTrainIds.png")
        wanted = np.full(numbers.shape, 255)
        for number, index in CLASSES.items():
            wanted[numbers == number] = index
        assert np.array_equal(found, wanted)


def test_lists_pair_images_and_masks_and_leave_the_test_part_out(prepared):
    _, root, _ = prepared
    key = "train/bremen/bremen_000000_000019"
    assert lines(root / "train.txt")[2] == (
        f"leftImg8bit/{key}_leftImg8bit.png\t"
        f"gtFine/{key}_gtFine_labelTrainIds.png")
    assert [len(lines(root / f"{p}.txt")) for p in ("train", "val")] == [3, 2]
    assert not any("berlin" in name for name in files(root))


def test_unpacked_folders_give_the_same(prepared):
    folder, root, _ = prepared
    for name in ("leftImg8bit", "gtFine"):
        trees.unpack(folder / f"{name}_trainvaltest.zip", folder / "open")
    prepare("cityscapes", folder / "open", folder / "other", workers=2)
    assert digests(folder / "other") == digests(root)
    # In place, beside the masks of the archive.
    for options in ((), ("--overwrite", )):
        prepare("cityscapes", folder / "open", folder / "open", *options)
        assert digests(folder / "open") == digests(root)
    assert not list((folder / "open").rglob("*.part"))


def test_images_of_a_folder_are_linked_and_not_copied(prepared):
    folder, _, _ = prepared
    for name in ("leftImg8bit", "gtFine"):
        trees.unpack(folder / f"{name}_trainvaltest.zip", folder / "open")
    prepare("cityscapes", folder / "open", folder / "other")
    name = ("leftImg8bit/train/aachen/"
            "aachen_000000_000019_leftImg8bit.png")
    assert (folder / "other" / name).samefile(folder / "open" / name)


def test_an_image_without_its_mask_is_named(prepared):
    folder, _, _ = prepared
    for name in ("leftImg8bit", "gtFine"):
        trees.unpack(folder / f"{name}_trainvaltest.zip", folder / "open")
    next((folder / "open").rglob("aachen_000001*_labelIds.png")).unlink()
    with pytest.raises(DataError, match="mask of .*aachen_000001_000019"):
        prepare("cityscapes", folder / "open", folder / "other")


def test_masks_of_another_size_are_refused(prepared):
    folder, root, _ = prepared
    path = next(root.rglob("lindau*_labelTrainIds.png"))
    Image.fromarray(np.zeros((9, 44), np.uint8)).save(path)
    with pytest.raises(DataError, match="lindau.*44 x 9 .*44 x 36"):
        prepare("cityscapes", folder, root)
