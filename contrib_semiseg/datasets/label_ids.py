# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Numbers that datasets store in their masks, as classes."""

import numpy as np

# Of Cityscapes' `*_labelIds.png`; all others have no class.
_CITYSCAPES = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
               31, 32, 33)
# Category ids of COCO's things; 0 stands for all else.
_COCO = (0, *(i for i in range(1, 91) if i not in (
    12, 26, 29, 30, 45, 66, 68, 69, 71, 83)))
KNOWN = {"cityscapes": _CITYSCAPES, "coco": _COCO}


def class_table(name, ignore_index=255):
    """The class of each stored number: uint8 [256].

    Args:
        name (str): of KNOWN.
        ignore_index (int): of numbers without a class.
    """
    table = np.full(256, ignore_index, np.uint8)
    table[list(KNOWN[name])] = np.arange(len(KNOWN[name]))
    return table
