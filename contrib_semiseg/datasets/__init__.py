# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
from contrib_semiseg.datasets import (
    camvid,
    cityscapes,
    coco,
    list_dataset,
    own,
    shape_scenes,
    voc,
)

__all__ = ["camvid", "cityscapes", "coco", "list_dataset", "own",
           "shape_scenes", "voc"]
