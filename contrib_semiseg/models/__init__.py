# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Segmentation networks and their backbones; importing registers them."""

from contrib_semiseg.models.backbones import (
    EfficientNetLite,
    ResNet,
    SmallResNet,
    Xception65,
)
from contrib_semiseg.models.deeplab import DeepLabV3Plus
from contrib_semiseg.models.deeplab_v2 import DeepLabV2
from contrib_semiseg.models.pspnet import PyramidNet

__all__ = [
    "DeepLabV2", "DeepLabV3Plus", "EfficientNetLite", "PyramidNet", "ResNet",
    "SmallResNet", "Xception65"
]
