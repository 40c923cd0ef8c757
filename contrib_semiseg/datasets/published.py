# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Datasets that everyone has: the same files, classes and splits."""

import os

from contrib_semiseg.cvlibs import check
from contrib_semiseg.cvlibs.errors import ArgumentError, DataError
from contrib_semiseg.datasets import split_lists
from contrib_semiseg.datasets.base import SECTIONS, Row, SegDataset
from contrib_semiseg.datasets.list_dataset import find_list, output_name


class PublishedDataset(SegDataset):
    """A dataset in its official layout, divided by a split.

    Args:
        dataset_root (str): the dataset's folder.
        num_classes (int): the number that it has.
        split (str, optional): "<source>/<split>" below
            data/splits/<dataset>, or a folder with such lists.
        list_file (str, optional): a list of this section alone, in place of
            the split's: lines image<TAB>mask, or image for unlabelled ones;
            relative to dataset_root, or a path as it is. With neither of
            them every training image is labelled, as the preparation tool
            listed them.
        The others: see `SegDataset`.

    Subclasses say their NAME in data/splits, CLASS_NAMES, PALETTE, the
    TRAIN_LIST that lies in dataset_root, and may say where files lie.
    """

    NAME, CLASS_NAMES, PALETTE = "", (), None
    TRAIN_LIST = "train.txt"

    @check.arguments
    def __init__(self, *, role: check.OneOf(*SECTIONS),
                 dataset_root: check.Text(), num_classes,
                 split: check.Text(optional=True) = None,
                 list_file: check.Text(optional=True) = None,
                 transforms=None,
                 ignore_index: check.Range(0, 255, integer=True) = 255,
                 views=None, crops=None, masks=None,
                 same_image_mix: check.BOOL = False,
                 joint_order: check.BOOL = False,
                 list_resampling: check.BOOL = False):
        hint = f"tools/prepare_{self.NAME}.py prepares it"
        if split is not None and list_file is None:
            where = f"split = {split}"
            rows = split_lists.dataset_rows(
                dataset=self.NAME, split=split, role=role, root=dataset_root,
                place=self.place(dataset_root), hint=hint)
        else:
            if list_file is None and role == "unlabeled":
                raise ArgumentError("split", None, "the name of a split, "
                                    "which says what is unlabelled")
            default = "val.txt" if role == "val" else self.TRAIN_LIST
            where = f"list_file = {list_file or default}"
            rows = self._listed(dataset_root, list_file or default, role,
                                "" if list_file else f"; {hint}")
        super().__init__(rows=rows, where=where, transforms=transforms,
                         role=role, num_classes=num_classes,
                         ignore_index=ignore_index,
                         class_names=self.CLASS_NAMES, palette=self.PALETTE,
                         views=views, crops=crops, masks=masks,
                         same_image_mix=same_image_mix,
                         joint_order=joint_order,
                         list_resampling=list_resampling)

    def place(self, root):
        """Where a listed path lies below `root`: a function of the path."""
        return lambda name: name

    def _listed(self, root, list_file, role, hint):
        section = SECTIONS[role]
        if not os.path.isdir(root):
            raise DataError(f"{section}.dataset_root = {root}: there is no "
                            f"such folder{hint}")
        try:
            path = find_list(root, list_file, f"{section}.list_file")
        except DataError as error:
            raise DataError(f"{error}{hint}") from None
        place = self.place(root)
        return [Row(os.path.join(root, place(image)),
                    mask and os.path.join(root, place(mask)),
                    output_name(image)) for image, mask in
                split_lists.read_rows(path, role != "unlabeled")]
