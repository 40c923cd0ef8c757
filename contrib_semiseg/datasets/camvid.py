# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CamVid: driving scenes, 11 classes, 367 training and 101 validation frames.
"""

import os
import re

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError, DataError
from contrib_semiseg.cvlibs.text_file import read_lines
from contrib_semiseg.datasets import split_lists
from contrib_semiseg.datasets.base import SECTIONS, Row, SegDataset
from contrib_semiseg.datasets.list_dataset import output_name

CLASS_NAMES = ("sky", "building", "pole", "road", "pavement", "tree", "sign",
               "fence", "car", "pedestrian", "bicyclist")
PALETTE = ((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128),
           (60, 40, 222), (128, 128, 0), (192, 128, 128), (64, 64, 128),
           (64, 0, 128), (64, 64, 0), (0, 128, 192))
_HINT = "tools/prepare_camvid.py prepares it"


def split_rows(rows, split, role):
    """The part of an ordered training list that a role sees.

    Args:
        rows (list): in recording order.
        split (str): "1_k": every k-th row from the first is labelled, the
            rest is unlabelled; "full": every row is labelled, none is not.
        role (str): labeled or unlabeled.
    Raises: ArgumentError, for another split.
    """
    if split == "full":
        return list(rows) if role == "labeled" else []
    found = re.fullmatch(r"1_([1-9]\d*)", split)
    if not found:
        raise ArgumentError("split", split, "full, or 1_k such as 1_8 (one of "
                            "k images is labelled), or SOURCE/SPLIT of "
                            "data/splits/camvid")
    step = int(found[1])
    if role == "labeled":
        return rows[::step]
    return [row for i, row in enumerate(rows) if i % step]


def _rows(root, role):
    """All rows of the lists that lie in the dataset's folder."""
    list_file = os.path.join(root, "val.txt" if role == "val" else
                             "train.txt")
    if not os.path.isfile(list_file):
        raise DataError(
            f"{SECTIONS[role]}.dataset_root = {root}: {list_file} is missing; "
            "get CamVid (480 x 360, 11 classes: JPEGImages, "
            f"SegmentationClass, train.txt, val.txt; {_HINT}) and set "
            f"{SECTIONS[role]}.dataset_root to its folder")
    ids = [i for _, line in read_lines(list_file) for i in line.split()]
    return [Row(os.path.join(root, "JPEGImages", f"{i}.jpg"),
                os.path.join(root, "SegmentationClass", f"{i}.png"),
                output_name(f"{i}.jpg")) for i in ids]


@manager.register(manager.DATASETS)
class CamVid(SegDataset):
    """CamVid with its frames in `JPEGImages`, masks in `SegmentationClass`.

    Args:
        dataset_root (str): the folder with these and train.txt, val.txt.
        split (str): "full" or "1_k", see `split_rows`; or with a "/" that of
            a folder, "<source>/<split>" below data/splits/camvid.
        The others: see `SegDataset`.
    """

    CLASS_NAMES, PALETTE = CLASS_NAMES, PALETTE

    @check.arguments
    def __init__(self, *, role: check.OneOf(*SECTIONS),
                 dataset_root: check.Text() = "data/camvid",
                 split: check.Text() = "full", transforms=None, views=None,
                 crops=None, masks=None,
                 num_classes: check.OneOf(11) = 11,
                 ignore_index: check.OneOf(255) = 255,
                 same_image_mix: check.BOOL = False,
                 joint_order: check.BOOL = False,
                 list_resampling: check.BOOL = False):
        if "/" in split and not re.fullmatch(r"\d+/\d+", split):
            rows = split_lists.dataset_rows(
                dataset="camvid", split=split, role=role, root=dataset_root,
                hint=_HINT)
        else:
            rows = _rows(dataset_root, role)
            if role != "val":
                rows = split_rows(rows, split, role)
        where = f"dataset_root = {dataset_root} (split {split})"
        super().__init__(rows=rows, where=where, transforms=transforms,
                         role=role,
                         num_classes=num_classes, ignore_index=ignore_index,
                         class_names=CLASS_NAMES, palette=PALETTE,
                         views=views, crops=crops, masks=masks,
                         same_image_mix=same_image_mix,
                         joint_order=joint_order,
                         list_resampling=list_resampling)
