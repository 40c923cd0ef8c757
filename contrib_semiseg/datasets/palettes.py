# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Colours of classes that many datasets share: uint8 [C, 3], RGB."""

import numpy as np


def voc_palette(num_classes):
    """The colours of PASCAL VOC: uint8 [num_classes, 3].

    Bit k of the class goes to channel k % 3, from the highest bit down.
    """
    classes = np.arange(num_classes)
    palette = np.zeros((num_classes, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            value = classes >> (3 * bit + channel) & 1
            palette[:, channel] |= (value << (7 - bit)).astype(np.uint8)
    return palette


CITYSCAPES = np.array([
    (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156),
    (190, 153, 153), (153, 153, 153), (250, 170, 30), (220, 220, 0),
    (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60),
    (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100),
    (0, 0, 230), (119, 11, 32)], np.uint8)
_VOC_IGNORED = (224, 224, 192)  # the boundaries of VOC's objects


def voc_colors(ignore_index=255):
    """What the colours of VOC's masks mean: {(r, g, b): class}.

    Args:
        ignore_index (int): of the boundaries.
    """
    colors = {tuple(map(int, color)): i
              for i, color in enumerate(voc_palette(21))}
    return {**colors, _VOC_IGNORED: ignore_index}


NAMED = {"cityscapes": CITYSCAPES, "voc": voc_palette(21),
         "coco": voc_palette(81)}


def named_palette(palette):
    """The colours that a name of NAMED means; anything else as it is."""
    return NAMED[palette] if isinstance(palette, str) else palette
