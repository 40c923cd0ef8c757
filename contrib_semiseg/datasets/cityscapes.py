# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Cityscapes: 19 training classes, 2975 + 500 images, in two layouts."""

import functools
import os
import re

import numpy as np

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.datasets.base import read_mask
from contrib_semiseg.datasets.label_ids import class_table
from contrib_semiseg.datasets.palettes import NAMED
from contrib_semiseg.datasets.published import PublishedDataset

CLASS_NAMES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light",
    "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car",
    "truck", "bus", "train", "motorcycle", "bicycle")
_IGNORED = 255  # what masks of training classes hold where there is none
_OFFICIAL = ((r"leftImg8bit/(\w+)/[^/]+/(.+)_leftImg8bit\.png",
              r"images/\1/\2.png"),
             (r"gtFine/(\w+)/[^/]+/(.+)_gtFine_labelTrainIds\.png",
              r"segmentation/\1/\2_gtFine.png"))


def cps_place(name):
    """Where a file of the official layout lies in that of CPS."""
    for official, other in _OFFICIAL:
        name = re.sub(official, other, name)
    return name


def raw_place(root, name):
    """The raw mask of a listed one, if only that one is there."""
    raw = name.replace("_labelTrainIds.png", "_labelIds.png")
    if raw != name and not os.path.exists(os.path.join(root, name)) and \
            os.path.exists(os.path.join(root, raw)):
        return raw
    return name


def says_raw(mask):
    """Whether a mask holds raw numbers; None, if it does not tell."""
    values = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
    if ((values >= len(CLASS_NAMES)) & (values <= 33)).any():
        return True
    return False if _IGNORED in values else None


@manager.override(manager.DATASETS)
class Cityscapes(PublishedDataset):
    """The folders leftImg8bit and gtFine, or images and segmentation.

    Lists name files of the official layout; where the folder has the one of
    CPS, `images/train/NAME.png` and `segmentation/train/NAME_gtFine.png` are
    taken. Masks without labelTrainIds are read from labelIds.

    Args:
        mask_ids (str): what the masks hold: classes, raw (the numbers of
            labelIds), or auto, which goes by the files' names, and in the
            layout of CPS by what the first masks hold.
        ignore_index (int): replaces 255 in the masks.
        See `PublishedDataset`, which all others go to.
    """

    NAME, CLASS_NAMES, PALETTE = "cityscapes", CLASS_NAMES, NAMED["cityscapes"]

    @check.arguments
    def __init__(self, *, dataset_root: check.Text() = "data/cityscapes",
                 mask_ids: check.OneOf("auto", "classes", "raw") = "auto",
                 num_classes: check.OneOf(19) = 19, **others):
        super().__init__(dataset_root=dataset_root, num_classes=num_classes,
                         **others)
        self._mask_ids = mask_ids

    def place(self, root):
        def has(folder):
            return os.path.isdir(os.path.join(root, folder))

        if has("images") and not has("leftImg8bit"):
            return cps_place
        return functools.partial(raw_place, root)

    def with_masks(self, masks):
        other = super().with_masks(masks)
        other._mask_ids = "classes"
        vars(other).pop("_classes", None)
        return other

    @functools.cached_property
    def _classes(self):
        """The class of each number in the masks: uint8 [256]."""
        if self._has_raw_masks():
            return class_table("cityscapes", self.ignore_index)
        table = np.arange(256, dtype=np.uint8)
        table[_IGNORED] = self.ignore_index
        return table

    def _has_raw_masks(self):
        if self._mask_ids != "auto":
            return self._mask_ids == "raw"
        for row in self.rows:
            if row.mask.endswith("_labelIds.png"):
                return True
            if row.mask.endswith("_labelTrainIds.png"):
                return False
            said = says_raw(read_mask(row.mask))
            if said is not None:
                return said
        return False

    def decode(self, mask):
        return self._classes[mask]
