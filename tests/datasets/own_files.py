# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A user's folder of images and masks for the tests."""

import numpy as np
from PIL import Image

from contrib_semiseg.datasets.own import FolderDataset


def write_image(path, seed=0, size=(12, 10), **options):
    """Save random colours, w x h `size`, in the format of the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
                    ).save(path, **options)


def write_mask(path, values=(0, 1, 2), size=(12, 10)):
    """Save a mask whose pixels go through `values`, numbers or colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.array(values, np.uint8)
    index = np.arange(size[0] * size[1]) % len(rows)
    Image.fromarray(rows[index].reshape(*size[::-1], *rows.shape[1:])
                    ).save(path)


def write_folders(root, labelled=5, unlabelled=4):
    """Write images/l0.jpg .. with masks/l0.png .., and images/u0.jpg .."""
    for i in range(labelled):
        write_image(root / "images" / f"l{i}.jpg", i)
        write_mask(root / "masks" / f"l{i}.png")
    for i in range(unlabelled):
        write_image(root / "images" / f"u{i}.jpg", 100 + i)
    return root


def folder_dataset(root, role="labeled", **changes):
    """A FolderDataset of three classes."""
    args = dict(dataset_root=str(root), role=role, num_classes=3,
                mask_dir="masks")
    return FolderDataset(**{**args, **changes})


def names(dataset):
    return [dataset.name(i) for i in range(len(dataset))]
