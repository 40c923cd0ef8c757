# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Which image of a folder has which mask, and which are for validation."""

import collections
import hashlib
import os
import unicodedata

from contrib_semiseg.cvlibs.errors import ArgumentError, DataError, nearest
from contrib_semiseg.datasets.list_dataset import walk_images
from contrib_semiseg.datasets.reading import IMAGE_SUFFIXES

_LOSSY = (".jpg", ".jpeg")


def stem(name):
    """What an image and its mask share: a relative path without its suffix.

    Names that look the same are: unicode is composed, / separates.
    """
    path = os.path.splitext(name.replace(os.sep, "/"))[0]
    return unicodedata.normalize("NFC", path)


def bare_suffix(mask_suffix):
    """What stands between the stem and the file's type: _mask of _mask.png."""
    end = next((s for s in IMAGE_SUFFIXES
                if mask_suffix.lower().endswith(s)), "")
    return mask_suffix[:len(mask_suffix) - len(end)]


def need_folder(root, folder, key):
    """The path of a folder below `root`. Raises: DataError naming `key`."""
    path = os.path.normpath(os.path.join(root, folder))
    if os.path.isdir(path):
        return path
    above = os.path.dirname(path)
    names = [n for n in os.listdir(above)
             if os.path.isdir(os.path.join(above, n))] \
        if os.path.isdir(above) else []
    raise DataError(f"{key} = {folder}: there is no folder {path}"
                    f"{nearest(os.path.basename(path), names)}")


def find_masks(folder, suffix, key):
    """Masks below a folder: {stem of the image: path}.

    Args:
        folder (str): the path.
        suffix (str): what a mask's name has after the image's stem.
        key (str): for messages.
    Raises: DataError, if there are none, or two for one image.
    """
    found = collections.defaultdict(list)
    for name in walk_images(folder):
        own = stem(name)
        if own.endswith(suffix):
            found[own[:len(own) - len(suffix)]].append(name)
    masks = {}
    for own, names in found.items():
        exact = [n for n in names if not n.lower().endswith(_LOSSY)]
        if len(exact) != 1:
            what = (f"{len(exact)} masks fit one image ({', '.join(exact)}); "
                    "allowed: one, see mask_suffix") if exact else (
                f"{names[0]} is a JPEG, which changes values; allowed: masks "
                "as PNG, TIFF, BMP or WebP")
            raise DataError(f"{key}: {what}")
        masks[own] = os.path.join(folder, exact[0])
    if not masks:
        ends = f" whose names end in {suffix}" if suffix else ""
        raise DataError(f"{key}: 0 masks in {folder}{ends}{_others(folder)}")
    return masks


def find_pictures(folder, *, masks_in=None, suffix=""):
    """Images below a folder without the masks: names relative to it.

    Args:
        folder (str): the path.
        masks_in (str, optional): the folder of masks, perhaps inside it, or
            the same.
        suffix (str): see `find_masks`.
    """
    names = walk_images(folder)
    if masks_in is None:
        return names
    inside = os.path.relpath(masks_in, folder)
    if inside == ".":
        return [n for n in names if not stem(n).endswith(suffix)]
    return [n for n in names if not n.startswith(os.path.join(inside, ""))]


def check_pictures(names, folder, key):
    """Refuse a folder without images. Raises: DataError."""
    if not names:
        raise DataError(f"{key}: 0 images in {folder}{_others(folder)}")


def _others(folder):
    """What a folder without pictures holds, and what it may hold."""
    kinds = collections.Counter(
        os.path.splitext(name)[1].lower() or "no suffix"
        for _, _, names in os.walk(folder) for name in names)
    seen = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(4))
    return (f" ({seen or 'an empty folder'}); allowed: "
            f"{', '.join(IMAGE_SUFFIXES)}")


def check_pairs(names, masks, where, mask_dir):
    """Refuse masks without an image, or that fit two.

    Args:
        names (list of str): of the images.
        masks (dict): see `find_masks`.
        where, mask_dir (str): of images and masks, for messages.
    Raises: DataError.
    """
    stems = collections.Counter(stem(n) for n in names)
    lonely = [own for own in masks if own not in stems]
    if lonely:
        raise DataError(
            f"{mask_dir}: {len(lonely)} of {len(masks)} masks have no image "
            f"in {where}, first: {masks[lonely[0]]}; allowed: an image of the "
            f"same name for each{_hint(lonely[0], stems)}")
    twice = [n for n in names if stems[stem(n)] > 1 and stem(n) in masks]
    if twice:
        raise DataError(f"{mask_dir}: {masks[stem(twice[0])]} fits "
                        f"{len(twice)} images of {where} ({twice[0]}, "
                        f"{twice[1]}); allowed: one")


def _hint(lonely, stems):
    for own in sorted(stems, key=len, reverse=True):
        if own and lonely.startswith(own):
            return f", or mask_suffix: {lonely[len(own):]}"
    return nearest(lonely, stems)


def held_out(names, fraction, seed, key):
    """Those of the labelled images that are for validation.

    The choice hangs on the names alone: it stays nearly the same when images
    come or go.

    Args:
        names (list of str): of the labelled images.
        fraction (float): how many of them, in (0, 1); one at least.
        seed (int): another one gives others.
        key (str): for messages.
    Returns: set of names.
    Raises: DataError, if none would be left.
    """
    count = max(1, round(fraction * len(names)))
    if count >= len(names):
        raise DataError(f"{key} = {fraction}: {len(names)} labelled images; "
                        "allowed: 2 or more, and one left for training")
    return set(sorted(names, key=lambda n: hashlib.sha256(
        f"{seed}/{stem(n)}".encode()).digest())[:count])


def check_suffix(mask_dir, image_dir, suffix):
    """Refuse one folder for both kinds where names cannot tell them."""
    if not suffix and os.path.normpath(mask_dir) == os.path.normpath(image_dir):
        raise ArgumentError("mask_dir", mask_dir, "another folder than "
                            "image_dir, or masks with a mask_suffix")
