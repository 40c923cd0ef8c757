# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""COCO 2017 as 81 classes: 80 kinds of things; 118287 + 5000 images."""

import os

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.datasets.palettes import NAMED
from contrib_semiseg.datasets.published import PublishedDataset

CLASS_NAMES = (
    "background", "person", "bicycle", "car", "motorcycle", "airplane", "bus",
    "train", "truck", "boat", "traffic light", "fire hydrant", "stop sign",
    "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag",
    "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon",
    "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot",
    "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote",
    "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear",
    "hair drier", "toothbrush")


@manager.register(manager.DATASETS)
class COCO(PublishedDataset):
    """The folders train2017, val2017 and masks.

    Masks lie in masks/train2017 and masks/val2017, or all in masks, as those
    do that UniMatch offers.

    Args:
        See `PublishedDataset`, which all others go to.
    """

    NAME, CLASS_NAMES, PALETTE = "coco", CLASS_NAMES, NAMED["coco"]

    @check.arguments
    def __init__(self, *, dataset_root: check.Text() = "data/coco",
                 num_classes: check.OneOf(81) = 81, **others):
        super().__init__(dataset_root=dataset_root, num_classes=num_classes,
                         **others)

    def place(self, root):
        def flat(name):
            return name.replace("masks/train2017/", "masks/").replace(
                "masks/val2017/", "masks/")

        folders = [os.path.join(root, "masks", part)
                   for part in ("train2017", "val2017")]
        return super().place(root) if any(map(os.path.isdir, folders)) \
            else flat
