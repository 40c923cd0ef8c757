# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Is the result complete, and is it what it was? Counts and digests."""

import hashlib
import json
import os

import numpy as np

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.cvlibs.safe_image import open_safely
from contrib_semiseg.preparation import results, work

RECORD = "prepared.json"


def pair_digest(root, image, mask, num_classes):
    """Digest of an image's bytes and a mask's pixels, with their names.

    Raises: DataError naming a file that is missing, broken, of another size
        than its mask, or a mask with values other than classes and 255.
    """
    digest = hashlib.sha256()
    path = os.path.join(root, image)
    try:
        with open(path, "rb") as file, open_safely(file) as picture:
            size = picture.size
            file.seek(0)
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    # Decoders raise whatever they like on broken files.
    except Exception as error:
        raise DataError(f"{path}: the image cannot be read ({error})"
                        ) from error
    path = os.path.join(root, mask)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise DataError(f"{path}: the mask cannot be read "
                        f"({error.strerror})") from error
    pixels = results.indices(results.decode(data, path), path)
    if pixels.shape[::-1] != size:
        raise DataError(f"{path}: the mask is {pixels.shape[1]} x "
                        f"{pixels.shape[0]} (w x h), its image {image} is "
                        f"{size[0]} x {size[1]}; allowed: the same size")
    values = np.flatnonzero(np.bincount(pixels.ravel(), minlength=256))
    foreign = values[(values >= num_classes) & (values != 255)]
    if len(foreign):
        raise DataError(f"{path}: the mask holds {foreign[0]}; allowed: 0.."
                        f"{num_classes - 1} and 255; delete it and run this "
                        "again")
    digest.update(f"{image}\0{mask}\0{pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels))
    return digest.digest()


def _read(root):
    try:
        with open(os.path.join(root, RECORD), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError, RecursionError):
        return None


def check_settings(root, settings, overwrite):
    """Refuse to mix results of other settings into a folder.

    Raises: DataError, if the folder was prepared with other ones.
    """
    before = _read(root)
    if before is None or overwrite or before["settings"] == settings:
        return
    raise DataError(
        f"{root}: it was prepared with {_words(before['settings'])}, and not "
        f"with {_words(settings)}; choose another --save_dir, or --overwrite")


def _words(settings):
    return ", ".join(f"{k} {v}" for k, v in settings.items()) or "none"


def _check_count(root, name, found, expected, partial):
    if found == expected or (partial and found):
        return
    raise DataError(
        f"{root}/{name}: {found} images with masks; expected {expected}: a "
        "part is missing; complete the downloads and run this again (what is "
        "done is kept), or pass --partial to go without")


def two_fields(image, mask):
    """The line that names a labelled image in all lists."""
    return f"{image}\t{mask}"


def finish(root, lists, *, expected, num_classes, settings, workers, partial,
           overwrite, line=two_fields):
    """Check the result, write its lists and the record of its digests.

    Args:
        root (str): the dataset's folder.
        lists (dict): file name -> list of (image, mask), relative to it.
        expected (dict): file name -> images that the whole dataset has.
        num_classes (int): masks hold 0..num_classes - 1 and 255.
        settings (dict): what else decides the masks; JSON values.
        workers (int): processes.
        partial (bool): fewer images will do.
        overwrite (bool): forget an earlier record.
        line (callable): image, mask -> their line of the lists.

    Raises: DataError: too few images, a wrong file, or another digest than
        an earlier run's.
    """
    for name, rows in lists.items():
        _check_count(root, name, len(rows), expected[name], partial)
    found = {}
    for name, rows in lists.items():
        digests = work.run(
            pair_digest, ((root, *row, num_classes) for row in rows),
            what=f"checking {name}", workers=workers, total=len(rows))
        found[name] = {"images": len(rows), "sha256": hashlib.sha256(
            b"".join(digests)).hexdigest()}
    before = None if overwrite else _read(root)
    for name, new in found.items():
        old = before["lists"].get(name) if before else None
        same = old == new
        if old and not same and old["images"] == new["images"]:
            raise DataError(
                f"{root}/{name}: the digest of its images and masks is "
                f"{new['sha256']}, and was {old['sha256']} when they were "
                "first prepared: files have changed since; --overwrite makes "
                "them again")
        whole = new["images"] == expected[name]
        print(f"{os.path.join(root, name)}: {new['images']} images with masks"
              f"{'' if whole else f' of {expected[name]} (partial)'}, digest "
              f"{new['sha256']}"
              f"{' (as when first prepared)' if same else ''}")
        results.put_lines(os.path.join(root, name), [
            line(*row) for row in lists[name]])
    results.put_text(os.path.join(root, RECORD), json.dumps(
        {"settings": settings, "lists": found}, indent=1) + "\n")
