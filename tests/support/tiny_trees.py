# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Datasets of a few small pictures, where the recipes look for theirs."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 96, 80  # w x h
SPLIT = "made/tiny"
_CITY = "leftImg8bit/{part}/aachen/aachen_{i}_leftImg8bit.png"
# dataset: (classes, pictures, masks), with {part} and {i} in them
LAYOUTS = {
    "voc": (21, "JPEGImages/{part}_{i}.jpg",
            "SegmentationClassAug/{part}_{i}.png"),
    "cityscapes": (19, _CITY, _CITY.replace("leftImg8bit/", "gtFine/").replace(
        "_leftImg8bit", "_gtFine_labelTrainIds")),
    "coco": (81, "{part}2017/{i}.jpg", "masks/{part}2017/{i}.png"),
    "camvid": (11, "JPEGImages/{part}_{i}.jpg",
               "SegmentationClass/{part}_{i}.png")}


def draw(rng, classes, image, mask):
    """Write a noisy picture, and a mask of squares of all classes."""
    width, height = SIZE
    for path in (image, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
                    ).save(image)
    squares = rng.integers(0, classes, (height // 8, width // 8))
    squares[0, 0] = 255
    Image.fromarray(squares.repeat(8, 0).repeat(8, 1).astype(np.uint8)
                    ).save(mask)


def write(folder):
    """Write data/<dataset> and its split made/tiny below a folder."""
    rng = np.random.default_rng(0)
    for name, (classes, image, mask) in LAYOUTS.items():
        rows = {"train": [], "val": []}
        for part, count in (("train", 6), ("val", 1)):
            for i in range(count):
                row = [p.format(part=part, i=i) for p in (image, mask)]
                draw(rng, classes, *(folder / "data" / name / p for p in row))
                rows[part].append(row)
        home = folder / "data/splits" / name / SPLIT
        home.mkdir(parents=True)
        for part, found in (("labeled", rows["train"][:3]),
                            ("unlabeled", rows["train"][3:]),
                            ("val", rows["val"])):
            end = 1 if part == "unlabeled" else 2
            Path(home, f"{part}.txt").write_text(
                "".join("\t".join(row[:end]) + "\n" for row in found))
