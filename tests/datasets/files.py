# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A small dataset on disk for the tests."""

import numpy as np
from PIL import Image


def write_files(root, count=3, size=(12, 10), classes=3):
    """Write imgs/N.png, masks/N.png (w x h `size`) and list.txt."""
    rng = np.random.default_rng(0)
    for folder in ("imgs", "masks"):
        (root / folder).mkdir(parents=True)
    lines = []
    for i in range(count):
        width, height = size
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        mask = rng.integers(0, classes, (height, width), dtype=np.uint8)
        Image.fromarray(image).save(root / "imgs" / f"{i}.png")
        Image.fromarray(mask).save(root / "masks" / f"{i}.png")
        lines.append(f"imgs/{i}.png masks/{i}.png")
    (root / "list.txt").write_text("\n".join(lines) + "\n\n")
    return root
