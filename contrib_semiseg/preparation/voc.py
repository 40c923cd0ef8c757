# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""PASCAL VOC 2012 with the masks of SBD: 10582 + 1449 images.

VOC's own masks (1464 + 1449, boundaries 255) win; SBD (Hariharan et al.,
ICCV 2011) adds those of the images that VOC did not segment. Its masks have
no ignored boundary.
"""

import io
import os

import numpy as np

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.preparation import archives, record, results, tool, work

EXPECTED = {"train_aug.txt": 10582, "val.txt": 1449}
MASKS = "SegmentationClassAug"
_VOC_URL = ("http://host.robots.ox.ac.uk/pascal/VOC/voc2012/"
            "VOCtrainval_11-May-2012.tar")
_SBD_URL = ("https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/"
            "grouping/semantic_contours/benchmark.tgz (or use the known "
            "SegmentationClassAug.zip)")


def mask_of_png(data, where, colors):
    """Class indices of VOC's masks: palette, grey or RGB; [H, W] uint8."""
    image = results.decode(data, where)
    if image.mode in ("RGB", "RGBA"):
        return results.colors_to_indices(np.array(image.convert("RGB")),
                                         colors, where)
    return results.indices(image, where)


def mask_of_mat(data, where):
    """Class indices of an SBD file: its GTcls.Segmentation; [H, W] uint8.

    Raises: DataError naming the file, if it holds no such thing.
    """
    scipy_io = tool.need_package("scipy.io", "to read SBD's .mat files")
    try:
        mat = scipy_io.loadmat(io.BytesIO(data), variable_names=["GTcls"])
        mask = np.array(mat["GTcls"]["Segmentation"][0, 0])
    # scipy raises whatever it likes on broken files.
    except Exception as error:
        raise DataError(f"{where}: GTcls.Segmentation cannot be read "
                        f"({error}); download it again") from error
    if mask.ndim != 2 or mask.min() < 0 or mask.max() > 20:
        raise DataError(f"{where}: GTcls.Segmentation is {mask.shape} with "
                        f"values up to {mask.max()}; allowed: [H, W] of 0..20")
    return mask.astype(np.uint8)


def make_mask(path, data, where, colors):
    """Write the mask of one file of VOC or SBD."""
    results.put_mask(path, mask_of_mat(data, where) if where.endswith(".mat")
                     else mask_of_png(data, where, colors))


def _ids(text):
    return text.decode("ascii").split()


def _voc_kind(name):
    """What a file of VOCdevkit is to us: a folder's name, or None."""
    parts = name.split("/")
    kinds = {"JPEGImages": ".jpg", "SegmentationClass": ".png"}
    if len(parts) >= 2 and parts[-1].endswith(kinds.get(parts[-2], "\0")):
        return parts[-2]
    if parts[-3:-1] == ["ImageSets", "Segmentation"] and \
            parts[-1] in ("train.txt", "val.txt"):
        return "ImageSets"
    return None


def _aug_kind(name):
    parts = name.split("/")
    return (len(parts) >= 2 and parts[-2] == "cls" and
            name.endswith(".mat")) or (parts[-2:-1] == [MASKS] and
                                       name.endswith(".png"))


def _stem(name):
    return os.path.splitext(os.path.basename(name))[0]


def _mask_jobs(made, source, wanted, colors, masks, taken=()):
    """The masks that are still to be made; notes all ids in `masks`."""
    for file in archives.files(source, wanted):
        key = _stem(file.name)
        if key in taken or key in masks:
            continue
        masks.add(key)
        path = made.path(MASKS, f"{key}.png")
        if made.lacks(path):
            yield path, file.read(), file.name, colors


def prepare(made, places, colors):
    """Make JPEGImages, SegmentationClassAug, train_aug.txt and val.txt.

    Args:
        made (tool.Target): where and how.
        places (list of str): where the user's downloads are.
        colors (dict): (r, g, b) -> class, of masks that hold colours.
    """
    voc = archives.need(
        places, ["VOCtrainval_11-May-2012.tar", "VOCdevkit", "VOC2012"],
        what="PASCAL VOC 2012", url=_VOC_URL, holding=(
            "JPEGImages", "SegmentationClass", "ImageSets"))
    aug = archives.need(
        places, ["benchmark.tgz", "benchmark_RELEASE", f"{MASKS}.zip", MASKS],
        what="SBD, the augmentation of VOC", url=_SBD_URL)
    if os.path.basename(aug).startswith("benchmark"):
        tool.need_package("scipy.io", "to read SBD's .mat files")
    with results.alone_in(made.root):
        _prepare(made, voc, aug, colors)


def _prepare(made, voc, aug, colors):
    settings = {"masks": "SegmentationClassAug" if MASKS in aug else "SBD"}
    record.check_settings(made.root, settings, made.overwrite)
    sets = {}
    own, more = set(), set()

    def images():
        for file in archives.files(voc, lambda name: _voc_kind(name) in (
                "JPEGImages", "ImageSets")):
            if _voc_kind(file.name) == "ImageSets":
                sets[_stem(file.name)] = _ids(file.read())
            else:
                yield made.path("JPEGImages",
                                os.path.basename(file.name)), file

    pictures = {_stem(p) for p in tool.put_all(made, images(), "images")}
    work.run(make_mask, _mask_jobs(
        made, voc, lambda n: _voc_kind(n) == "SegmentationClass", colors,
        own), what="VOC's masks", workers=made.workers)
    work.run(make_mask, _mask_jobs(made, aug, _aug_kind, colors, more, own),
             what="the other masks", workers=made.workers)
    if "val" not in sets:
        raise DataError(f"{voc}: ImageSets/Segmentation/val.txt is missing; "
                        "allowed: the archive as it was published")
    val = set(sets["val"])
    parts = {"train_aug.txt": (own | more) - val, "val.txt": val}
    for name, keys in parts.items():
        bare = sorted(keys - pictures)
        if bare:
            raise DataError(f"{voc}: {len(bare)} images of {name} are "
                            f"missing, first: JPEGImages/{bare[0]}.jpg")
    made.finish({name: [(f"JPEGImages/{k}.jpg", f"{MASKS}/{k}.png")
                        for k in sorted(keys)]
                 for name, keys in parts.items()},
                expected=EXPECTED, num_classes=21, settings=settings)
