# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""ShapeScenes: a generated dataset of textured, lit, overlapping shapes."""

import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.cache import home
from contrib_semiseg.cvlibs.errors import ArgumentError, DataError
from contrib_semiseg.datasets.base import SECTIONS, Row, SegDataset
from contrib_semiseg.datasets.scene_painter import (
    CLASS_NAMES,
    PALETTE,
    VERSION,
    paint,
)


def _write_png(path, array, palette=None):
    """Write a picture under a temporary name, then put it in its place."""
    image = Image.fromarray(array)
    if palette is not None:
        image.putpalette([v for color in palette for v in color])
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as f:
            image.save(f, "PNG", compress_level=1)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def scene(seed, part, index, side):
    """Scene `index` of "train" or "val": the same for ever and everywhere.

    Returns: (uint8 [side, side, 3] RGB, uint8 [side, side] class indices)
    """
    rng = np.random.default_rng([seed, ("train", "val").index(part), index])
    return paint(rng, side)


def generate(folder, *, seed, part, start, stop, side):
    """Write the scenes start..stop - 1 that `folder` does not hold yet.

    Returns: list of Row.
    Raises: DataError, if the folder cannot be written.
    """
    rows = []
    try:
        for kind in ("images", "masks"):
            (folder / part / kind).mkdir(parents=True, exist_ok=True)
        # The mask is written last: it says that its image is complete.
        there = set(os.listdir(folder / part / "masks"))
        for index in range(start, stop):
            name = f"{index:05d}.png"
            image_path = folder / part / "images" / name
            mask_path = folder / part / "masks" / name
            if name not in there:
                image, mask = scene(seed, part, index, side)
                _write_png(image_path, image)
                _write_png(mask_path, mask, PALETTE)
            rows.append(Row(str(image_path), str(mask_path), name))
    except OSError as error:
        raise DataError(
            f"{folder}: ShapeScenes cannot be written ({error.strerror}); set "
            "the environment variable SEMISEG_HOME or the dataset's "
            "cache_dir to a folder with space") from error
    return rows


@manager.register(manager.DATASETS)
class ShapeScenes(SegDataset):
    """Generated scenes of 8 classes, kept on disk after the first use.

    Args:
        labeled, unlabeled, val (int): scenes of each role. The unlabelled
            ones follow the labelled ones in one training sequence, so
            `labeled` must be the same in both sections.
        size (list of int): (width, height) of the square scenes, pixels.
        data_seed (int): another one gives other scenes.
        cache_dir (str, optional): where the folder of scenes is kept; null:
            the configuration's cache_dir, else SEMISEG_HOME, else
            ~/.cache/contrib_semiseg.
        The others: see `SegDataset`.
    """

    CLASS_NAMES, PALETTE = CLASS_NAMES, PALETTE

    @check.arguments
    def __init__(self, *, role: check.OneOf(*SECTIONS),
                 labeled: check.Range(1, integer=True) = 16,
                 unlabeled: check.Range(0, integer=True) = 240,
                 val: check.Range(1, integer=True) = 100,
                 size: check.SIZE = (96, 96),
                 data_seed: check.Range(0, integer=True) = 0,
                 cache_dir: check.Text(optional=True) = None,
                 transforms=None, views=None, crops=None, masks=None,
                 num_classes: check.OneOf(8) = 8,
                 ignore_index: check.OneOf(255) = 255,
                 same_image_mix: check.BOOL = False,
                 joint_order: check.BOOL = False,
                 list_resampling: check.BOOL = False):
        if size[0] != size[1]:
            raise ArgumentError("size", size, "two equal numbers")
        start, stop = {"labeled": (0, labeled), "val": (0, val),
                       "unlabeled": (labeled, labeled + unlabeled)}[role]
        root = Path(cache_dir).expanduser() if cache_dir else home()
        folder = root / f"shape_scenes_v{VERSION}_{size[0]}px_seed{data_seed}"
        rows = generate(folder, seed=data_seed,
                        part="val" if role == "val" else "train", start=start,
                        stop=stop, side=size[0])
        super().__init__(rows=rows, where=f"{role} = {stop - start}",
                         transforms=transforms, role=role,
                         num_classes=num_classes, ignore_index=ignore_index,
                         class_names=CLASS_NAMES, palette=PALETTE,
                         views=views, crops=crops, masks=masks,
                         same_image_mix=same_image_mix,
                         joint_order=joint_order,
                         list_resampling=list_resampling)
