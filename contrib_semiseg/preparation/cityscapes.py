# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Cityscapes: the raw numbers of its masks become the 19 training classes."""

import os
import re

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.preparation import archives, record, results, tool, work

EXPECTED = {"train.txt": 2975, "val.txt": 500}
_URL = "https://www.cityscapes-dataset.com/downloads (after registration)"
_FILE = re.compile(
    r"(?:^|/)((?:leftImg8bit|gtFine)/(train|val)/[^/]+/"
    r"[^/]+?)(_leftImg8bit|_gtFine_labelIds)\.png$")


def make_mask(path, data, where, table):
    """Write a mask of training classes of one of raw numbers.

    Args:
        table (array): class of each raw number, uint8 [256].
    """
    image = results.decode(data, where)
    results.put_mask(path, table[results.indices(image, where)])


def prepare(made, places, table):
    """Make leftImg8bit, gtFine with labelTrainIds, train.txt and val.txt.

    Args:
        made (tool.Target): where and how.
        places (list of str): where the user's downloads are.
        table (array): class of each raw number, uint8 [256].
    """
    names = {"images": "leftImg8bit", "masks": "gtFine"}
    sources = {what: archives.need(
        places, [f"{folder}_trainvaltest.zip", folder],
        what=f"Cityscapes' {what}", url=_URL) for what, folder in
        names.items()}
    with results.alone_in(made.root):
        record.check_settings(made.root, {}, made.overwrite)
        images = tool.put_all(made, _images(made, sources["images"]),
                              "images")
        masks = set()
        work.run(make_mask, _mask_jobs(made, sources["masks"], table, masks),
                 what="masks", workers=made.workers)
        made.finish(_lists(made, images, masks, sources), expected=EXPECTED,
                    num_classes=19, settings={})


def _parts(source, name):
    """(path without ending, part, ending) of a file; None: not ours.

    An unpacked folder's files are named from within it.
    """
    folder = os.path.basename(os.path.abspath(source))
    return _FILE.search(f"{folder}/{name}") if os.path.isdir(source) else \
        _FILE.search(name)


def _files(source, endings):
    def wanted(name):
        found = _parts(source, name)
        return found is not None and found[3] in endings

    for file in archives.files(source, wanted):
        found = _parts(source, file.name)
        yield found[1], found[3], file


def _images(made, source):
    for stem, ending, file in _files(source, ("_leftImg8bit",)):
        if stem.startswith("leftImg8bit/"):
            yield made.path(f"{stem}{ending}.png"), file


def _mask_jobs(made, source, table, masks):
    """The masks that are still to be made; notes all paths in `masks`."""
    for stem, _, file in _files(source, ("_gtFine_labelIds",)):
        path = made.path(f"{stem}_gtFine_labelTrainIds.png")
        masks.add(path)
        if made.lacks(path):
            yield path, file.read(), file.name, table


def _lists(made, images, masks, sources):
    lists = {name: [] for name in EXPECTED}
    for path in sorted(images):
        image = os.path.relpath(path, made.root).replace(os.sep, "/")
        mask = image.replace("leftImg8bit/", "gtFine/", 1).replace(
            "_leftImg8bit.png", "_gtFine_labelTrainIds.png")
        if made.path(mask) not in masks:
            raise DataError(
                f"{sources['masks']}: the mask of {image} is missing; "
                "allowed: the archive as it was published")
        lists[f"{image.split('/')[1]}.txt"].append((image, mask))
    return lists
