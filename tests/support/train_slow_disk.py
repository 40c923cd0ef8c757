# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""train.py on a disk that takes its time, to be killed while it writes."""

import os
import runpy
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

fsync = os.fsync


def slow_fsync(handle):
    fsync(handle)
    time.sleep(0.2)


os.fsync = slow_fsync
runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
