# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
from contrib_semiseg.datasets import camvid, list_dataset, own, shape_scenes

__all__ = ["camvid", "list_dataset", "own", "shape_scenes"]
