# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
from contrib_semiseg.transforms import (
    color,
    crops,
    cutout,
    geometric,
    intensity,
)

__all__ = ["color", "crops", "cutout", "geometric", "intensity"]
