# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Which images of a dataset are labelled: orders, of which a split takes the
first.

As a smaller split is the beginning of a larger one, splits of one order are
nested.
"""

import re

import numpy as np

from contrib_semiseg.cvlibs.errors import ArgumentError


def shuffled(count, seed):
    """The order that a seed gives: NumPy's old generator on 0..count - 1."""
    order = np.arange(count)
    np.random.RandomState(seed).shuffle(order)
    return order


def presence(pixels, min_pixels):
    """Which classes an image stands for: bool [images, classes].

    Args:
        pixels (array): int [images, classes], pixels of each class.
        min_pixels (int): fewer do not count, unless no image has as many of
            the class: then any do.
    """
    pixels = np.asarray(pixels)
    enough = pixels >= max(1, min_pixels)
    return np.where(enough.any(axis=0), enough, pixels > 0)


def balanced(present, seed):
    """An order whose every beginning holds the classes as the whole does.

    The next image is always one of the class that is furthest behind its
    share, of equals the rarest; so the first images have all classes.

    Args:
        present (array): bool [images, classes].
        seed (int): of the images' order within each class.
    """
    draw = shuffled(len(present), seed)
    counts = present.sum(axis=0)
    # The rarest class first: argmin takes the first of equals.
    classes = [c for c in np.argsort(counts, kind="stable") if counts[c]]
    queues = [iter(draw[present[draw, c]]) for c in classes]
    weights = present[:, classes].astype(np.float64) / counts[classes]
    have, taken = np.zeros(len(classes)), np.zeros(len(present), bool)
    order = []
    while np.isfinite(have).any():
        behind = int(np.argmin(have))
        image = next((i for i in queues[behind] if not taken[i]), None)
        if image is None:  # all images of the class are taken
            have[behind] = np.inf
            continue
        taken[image] = True
        have += weights[image]
        order.append(image)
    return np.array([*order, *(i for i in draw if not taken[i])], np.int64)


def read_order(text, count):
    """The order in a file: .txt, .npy, or an array of an .npz (FILE:NAME).

    Raises: ArgumentError, unless it is a permutation of 0..count - 1.
    """
    path, _, name = text.partition(".npz:")
    try:
        if name:
            with np.load(f"{path}.npz", allow_pickle=False) as file:
                order = file[name]
        elif text.endswith(".npy"):
            order = np.load(text, allow_pickle=False)
        else:
            order = np.loadtxt(text, dtype=np.int64, ndmin=1)
    # A damaged array may end in nearly any exception.
    except Exception as error:
        raise ArgumentError("--order", text, "a .txt or .npy file, or "
                            f"FILE.npz:NAME ({error})") from error
    if order.ndim != 1 or not np.array_equal(np.sort(order),
                                             np.arange(count)):
        raise ArgumentError("--order", text, f"the numbers 0 to {count - 1}, "
                            "each once, one for each image of the list")
    return order.astype(np.int64)


def divide(rows, order, labeled):
    """The first `labeled` rows of an order, and the others.

    Args:
        rows (list): of the sorted training list.
        order (array): permutation of its places.
        labeled (int): how many.
    """
    ordered = [rows[i] for i in order]
    return ordered[:labeled], ordered[labeled:]


def redraw(rows, rng):
    """As many rows, drawn with replacement."""
    return [rows[i] for i in rng.integers(len(rows), size=len(rows))]


def size_of(text, count, option="--labeled"):
    """How many of `count` images "1/8", "0.1" or "92" means, rounded.

    Raises: ArgumentError, unless it is 1 to count.
    """
    found = re.fullmatch(r"(?:(\d+)/)?(\d+(?:\.\d+)?)", text)
    value = 0
    if found and found[1] is not None:
        value = int(found[1]) / float(found[2]) * count if float(
            found[2]) else 0
    elif found:
        value = float(found[2]) * (count if "." in text else 1)
    size = int(np.floor(value + 0.5))
    if not 0 < size <= count:
        raise ArgumentError(option, text, f"a part such as 1/8 or 0.1, or a "
                            f"number from 1 to {count}")
    return size


def name_of(text):
    """The name of a split of that size: 1/8 is 1_8, 0.1 is 0.1."""
    return text.replace("/", "_")
