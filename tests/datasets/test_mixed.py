# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Labelled and pseudo-labelled images in one list."""

import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import ConfigError, DataError
from contrib_semiseg.datasets.list_dataset import ListDataset
from contrib_semiseg.datasets.mixed import MixedDataset, repetitions
from contrib_semiseg.transforms.geometric import PadRandomCrop


@pytest.fixture
def folder(tmp_path):
    """Images whose grey value is their number; masks of class 1 and 2."""
    for kind, names in (("images", 5), ("masks", 2), ("pseudo", 5)):
        (tmp_path / kind).mkdir()
        for i in range(names):
            value = {"images": 10 * i, "masks": 1, "pseudo": 2}[kind]
            Image.fromarray(np.full((6, 8), value, np.uint8)).save(
                tmp_path / kind / f"{i}.png")
    (tmp_path / "labeled.txt").write_text(
        "images/0.png masks/0.png\nimages/1.png masks/1.png\n")
    (tmp_path / "unlabeled.txt").write_text(
        "".join(f"images/{i}.png\n" for i in (2, 3, 4)))
    return tmp_path


def datasets(folder, **options):
    labeled = ListDataset(dataset_root=str(folder), role="labeled",
                          num_classes=3, list_file="labeled.txt",
                          transforms=[PadRandomCrop(crop_size=[8, 6])])
    unlabeled = ListDataset(dataset_root=str(folder), role="unlabeled",
                            num_classes=3, list_file="unlabeled.txt",
                            **options)
    return labeled, unlabeled


def masks(folder, *numbers):
    return {f"images/{i}.png": str(folder / "pseudo" / f"{i}.png")
            for i in numbers}


@pytest.mark.parametrize("labeled, pseudo, below, expected", [
    (5, 0, 200, 2), (200, 0, 200, 1), (5, 0, 0, 1), (5, 5, 200, 1),
    (5, 6, 0, 2), (662, 9920, 200, 15), (9, 4, 200, 1)])
def test_repetitions(labeled, pseudo, below, expected):
    assert repetitions(labeled, pseudo, below) == expected


def test_items_come_from_their_part_with_its_transforms(folder):
    labeled, unlabeled = datasets(folder)
    both = MixedDataset(labeled, unlabeled.with_masks(masks(folder, 4, 2, 3)))
    assert both.listing == ("2 labeled images listed 2 times, 3 "
                            "pseudo-labeled images")
    found = [both.item(i, np.random.default_rng(0)) for i in range(len(both))]
    assert [int(item["img"].max()) for item in found] == [
        0, 10, 0, 10, 20, 30, 40]
    assert [int(item["label"].max()) for item in found] == [1] * 4 + [2] * 3
    # Only the first part pads, and a batch holds both.
    assert all(set(item) == {"img", "label"} for item in found)
    assert both.image_path(3).endswith("images/1.png")
    assert both.image_path(6).endswith("images/4.png")


def test_only_images_with_a_mask_are_listed(folder):
    labeled, unlabeled = datasets(folder)
    part = unlabeled.with_masks(masks(folder, 3))
    assert len(part) == 1 and len(unlabeled) == 3
    assert unlabeled.rows[1].mask is None  # the other is as it was
    assert MixedDataset(labeled, part).listing == (
        "2 labeled images, 1 pseudo-labeled images")


def test_masks_of_unknown_images_and_views_are_refused(folder):
    _, unlabeled = datasets(folder)
    with pytest.raises(DataError, match="1 images.*first: images/0.png"):
        unlabeled.with_masks(masks(folder, 0, 2))
    _, unlabeled = datasets(folder, views={"weak": []})
    with pytest.raises(ConfigError, match="unlabeled_dataset.views"):
        unlabeled.with_masks(masks(folder, 2))


def test_a_pseudo_mask_of_another_size_names_its_path(folder):
    labeled, unlabeled = datasets(folder)
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(
        folder / "pseudo" / "3.png")
    both = MixedDataset(labeled, unlabeled.with_masks(masks(folder, 3)))
    with pytest.raises(DataError, match="pseudo/3.png: the mask is 5 x 5"):
        both.item(2, np.random.default_rng(0))
