# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""PASCAL VOC 2012 with the masks of SBD: 21 classes, 10582 + 1449 images."""

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.datasets.palettes import NAMED
from contrib_semiseg.datasets.published import PublishedDataset

CLASS_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus",
    "car", "cat", "chair", "cow", "diningtable", "dog", "horse", "motorbike",
    "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor")


@manager.register(manager.DATASETS)
class VOC(PublishedDataset):
    """The folder VOCdevkit/VOC2012, with SegmentationClassAug.

    Args:
        See `PublishedDataset`, which all others go to.
    """

    NAME, CLASS_NAMES, PALETTE = "voc", CLASS_NAMES, NAMED["voc"]
    TRAIN_LIST = "train_aug.txt"

    @check.arguments
    def __init__(self, *, dataset_root: check.Text() = "data/voc",
                 num_classes: check.OneOf(21) = 21, **others):
        super().__init__(dataset_root=dataset_root, num_classes=num_classes,
                         **others)
