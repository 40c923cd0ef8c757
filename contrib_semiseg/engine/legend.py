# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A strip below a picture that tells the colours of the classes."""

import functools

import cv2
import numpy as np

from contrib_semiseg.engine import pictures

_ROW, _SWATCH, _GAP = 18, 12, 6  # pixels
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.4


@functools.lru_cache(maxsize=64)
def _entry(name, color):
    """A swatch and a name: uint8 [_ROW, w, 3]."""
    text = name.encode("ascii", "replace").decode()
    (width, _), _ = cv2.getTextSize(text, _FONT, _SIZE, 1)
    out = np.full((_ROW, _SWATCH + 3 * _GAP + width, 3), 255, np.uint8)
    out[3:3 + _SWATCH, _GAP:_GAP + _SWATCH] = color
    cv2.putText(out, text, (_SWATCH + 2 * _GAP, _ROW - 5), _FONT, _SIZE,
                (0, 0, 0), 1, cv2.LINE_AA)
    return out


def strip(width, names, palette=None):
    """Swatches and names in rows: uint8 [h, width, 3].

    Args:
        width (int): in pixels; what is longer is cut off.
        names (sequence of str): of the classes; letters beyond ASCII are
            shown as "?".
        palette (ndarray, optional): see `pictures.colorize`.
    """
    table = pictures.full_palette(256, palette)
    rows, used = [], width
    for name, color in zip(names, table):
        entry = _entry(name, tuple(map(int, color)))[:, :width]
        if used + entry.shape[1] > width:
            rows.append(np.full((_ROW, width, 3), 255, np.uint8))
            used = 0
        rows[-1][:, used:used + entry.shape[1]] = entry
        used += entry.shape[1]
    return np.concatenate(rows) if rows else np.zeros((0, width, 3), np.uint8)


def below(picture, names, palette=None):
    """A picture uint8 [H, W, 3] with `strip` below it."""
    return np.concatenate([picture, strip(picture.shape[1], names, palette)])
