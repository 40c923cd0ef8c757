# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""train.py with one more transform, which makes NaN of a black image."""

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from contrib_semiseg.cvlibs import manager  # noqa: E402


@manager.register(manager.TRANSFORMS)
class Standardize:
    """Subtract the image's mean and divide by its standard deviation."""

    def __call__(self, data):
        image = data["img"].astype("float32")
        with np.errstate(invalid="ignore"):
            data["img"] = (image - image.mean()) / image.std()
        return data


runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
