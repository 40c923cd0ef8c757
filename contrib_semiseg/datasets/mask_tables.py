# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What the values or colours of a mask mean: tables of classes."""

import functools

import numpy as np

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.datasets.reading import (
    count_values,
    mask_histogram,
    open_colors,
    read_mask,
    turned,
)

_SHOWN = 6  # values or colours that a message lists


def _listed(items):
    text = ", ".join(str(item) for item in items[:_SHOWN])
    return text + (", ..." if len(items) > _SHOWN else "")


class ValueTable:
    """Masks of numbers that are not the classes themselves.

    Args:
        values (sequence of int): the number of each class, 0..255.
        ignored (sequence of int): numbers that do not count.
        ignore_index (int): what these become; does not count itself, unless
            it is the number of a class.
    """

    def __init__(self, values, ignored, ignore_index):
        ignored = sorted({ignore_index, *ignored} - set(values))
        self._classes = np.full(256, -1, np.int16)
        self._classes[list(ignored)] = ignore_index
        self._classes[list(values)] = np.arange(len(values))
        self._known = np.flatnonzero(self._classes >= 0)
        first, last = values[0], values[-1]
        self._allowed = (
            (f"{first}..{last}" if list(values) == list(range(
                first, last + 1)) else ", ".join(str(v) for v in values)) +
            f" and {', '.join(str(v) for v in ignored)} (ignored)")

    def _check(self, path, stored):
        """Refuse a histogram of the numbers, [256], with others in it."""
        if stored.sum() > stored[self._known].sum():
            foreign = np.flatnonzero((stored > 0) & (self._classes < 0))
            raise DataError(f"{path}: the mask holds {_listed(foreign)}; "
                            f"allowed: {self._allowed}")

    def read(self, path, upright):
        """The classes of a mask: uint8 [H, W]. Raises: DataError."""
        mask = read_mask(path, upright=upright)
        classes = self._classes[mask]
        if (classes < 0).any():
            self._check(path, count_values(mask))
        return classes.astype(np.uint8)

    def histogram(self, path, upright):
        """See `SegDataset.mask_histogram`."""
        size, stored = mask_histogram(path, upright=upright)
        self._check(path, stored)
        counts = np.zeros(256, np.int64)
        np.add.at(counts, self._classes[self._known], stored[self._known])
        return size, counts


@functools.lru_cache(maxsize=4)
def _lookup(pairs):
    """uint16 [2**24]: one more than the class of a colour, 0: none."""
    table = np.zeros(1 << 24, np.uint16)  # pages that none reads cost nothing
    for (red, green, blue), index in pairs:
        table[red << 16 | green << 8 | blue] = index + 1
    return table


class ColorTable:
    """Masks of colours.

    Args:
        colors (sequence): the colour of each class, [C][3], RGB.
        ignored (sequence): colours that do not count, [n][3].
        ignore_index (int): what these become.
    """

    def __init__(self, colors, ignored, ignore_index):
        classes = [(tuple(map(int, c)), i) for i, c in enumerate(colors)]
        self._pairs = (*((tuple(map(int, c)), ignore_index) for c in ignored),
                       *classes)
        self._class_of = dict(self._pairs)

    def _refuse(self, path, colors):
        foreign = [list(c) for c in colors if c not in self._class_of]
        hint = "" if len(foreign) <= 64 else (
            "; so many come of smoothing or of a lossy format: save masks "
            "unsmoothed, as PNG")
        raise DataError(
            f"{path}: the mask holds {len(foreign)} colours that mask_colors "
            f"lacks: {_listed(foreign)}; allowed: the {len(self._class_of)} "
            f"colours of mask_colors and ignore_colors{hint}")

    def read(self, path, upright):
        """The classes of a mask: uint8 [H, W]. Raises: DataError."""
        opened = open_colors(path)
        parts = np.array(opened.image).astype(np.uint32)
        found = _lookup(self._pairs)[parts[..., 0] << 16 | parts[..., 1] << 8 |
                                     parts[..., 2]]
        if not found.all():
            self._refuse(path, self._colors(opened))
        mask = (found - 1).astype(np.uint8)
        return turned(mask, opened.orientation) if upright else mask

    def histogram(self, path, upright):
        """See `SegDataset.mask_histogram`."""
        opened = open_colors(path)
        colors = self._colors(opened)
        if not self._class_of.keys() >= colors.keys():
            self._refuse(path, colors)
        counts = np.zeros(256, np.int64)
        for color, count in colors.items():
            counts[self._class_of[color]] += count
        return opened.size(upright), counts

    @staticmethod
    def _colors(opened):
        """{colour: pixels}, most frequent first."""
        width, height = opened.image.size
        found = opened.image.getcolors(width * height)
        return {color: count for count, color in sorted(found, reverse=True)}
