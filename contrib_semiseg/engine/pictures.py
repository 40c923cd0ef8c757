# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Class maps as pictures. All pictures are RGB uint8 [H, W, 3]."""

import cv2
import numpy as np

from contrib_semiseg.datasets.palettes import voc_palette

UNLABELED = (224, 224, 224)  # colour of ignored pixels
_GAP = 4


def full_palette(num_classes, palette=None, rest=UNLABELED):
    """uint8 [256, 3]: `palette`, or VOC's; then the colour `rest`."""
    table = np.full((256, 3), rest, np.uint8)
    if palette is None:
        palette = voc_palette(num_classes)
    rows = np.asarray(palette, np.uint8).reshape(-1, 3)[:256]
    table[:len(rows)] = rows
    return table


def colorize(class_map, palette=None):
    """Colour a class map.

    Args:
        class_map (ndarray): integers [H, W]; what lies outside the palette
            (255, say) is grey.
        palette (ndarray, optional): uint8 [C, 3], RGB; default VOC's.

    Returns: uint8 [H, W, 3].
    """
    table = full_palette(255, palette)
    return table[np.clip(class_map, 0, 255).astype(np.uint8)]


def overlay(image, color, alpha=0.6):
    """Blend `color` over `image`; `alpha` in [0, 1] is the share of `color`.

    Both uint8 [H, W, 3].
    """
    return cv2.addWeighted(color, alpha, image, 1.0 - alpha, 0.0)


def panel(rows):
    """Lay pictures out as a grid on white.

    Args:
        rows (list[list[ndarray]]): uint8 [H, W, 3]; each is brought to the
            size of the first one.

    Returns: uint8 [H', W', 3].
    """
    height, width = rows[0][0].shape[:2]
    columns = max(map(len, rows))
    out = np.full((len(rows) * (height + _GAP) - _GAP,
                   columns * (width + _GAP) - _GAP, 3), 255, np.uint8)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            if picture.shape[:2] != (height, width):
                picture = cv2.resize(picture, (width, height),
                                     interpolation=cv2.INTER_AREA)
            top, left = r * (height + _GAP), c * (width + _GAP)
            out[top:top + height, left:left + width] = picture
    return out


def denormalize(image, transforms):
    """Undo `Normalize` of a transform list.

    Args:
        image (ndarray): float32 [3, H, W].
        transforms (list): built transforms; without `Normalize` the image is
            taken as 0..255.

    Returns: uint8 [H, W, 3].
    """
    image = np.asarray(image, np.float32).transpose(1, 2, 0)
    for op in transforms:
        if type(op).__name__ == "Normalize":
            image = (image * np.asarray(op.std) + np.asarray(op.mean)) * 255.0
    if any(type(op).__name__ == "ReverseChannels" for op in transforms):
        image = image[:, :, ::-1]
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def training_panel(images, labels, predicted, palette, transforms):
    """One row per image: the image, its label and the prediction.

    Args:
        images (ndarray): float32 [N, 3, H, W], normalised.
        labels, predicted (ndarray): integers [N, H, W].
        palette (ndarray, optional): see `colorize`.
        transforms (list): see `denormalize`.

    Returns: uint8 [H', W', 3].
    """
    return panel([[denormalize(image, transforms), colorize(label, palette),
                   colorize(pred, palette)]
                  for image, label, pred in zip(images, labels, predicted)])
