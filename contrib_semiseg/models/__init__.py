# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Segmentation networks and their backbones; importing registers them."""

from contrib_semiseg.models.backbones import (
    EfficientNetLite0,
    ResNet50Deep,
    ResNet101Deep,
)
from contrib_semiseg.models.deeplab import DeepLabV3Plus

__all__ = [
    "DeepLabV3Plus", "EfficientNetLite0", "ResNet50Deep", "ResNet101Deep"
]
