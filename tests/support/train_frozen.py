# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""train.py whose BatchNorm only applies its running statistics."""

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

from contrib_semiseg.cvlibs.builder import Builder  # noqa: E402

build = Builder.method


def frozen(self):
    method = build(self)
    for layer in method.sublayers():
        if hasattr(layer, "_use_global_stats"):
            layer._use_global_stats = True
    return method


Builder.method = frozen
runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
